"""`ldznet mask`: the files, the object, the sentences."""

import argparse
import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from ldznet_ext.cli import engine, mask
from ldznet_ext.masks.shape import blur, grown, to_grey
from ldznet_ext.request import OPTION

KEYS = ["picture", "size", "method", "model", "familiar", "phrases", "files", "seconds", "unet_calls"]


def names(folder) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_the_object_and_the_files(ldznet, fake, photo, tmp_path):
    ran = ldznet("mask", "my photo.png", "fox", "a red balloon", "-o", "deep/out", "--json")
    answer = ran.json
    assert list(answer) == KEYS and "a library talks" in ran.err
    assert (answer["picture"], answer["size"], answer["unet_calls"]) == ("my photo.png", [12, 20], 1)
    assert answer["phrases"][1] == {
        "text": "a red balloon", "status": "found", "score": 0.9, "box": [0, 0, 10, 12], "area": 120,
    }  # fmt: skip
    assert set(answer["seconds"]) == {"encode", "text", "unet", "head", "post", "total"}
    assert answer["files"] == {kind: f"my photo_{kind}.png" for kind in ("mask", "prob", "overlay")}
    out = tmp_path / "deep" / "out"
    assert names(out) == set(answer["files"].values())
    cut = np.asarray(Image.open(out / answer["files"]["mask"]))
    assert cut.dtype == np.uint8 and cut.shape == (12, 20) and set(np.unique(cut)) == {0, 255}
    prob = np.asarray(Image.open(out / answer["files"]["prob"]))
    assert (
        prob.dtype == np.uint16 and prob.max() == round(0.75 * 65535) and prob.min() == round(np.float32(0.1) * 65535)
    )
    assert Image.open(out / answer["files"]["overlay"]).size == (20, 12)
    assert Image.open(out / answer["files"]["overlay"]).mode == "RGB"


def test_the_overlay_keeps_colours_in_their_order(ldznet, fake, tmp_path):
    Image.new("RGB", (40, 30), (200, 20, 40)).save(tmp_path / "red.png")
    assert ldznet("mask", "red.png", "fox").code == 0
    assert Image.open(tmp_path / "red_overlay.png").getpixel((39, 0)) == (200, 20, 40)


def test_without_json_a_short_report(ldznet, fake, photo, tmp_path):
    ran = ldznet("mask", photo, "fox", "owl")
    assert (ran.code, ran.err) == (0, "a library talks on standard output\n")
    assert ran.out.splitlines() == [
        "fox  found, score 0.90, box 0,0 to 10,12, 120 pixels",
        "owl  not found, score 0.90",
        "Wrote my photo_mask.png, my photo_prob.png, my photo_overlay.png.",
    ]
    assert ldznet("mask", photo, "fox", "-o", "out").out.endswith("overlay.png to out.\n")
    assert names(tmp_path / "out") < names(tmp_path)
    assert names(tmp_path) - {"out"} == {photo.name, *(f"my photo_{kind}.png" for kind in ("mask", "prob", "overlay"))}


def test_words_not_found_are_no_failure(ldznet, fake, photo, tmp_path):
    ran = ldznet("mask", photo, "owl", "zyx", "--json", "-o", "out")
    assert [p["status"] for p in ran.json["phrases"]] == ["not found", "unknown word"]
    assert [(p["box"], p["area"]) for p in ran.json["phrases"]] == [(None, 0)] * 2
    assert "Nothing was found." in ran.err
    assert not np.asarray(Image.open(tmp_path / "out" / "my photo_mask.png")).any()
    assert np.asarray(Image.open(tmp_path / "out" / "my photo_prob.png")).any()


def test_older_files_are_overwritten_and_others_stay(ldznet, fake, photo, tmp_path):
    (tmp_path / "my photo_mask.png").write_text("old")
    (tmp_path / "notes.txt").write_text("mine")
    assert ldznet("mask", photo, "fox").code == 0
    assert Image.open(tmp_path / "my photo_mask.png").size == (20, 12)
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_settings_reach_the_engine_and_options_may_stand_anywhere(ldznet, fake, photo):
    ldznet("mask", photo, "fox", "--threshold", "0.25", "owl", "--no-refine", "--method", "ldznet", "tail")
    words, settings = fake.asked[0][1]
    assert words == ("fox", "owl", "tail")
    assert settings == {"method": "ldznet", "threshold": 0.25, "refine": False}


