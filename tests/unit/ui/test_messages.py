"""Every phrase with its status and score, words escaped."""

from dataclasses import replace

from ldznet_ext.ui.messages import complaint, describe, describe_regions
from tests.unit.ui.conftest import answer, segmentation


def test_every_status_has_its_word_and_class() -> None:
    said = describe(segmentation("fox", "owl", "xylophonist"))

    assert '<span class="ldznet-chip ldznet-found"><b>fox</b> found 0.90</span>' in said
    assert '<span class="ldznet-chip ldznet-absent"><b>owl</b> not found 0.10</span>' in said
    assert '<span class="ldznet-chip ldznet-unknown"><b>xylophonist</b> unknown word</span>' in said
    assert "example on tiny, 0.2 s, no extra pass of the diffusion model." in said


def test_an_unfamiliar_picture_is_called_so_but_unknown_words_stay_unknown() -> None:
    said = describe(segmentation("fox", "xylophonist", familiar=False))

    assert "ldznet-unfamiliar" in said
    assert "unknown word" in said


def test_an_expressions_phrases_are_named_once_each() -> None:
    whole = replace(answer("fox"), text="fox | owl", terms=(answer("fox"), answer("owl")))
    result = replace(segmentation("fox"), phrases=(whole, whole))
    said = describe(result)

    assert said.count("<b>fox | owl</b>") == 1
    assert said.count("<b>owl</b>") == 1


def test_words_cannot_write_into_the_page() -> None:
    result = replace(segmentation("fox"), phrases=(replace(answer("fox"), text="<img src=x>"),), message="<script>")

    for said in (describe(result), describe_regions(result), complaint("<script>")):
        assert "<script>" not in said
        assert "<img" not in said


def test_two_answers_that_read_alike_are_two() -> None:
    assert complaint("No.") != complaint("No.")
    assert describe(segmentation("fox")) != describe(segmentation("fox"))


def test_regions_say_what_to_do() -> None:
    assert "Click a region" in describe_regions(segmentation("fox"))
    assert "None of the prompt" in describe_regions(segmentation("owl"))
