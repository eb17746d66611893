"""`ldznet edit`: repaint what the words name, or all but that."""

import numpy as np
import pytest
from PIL import Image

KEYS = [
    "picture",
    "size",
    "method",
    "model",
    "familiar",
    "phrases",
    "files",
    "seconds",
    "unet_calls",
    "image",
    "prompt",
    "seed",
]


def edit(ldznet, photo, *options):
    return ldznet("edit", photo, "--prompt", "an owl", *options)


@pytest.mark.parametrize("mode, changed", [("replace", slice(0, 10)), ("keep", slice(10, 20))])
def test_it_repaints_the_mask_or_all_but_it(ldznet, fake, photo, tmp_path, mode, changed):
    before = np.asarray(Image.open(photo))
    answer = edit(
        ldznet, photo, "--mask-prompt", "fox", "--mask-mode", mode, "--seed", 3, "--steps", 4, "--json", "-o", "out"
    ).json
    assert list(answer) == KEYS
    assert (answer["image"], answer["prompt"], answer["seed"]) == ("my photo_edit.png", "an owl", 3)
    assert {p.name for p in (tmp_path / "out").iterdir()} == {answer["image"], *answer["files"].values()}
    after = np.asarray(Image.open(tmp_path / "out" / answer["image"]))
    assert (after[:, changed] == 7).all()
    rest = np.delete(np.arange(20), np.arange(20)[changed])
    assert (after[:, rest] == before[:, rest]).all()
    assert fake.asked[1][1][2] == {"seed": 3, "steps": 4}
    assert answer["seconds"]["total"] >= 0.05


@pytest.mark.parametrize("words, reason", [("owl", "was not found"), ("zyx", "is unknown")])
def test_words_not_found_make_no_picture_and_no_failure(ldznet, fake, photo, tmp_path, words, reason):
    (tmp_path / "my photo_edit.png").write_text("of an earlier call")
    ran = edit(ldznet, photo, "--mask-prompt", words, "--json")
    assert ran.json["image"] is None and reason in ran.err
    assert not (tmp_path / "my photo_edit.png").exists() and (tmp_path / "my photo_mask.png").is_file()
    assert [name for name, _ in fake.asked] == ["segment"]
    ran = edit(ldznet, photo, "--mask-prompt", words)
    assert ran.code == 0 and "edit.png" not in ran.out


def test_one_found_word_is_enough(ldznet, fake, photo):
    assert (
        edit(ldznet, photo, "--mask-prompt", "owl", "--mask-prompt", "fox", "--json").json["image"]
        == "my photo_edit.png"
    )


def test_nothing_left_to_repaint(ldznet, fake, tmp_path):
    Image.new("RGB", (1, 3)).save(tmp_path / "line.png")  # the fake finds the left half: all of it
    ran = edit(ldznet, "line.png", "--mask-prompt", "fox", "--mask-mode", "keep", "--json")
    assert ran.json["image"] is None and "whole picture" in ran.err


@pytest.mark.parametrize(
    "options",
    [
        [], ["--mask-prompt", ""], ["--mask-prompt", "fox", "--mask-mode", "blend"], ["--mask-prompt", "fox", "--steps", "0"],
        ["--mask-prompt", "fox", "--seed", "-3"], ["--mask-prompt", "fox", "--prompt", " "],
    ],
)  # fmt: skip
def test_bad_options_are_refused_before_the_engine_is_asked(ldznet, fake, photo, tmp_path, options):
    edit(ldznet, photo, "-o", "out", *options).complaint  # noqa: B018
    assert not fake.asked and not (tmp_path / "out").exists()