@pytest.mark.parametrize("words", ["🦊", "ثعلب أحمر", "שועל", "狐狸", "a\tfox\nand owl", "fox " * 300])
def test_words_in_any_script_and_of_any_length(ldznet, fake, photo, words):
    ran = ldznet("mask", photo, words, "--json")
    assert ran.json["phrases"][0]["text"] == words
    assert ran.out.count("\n") == 1


def test_numbers_are_finite_whatever_the_engine_says(ldznet, fake, photo):
    fake.score = float("nan")
    ran = ldznet("mask", photo, "fox", "--json")
    assert json.loads(ran.out, parse_constant=pytest.fail)["phrases"][0]["score"] == 0


@pytest.mark.parametrize("threshold", ["0", "1", "-0.5", "nan", "inf", "1e9", "abc", ""])
def test_a_threshold_out_of_range_is_refused(ldznet, fake, photo, tmp_path, threshold):
    assert "threshold" in ldznet("mask", photo, "fox", f"--threshold={threshold}", "-o", "out").complaint
    assert not fake.asked and names(tmp_path) == {photo.name}


@pytest.mark.parametrize("words", [[""], ["  \t"], ["fox", ""], ["x" * 20_001]])
def test_empty_and_endless_words_are_refused(ldznet, fake, photo, tmp_path, words):
    assert "phrase" in ldznet("mask", photo, *words, "-o", "out").complaint
    assert not fake.asked and names(tmp_path) == {photo.name}


