"""`ldznet like`: the files, the object, a folder of pictures, the sentences."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ldznet_ext.cli import engine
from ldznet_ext.cli.like import unique_stems
from ldznet_ext.saving.recipe import read

KEYS = ["picture", "size", "method", "model", "familiar", "phrases", "files", "seconds", "unet_calls", "instances"]


@pytest.fixture
def search(fake, monkeypatch):
    """What was searched and how; the fake finds the left half, the surer the wider a picture is."""
    asked = {}

    def seeker(marked, backbone, **settings):
        asked.update(settings, marked=marked, pictures=[])

        def seek(picture):
            asked["pictures"].append(picture)
            fake.score = min(0.99, picture.shape[1] / 100)
            found = fake.segment(picture, [marked.name], backbone)
            how = {"mask_threshold": 0.5, "threshold": settings["threshold"] or 0.5, "refined": settings["refine"]}
            return replace(found, provenance={**how, "own_picture": np.array_equal(picture, marked.picture)})

        return seek

    monkeypatch.setattr(engine, "seeker", seeker)
    return asked


@pytest.fixture
def mask(photo) -> Path:
    """The example in the 12 x 20 picture: its upper left corner."""
    marked = np.zeros((12, 20), np.uint8)
    marked[:3, :4] = 255
    Image.fromarray(marked).save(photo.with_name("fox.png"))
    return photo.with_name("fox.png")


@pytest.fixture
def folder(tmp_path) -> Path:
    """Two pictures with one stem, a wider one, no picture, a hidden file and an older result."""
    made = tmp_path / "holiday"
    made.mkdir()
    for name, width in (("a.png", 20), ("a.bmp", 30), ("b.webp", 60), ("b_mask.png", 90)):
        Image.new("RGB", (width, 12), (width, 0, 0)).save(made / name)
    (made / "notes.txt").write_text("no picture")
    (made / ".hidden.png").write_text("")
    return made


def names(folder) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_the_object_and_the_files(ldznet, search, photo, mask, tmp_path):
    answer = ldznet("like", "my photo.png", "--example", "fox.png", "-o", "out", "--json").json
    assert list(answer) == [*KEYS, "example"]
    assert (answer["picture"], answer["example"], answer["phrases"][0]["text"]) == ("my photo.png", "fox.png", "fox")
    assert answer["instances"] == [{"box": [0, 0, 10, 12], "area": 120, "score": 0.75, "marked": True}]
    assert names(tmp_path / "out") == {f"my photo_{kind}.png" for kind in ("mask", "prob", "overlay")}
    assert search["marked"].mask.sum() == 12 and len(search["pictures"]) == 1
    assert (search["threshold"], search["refine"]) == (None, True)


def test_without_json_a_short_report(ldznet, search, photo, mask):
    ran = ldznet("like", photo, "--example", mask, "--threshold", "0.3", "--no-refine")
    assert ran.out.splitlines() == [
        "fox  found, score 0.20, box 0,0 to 10,12, 120 pixels",
        "0 others like it.",
        "Wrote my photo_mask.png, my photo_prob.png, my photo_overlay.png.",
    ]
    assert (search["threshold"], search["refine"]) == (0.3, False)


def test_its_recipe_says_how_it_was_cut(ldznet, search, photo, mask, tmp_path):
    ldznet("like", photo, "--example", mask)
    settings = read(tmp_path / "my photo_mask.png").settings
    assert (settings.threshold, settings.refine) == (None, True)
    ldznet("like", photo, "--example", mask, "--threshold", "0.3", "--no-refine")
    settings = read(tmp_path / "my photo_mask.png").settings
    assert (settings.threshold, settings.refine) == (0.3, False)


def test_a_folder_is_searched_and_what_is_no_picture_is_listed(ldznet, search, photo, mask, folder, tmp_path):
    ran = ldznet("like", photo, "--example", mask, "--in", "holiday", "-o", "out", "--json")
    answer = ran.json
    assert list(answer) == ["picture", "example", "in", "method", "model", "pictures", "skipped", "unet_calls"]
    assert [Path(one["picture"]).name for one in answer["pictures"]] == ["b.webp", "a.bmp", "a.png"]  # by score
    assert [one["phrases"][0]["score"] for one in answer["pictures"]] == [0.6, 0.3, 0.2]
    assert list(answer["pictures"][0]) == KEYS and answer["unet_calls"] == 3
    assert not any(one["instances"][0]["marked"] for one in answer["pictures"])
    assert [Path(one["picture"]).name for one in answer["skipped"]] == ["notes.txt"]
    assert "Skipped: The picture 'notes.txt'" in ran.err
    files = [name for one in answer["pictures"] for name in one["files"].values()]
    assert names(tmp_path / "out") == set(files) and len(set(files)) == 9
    assert answer["pictures"][2]["files"]["mask"] == "a.png_mask.png"


def test_a_folder_as_a_short_report(ldznet, search, photo, mask, folder):
    lines = ldznet("like", photo, "--example", mask, "--in", folder, "-o", "out").out.splitlines()
    assert lines[0] == "0.60  b.webp  found, 1 instance" and lines[-1] == "Wrote 9 files to out."


def test_its_own_folder_may_be_searched_again_and_again(ldznet, search, photo, mask, tmp_path):
    for _ in range(2):
        answer = ldznet("like", photo, "--example", mask, "--in", tmp_path, "--json").json
        assert [Path(one["picture"]).name for one in answer["pictures"]] == [photo.name]
        assert answer["pictures"][0]["instances"][0]["marked"]


def test_masks_that_are_none_are_refused(ldznet, search, photo, mask, tmp_path):
    masks = {"size": np.zeros((20, 12)), "empty": np.zeros((12, 20)), "whole": np.full((12, 20), 255)}
    for word, array in masks.items():
        Image.fromarray(array.astype(np.uint8)).save(mask)
        assert word in ldznet("like", photo, "--example", mask, "-o", "out").complaint
    mask.write_text("no picture")
    assert "fox.png" in ldznet("like", photo, "--example", mask, "-o", "out").complaint
    assert "absent.png" in ldznet("like", photo, "--example", "absent.png", "-o", "out").complaint
    assert "absent.png" in ldznet("like", "absent.png", "--example", mask, "-o", "out").complaint
    assert "required: --example" in ldznet("like", photo).complaint
    assert not search and names(tmp_path) == {photo.name, mask.name}


def test_folders_that_hold_nothing_are_refused(ldznet, search, photo, mask, tmp_path):
    def complaint(folder) -> str:
        return ldznet("like", photo, "--example", mask, "--in", folder, "-o", "out").complaint

    assert "cannot be read" in complaint("nowhere")
    assert "cannot be read" in complaint(photo)
    (tmp_path / "empty").mkdir()
    assert "no file to search" in complaint("empty")
    (tmp_path / "empty" / "notes.txt").write_text("no picture")
    said = ldznet("like", photo, "--example", mask, "--in", "empty", "-o", "out")
    assert said.code == 2 and "None of the 1 files" in said.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("threshold", ["0", "nan", "abc"])
def test_a_threshold_out_of_range_is_refused(ldznet, search, photo, mask, threshold):
    assert "threshold" in ldznet("like", photo, "--example", mask, f"--threshold={threshold}").complaint


def test_stems_that_meet_keep_their_endings():
    paths = [Path("x/a.jpg"), Path("x/a.png"), Path("x/b.png")]
    assert unique_stems(paths) == ["a", "a.png", "b"]
