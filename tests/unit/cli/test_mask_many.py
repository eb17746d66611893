"""`ldznet mask` with a folder or several pictures: what is printed, and the exit codes."""

import csv
import shutil

import numpy as np
import pytest
from PIL import Image

from ldznet_ext.cli.mask import divided


@pytest.fixture
def folder(tmp_path, photo):
    """Two pictures and a file that is none."""
    place = tmp_path / "holiday"
    place.mkdir()
    shutil.copy(photo, place / "a.png")
    shutil.copy(photo, place / "b.png")
    (place / "c.png").write_text("no picture")
    return place


def test_a_folder(ldznet, fake, folder, tmp_path):
    ran = ldznet("mask", "holiday", "fox", "owl", "-o", "out")
    assert ran.code == 0 and ran.out.splitlines() == [
        "3 pictures: found in 2, not found in 0, skipped 1.",
        "6 files and the scores, masks.csv, are in out.",
    ]
    assert "Skipped: The picture 'c.png' is not a picture that can be read" in ran.err and "Traceback" not in ran.err
    with (tmp_path / "out/masks.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["phrase"], row["status"]) for row in rows] == [
        ("fox", "found"), ("owl", "not found"), ("fox", "found"), ("owl", "not found"), ("", "error"),
    ]  # fmt: skip
    assert "2 of them had been done before." in ldznet("mask", "holiday", "fox", "owl", "-o", "out").out
    assert len(fake.asked) == 2


def test_the_summary_as_json(ldznet, fake, folder, tmp_path):
    answer = ldznet("mask", folder, "fox", "--json", "--save", "mask").json
    assert answer.pop("seconds") > 0
    assert answer == {
        "pictures": 3, "found": 2, "not_found": [], "before": 0, "files": 2, "out": "masks", "table": "masks.csv", "messages": [],
        "skipped": [{"picture": str(folder / "c.png"), "reason": answer["skipped"][0]["reason"]}],
    }  # fmt: skip
    assert (tmp_path / "masks/a_mask.png").is_file()  # several pictures have a folder of their own


@pytest.mark.parametrize("choice, files, code", [("empty", 6, 0), ("skip", 0, 0), ("fail", 0, 3)])
def test_what_is_not_found(ldznet, fake, folder, choice, files, code):
    ran = ldznet("mask", folder, "owl", "--not-found", choice, "--json")
    assert ran.code == code and f'"files": {files},' in ran.out and "a.png" in ran.out
    assert ran.err.count("Of 2 pictures: Nothing was found.") == 1


def test_other_words_are_said_to_be_another_run(ldznet, fake, folder, tmp_path):
    ldznet("mask", folder, "fox", "-o", "out")
    ran = ldznet("mask", folder, "tail", "-o", "out")
    assert "asked for something else (words), so this is a new one" in ran.err and "masks-2.csv" in ran.out
    assert (tmp_path / "out/a_mask.png").is_file() and (tmp_path / "out/a-2_mask.png").is_file()
    assert "--overwrite" not in ldznet("mask", folder, "owl", "-o", "out", "--overwrite").out
    assert not (tmp_path / "out/a-3_mask.png").exists()


def test_a_run_that_is_stopped_says_how_to_go_on(ldznet, fake, folder):
    ask, calls = fake.segment, []

    def segment(*given, **more):
        calls.append(0)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return ask(*given, **more)

    fake.segment = segment
    ran = ldznet("mask", folder, "fox")
    assert ran.code == 130 and "Stopped after 1 of 3 pictures; the same command goes on from there." in ran.err
    assert ldznet("mask", folder, "fox").code == 0 and len(calls) == 3


def test_a_defect_of_ours_ends_one_picture_and_is_an_exit_code(ldznet, fake, folder):
    fake.trouble = RuntimeError("odd")
    ran = ldznet("mask", folder, "fox")
    assert ran.code == 1 and "skipped 3" in ran.out
    assert "Something went wrong that should not with 'a.png' (RuntimeError: odd)." in ran.err


def test_what_holds_no_picture_or_cannot_be_is_a_mistake(ldznet, fake, folder, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad/c.png").write_text("no picture")
    assert "There is no picture in 'empty'" in ldznet("mask", "empty", "fox", "-o", "none").complaint
    assert "{x}" in ldznet("mask", folder, "fox", "-o", "none", "--pattern", "{x}").complaint
    assert "There are no words" in ldznet("mask", folder, "-o", "none").complaint
    assert not (tmp_path / "none").exists()
    assert "x.png" in ldznet("mask", "x" * 300 + "x.png", "fox").complaint and ldznet("mask", "nul\0", "fox").complaint
    ran = ldznet("mask", "bad", "fox")
    assert ran.code == 2 and "None of the 1 files is a picture" in ran.err and ran.out == ""


def test_several_pictures_and_a_recipe_for_a_folder(ldznet, fake, folder, photo, tmp_path):
    answer = ldznet("mask", photo, folder / "a.png", "holiday/b.png", "fox", "tail", "--json").json
    assert answer["pictures"] == 3 and fake.asked[0][1][0] == ("fox", "tail")
    ldznet("mask", photo, "red fox", "--grow", "1", "-o", "one")
    ran = ldznet("mask", "--from", "one/my photo_mask.png", folder, "--save", "mask", "--json", "-o", "like it")
    assert ran.json["found"] == 2 and fake.asked[-1][1][0] == ("red fox",)
    np.testing.assert_array_equal(
        *(np.asarray(Image.open(tmp_path / name)) for name in ("one/my photo_mask.png", "like it/a_mask.png"))
    )


def test_where_pictures_end_and_words_begin(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a.png", "b.jpg", "fox", "c.txt"):
        (tmp_path / name).write_text("")
    (tmp_path / "dir").mkdir()
    assert divided(["x.png", "a.png", "fox"]) == (("x.png", "a.png"), ("fox",))
    assert divided(["a.png", "fox", "b.jpg"]) == (("a.png",), ("fox", "b.jpg"))
    assert divided(["dir", "b.jpg", "dir"]) == (("dir", "b.jpg"), ("dir",))
    assert divided(["*.png", "?.jpg", "*"]) == (("a.png", "b.jpg"), ("*",))
    assert divided(["c.txt"]) == (("c.txt",), ()) and divided([]) == ((), ())
    assert divided(["owl"], recipe_given=True) == ((), ("owl",))
    assert divided(["dir", "owl"], recipe_given=True) == (("dir",), ("owl",))