def test_bad_pictures_are_refused_before_the_engine_is_asked(ldznet, fake, tmp_path, photo):
    whole = photo.read_bytes()
    bad = {
        "cut.png": whole[: len(whole) // 2],
        "empty.png": b"",
        "text.png": b"no picture at all",
        "archive.jpg": b"PK\x03\x04" + bytes(100),
    }
    for name, content in bad.items():
        (tmp_path / name).write_bytes(content)
        assert name in ldznet("mask", name, "fox", "-o", "out").complaint
    Image.new("1", (16_385, 1100)).save(tmp_path / "long.png")
    Image.new("1", (12_000, 9_000)).save(tmp_path / "huge.png")
    Image.new("L", (1, 40)).save(tmp_path / "thin.png")
    for name in ("long.png", "huge.png", "thin.png", "absent.png"):
        assert name in ldznet("mask", name, "fox", "-o", "out").complaint
    assert not fake.asked and not (tmp_path / "out").exists()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16", "F"])
def test_every_kind_of_picture_is_taken(ldznet, fake, tmp_path, mode):
    kind = "tiff" if mode in ("CMYK", "F") else "png"
    Image.new(mode, (7, 5)).save(tmp_path / f"one.{kind}")
    assert ldznet("mask", f"one.{kind}", "fox", "--json").json["size"] == [5, 7]


def test_a_turned_photograph_is_upright_and_one_pixel_is_a_picture(ldznet, fake, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (8, 4)).save(tmp_path / "turned.jpg", exif=exif)
    assert ldznet("mask", "turned.jpg", "fox", "--json").json["size"] == [8, 4]
    Image.new("RGB", (1, 1)).save(tmp_path / "dot.png")
    assert ldznet("mask", "dot.png", "fox", "--json").json["size"] == [1, 1]
    Image.new("RGB", (1, 9)).save(tmp_path / "line.png")
    assert ldznet("mask", "line.png", "fox", "--json").json["size"] == [9, 1]


def test_an_unknown_method_leaves_nothing(ldznet, fake, photo, tmp_path):
    assert "auto, ldznet" in ldznet("mask", photo, "fox", "--method", "magic", "-o", "out/deep").complaint
    assert names(tmp_path) == {photo.name}


def test_a_folder_that_cannot_be(ldznet, fake, photo, tmp_path):
    (tmp_path / "file").write_text("")
    assert "is a file" in ldznet("mask", photo, "fox", "-o", "file").complaint
    assert "out" in ldznet("mask", photo, "fox", "-o", "file/out").complaint
    assert "empty" in ldznet("mask", photo, "fox", "-o", "").complaint
    assert "nul" in ldznet("mask", photo, "fox", "-o", "nul\0byte").complaint
    assert not fake.asked


def test_names_too_long_for_a_file_system_are_cut(ldznet, fake, tmp_path):
    Image.new("RGB", (3, 2)).save(tmp_path / ("é" * 120 + ".png"))
    files = ldznet("mask", "é" * 120 + ".png", "fox", "--json").json["files"]
    assert all((tmp_path / name).is_file() and name.startswith("é" * 90) for name in files.values())


def test_the_flags_are_the_table_of_options():
    parser = argparse.ArgumentParser()
    mask.add_arguments(parser)
    defaults = vars(parser.parse_args(["photo.png", "fox"]))
    assert {name: defaults[name] for name in OPTION if name != "words"} == {
        name: option.default for name, option in OPTION.items() if name != "words"
    }
    told = " ".join(parser.format_help().split())
    assert all(option.help in told for name, option in OPTION.items() if name != "words")


def test_the_mask_is_shaped_and_the_answers_stay(ldznet, fake, photo, tmp_path):
    plain = ldznet("mask", photo, "fox", "--json").json
    shaped = ldznet("mask", photo, "fox", "--grow", "-2", "--feather", "1.5", "--invert", "--json", "-o", "out").json
    assert shaped["phrases"] == plain["phrases"]
    before, after = (np.asarray(Image.open(tmp_path / name)) for name in ("my photo_mask.png", "out/my photo_mask.png"))
    np.testing.assert_array_equal(after, 255 - blur(to_grey(grown(before > 0, -2)), 1.5))
    assert len(np.unique(after)) > 2
    assert fake.asked[1][1][1] == {"method": "auto", "threshold": None, "refine": True}


def test_nothing_found_is_not_inverted_and_that_is_said(ldznet, fake, photo, tmp_path):
    ran = ldznet("mask", photo, "owl", "--invert")
    assert ran.code == 0 and "stays empty and was not inverted" in ran.err
    assert not np.asarray(Image.open(tmp_path / "my photo_mask.png")).any()


def test_seed_and_timestep_reach_the_engine(ldznet, fake, photo):
    ldznet("mask", photo, "fox", "--seed", "3", "--timestep=300")
    assert fake.asked[0][1][1] == {"method": "auto", "threshold": None, "refine": True, "seed": 3, "timestep": 300}


def test_how_it_is_looked_at_reaches_the_engine(ldznet, fake, photo):
    ldznet("mask", photo, "fox", "--average", "4", "--parity")
    assert fake.asked[0][1][1] == {"method": "auto", "threshold": None, "refine": True, "average": 4, "parity": True}


@pytest.mark.parametrize(
    "flag", ["--grow=257", "--grow=1.5", "--feather=-1", "--feather=nan", "--timestep=1000", "--seed=-1"]
)
def test_a_setting_out_of_range_is_refused_by_name(ldznet, fake, photo, flag):
    assert flag[2:].split("=")[0] in ldznet("mask", photo, "fox", flag).complaint.lower()
    assert not fake.asked


def test_words_that_cannot_be_read_are_pointed_at(ldznet, fake, photo, tmp_path):
    for command in (
        ("mask", photo),
        ("generate", "a fox", "--mask"),
        ("edit", photo, "--prompt", "x", "--mask-prompt"),
    ):
        ran = ldznet(*command, "fox & & tail", "-o", "out")
        said, shown, caret = ran.err.removesuffix("\n").split("\n")
        assert (ran.code, ran.out) == (2, "") and said.startswith('After "&" stands "&"; expected a phrase')
        assert shown == "    fox & & tail" and caret == "          ^"
    assert not fake.asked and names(tmp_path) == {photo.name}


def test_the_terms_of_an_expression_are_told(ldznet, fake, photo, monkeypatch):
    ask = fake.segment

    def segment(picture, words, backbone, **settings):
        result = ask(picture, words, backbone, **settings)
        terms = ask(picture, ["fox", "owl"], backbone).phrases
        return replace(result, phrases=(replace(result.phrases[0], terms=terms), *result.phrases[1:]))

    monkeypatch.setattr(engine, "segment", segment)
    first, second = ldznet("mask", photo, "fox & !owl", "fox", "--json").json["phrases"]
    assert [(term["text"], term["status"]) for term in first["terms"]] == [("fox", "found"), ("owl", "not found")]
    assert list(first["terms"][0]) == ["text", "status", "score", "box", "area"] and "terms" not in second
    assert [line.split("  ")[:3] for line in ldznet("mask", photo, "fox & !owl").out.splitlines()[:3]] == [
        ["fox & !owl", "found, score 0.90, box 0,0 to 10,12, 120 pixels"],
        ["", "fox", ""],
        ["", "owl", ""],
    ]
