"""`ldznet generate`: pictures from words, masks from other words."""

import os
import signal

import pytest
from PIL import Image

from ldznet_ext.cli import engine
from ldznet_ext.errors import ModelError

MASK_KEYS = ["picture", "size", "method", "model", "familiar", "phrases", "files", "seconds", "unet_calls"]


def names(folder) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_the_object_and_the_files(ldznet, fake, tmp_path):
    ran = ldznet(
        "generate", "a fox on snow", "--mask", "fox", "--mask", "owl", "--seed", 5, "-n", 2, "-o", "out", "--json"
    )
    answer = ran.json
    assert list(answer) == ["prompt", "seed", "steps", "model", "images", "extra_unet_calls"]
    assert (answer["prompt"], answer["seed"], answer["steps"], answer["model"]) == ("a fox on snow", 5, 20, "fake-sd")
    assert [list(image) for image in answer["images"]] == [["image", *MASK_KEYS]] * 2
    assert answer["extra_unet_calls"] == 2  # the fake makes one extra pass a picture
    assert [image["image"] for image in answer["images"]] == ["a-fox-on-snow_5.png", "a-fox-on-snow_6.png"]
    expected = {name for image in answer["images"] for name in (image["image"], *image["files"].values())}
    assert names(tmp_path / "out") == expected and len(expected) == 8
    assert Image.open(tmp_path / "out/a-fox-on-snow_6.png").getpixel((3, 3)) == (6, 10, 20)
    assert [p["text"] for p in answer["images"][0]["phrases"]] == ["fox", "owl"]
    assert [call[1][2]["seed"] for call in fake.asked if call[0] == "generate"] == [5, 6]


def test_without_words_only_the_picture(ldznet, fake, tmp_path):
    answer = ldznet("generate", "a fox", "--json", "--steps", 3, "--guidance", 2).json
    image = answer["images"][0]
    assert list(image) == ["image", *MASK_KEYS]
    assert image["phrases"] == [] and set(image["files"].values()) == {None} and image["size"] == [24, 40]
    assert names(tmp_path) == {"a-fox_0.png"} and answer["extra_unet_calls"] == 0
    assert fake.asked[0][1][2] == {"seed": 0, "steps": 3, "guidance": 2.0}


def test_a_short_report(ldznet, fake):
    ran = ldznet("generate", "a fox", "--mask", "fox")
    assert ran.out.splitlines()[:2] == ["a-fox_0.png", "  fox  found, score 0.90, box 0,0 to 20,24, 480 pixels"]
    assert "4 files" in ran.out
    assert ldznet("generate", "a fox").out.splitlines()[-1] == "Wrote 1 file."


@pytest.mark.parametrize(
    "options",
    [
        ["--steps", "0"], ["--steps", "-1"], ["--steps", "1.5"], ["--steps", "1001"], ["-n", "0"], ["-n", "10001"],
        ["--seed", "-1"], ["--seed", str(2**63)], ["--seed", str(2**63 - 1), "-n", "2"], ["--seed", "x"],
        ["--guidance", "nan"], ["--guidance", "-1"], ["--mask", ""], ["--nonsense"], ["second prompt"],
    ],
)  # fmt: skip
def test_settings_out_of_range_are_refused_at_once(ldznet, fake, tmp_path, options):
    ldznet("generate", "a fox", "-o", "out", *options).complaint  # noqa: B018
    assert not fake.asked and names(tmp_path) == set()


@pytest.mark.parametrize("words", [[], ["--mask", "fox"]])
def test_a_method_there_is_not_is_refused_before_painting(ldznet, fake, tmp_path, words):
    said = ldznet("generate", "a fox", *words, "--method", "nope", "-o", "out").complaint
    assert said.startswith("The method is 'nope'; expected one of auto, ldznet")
    assert not fake.asked and names(tmp_path) == set()


@pytest.mark.parametrize("prompt", ["", "  "])
def test_an_empty_prompt_is_refused(ldznet, fake, prompt):
    assert "prompt is empty" in ldznet("generate", prompt).complaint


def test_a_long_prompt_is_cut_and_that_is_said_once(ldznet, fake):
    ran = ldznet("generate", "fox " * 77, "-n", 2)
    assert (ran.code, ran.err.count("The prompt is 2 tokens too long")) == (0, 1)
    assert ldznet("generate", "fox " * 75).err == ""


def test_a_failure_at_the_last_picture_leaves_none(ldznet, fake, tmp_path):
    fake.trouble = ModelError("The model vanished; expected it to stay, so load it again.")
    assert "vanished" in ldznet("generate", "a fox", "-n", 3, "-o", "out").complaint
    assert names(tmp_path) == set()


@pytest.mark.skipif(not hasattr(signal, "SIGTERM") or os.name == "nt", reason="Windows ends a process at once")
def test_ended_from_outside_it_leaves_nothing(ldznet, fake, tmp_path, monkeypatch):
    """The first picture is put aside when the signal comes; it goes, and so does the folder made for it."""
    paint = fake.generate

    def second_ends(prompt, words, backbone, tick, **settings):
        if settings["seed"] == 1:
            assert list((tmp_path / "out").glob(".ldznet-*"))
            os.kill(os.getpid(), signal.SIGTERM)
        return paint(prompt, words, backbone, tick, **settings)

    monkeypatch.setattr(engine, "generate", second_ends)
    ran = ldznet("generate", "a fox", "-n", 2, "-o", "out")
    assert (ran.code, ran.out) == (128 + signal.SIGTERM, "")
    assert list(tmp_path.iterdir()) == []
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
