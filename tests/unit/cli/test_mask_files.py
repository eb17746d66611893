"""What `ldznet mask` saves of one picture, under which names, and that a saved mask is repeated."""

import json
import zipfile

import numpy as np
import pytest
from PIL import Image

from ldznet_ext.saving.kinds import KINDS
from ldznet_ext.saving.recipe import Recipe, read


def names(folder) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_every_kind_can_be_saved_and_the_usual_ones_are_not_saved_then(ldznet, fake, photo, tmp_path):
    files = ldznet("mask", photo, "fox", "owl", "--save", ",".join(KINDS), "-o", "all", "--json").json["files"]
    assert list(files) == list(KINDS) and names(tmp_path / "all") == set(files.values())
    assert ldznet("mask", photo, "fox", "--save", "ora,cutout", "-o", "two").code == 0
    assert names(tmp_path / "two") == {"my photo.ora", "my photo_cutout.png"}
    assert "PSD".lower() in ldznet("mask", photo, "fox", "--save", "mask,PSD", "-o", "none").complaint
    assert not (tmp_path / "none").exists() and len(fake.asked) == 2
    with zipfile.ZipFile(tmp_path / "two/my photo.ora") as ora:
        assert b'name="fox"' in ora.read("stack.xml")


def test_a_mask_carries_its_recipe(ldznet, fake, photo, tmp_path):
    ldznet("mask", photo, "fox & tail", "--grow", "2", "--threshold", "0.3")
    recipe = read(tmp_path / "my photo_mask.png")
    assert (recipe.words, recipe.settings.grow, recipe.settings.threshold) == (("fox & tail",), 2, 0.3)
    assert (recipe.picture, recipe.model, recipe.settings.method) == ("my photo.png", "fake-sd", "ldznet")


def test_files_named_by_a_pattern_are_never_written_over_unless_asked(ldznet, fake, photo, tmp_path):
    call = ("mask", photo, "fox", "--save", "mask,prob", "--pattern", "{kind}/{picture}_{words}", "-o", "out", "--json")
    assert ldznet(*call).json["files"] == {"mask": "mask/my photo_fox.png", "prob": "prob/my photo_fox.png"}
    (tmp_path / "out/prob/my photo_fox.png").unlink()
    assert ldznet(*call).json["files"]["prob"] == "prob/my photo_fox-2.png"  # both are numbered alike
    assert ldznet(*call, "--overwrite").json["files"]["mask"] == "mask/my photo_fox.png"
    assert "{phrase}" in ldznet(*call[:5], "--pattern", "{phrase}").complaint
    ldznet("mask", photo, "fox", "--save", "mask", "--pattern", "../../{picture}", "-o", "deep/er")
    assert names(tmp_path / "deep/er") == {"my photo_mask.png"}


@pytest.mark.parametrize("choice, files, code", [("empty", 3, 0), ("skip", 0, 0), ("fail", 0, 3)])
def test_what_is_not_found(ldznet, fake, photo, tmp_path, choice, files, code):
    ran = ldznet("mask", photo, "owl", "-o", "out", "--not-found", choice)
    assert ran.code == code and "owl  not found" in ran.out
    assert len(names(tmp_path / "out")) == files and ("Wrote nothing" in ran.out) == (not files)
    assert ldznet("mask", photo, "owl", "fox", "-o", "some", "--not-found", choice).code == 0
    assert len(names(tmp_path / "some")) == 3


def test_a_saved_mask_is_repeated_and_the_file_is_left_alone(ldznet, fake, photo, tmp_path):
    ldznet("mask", photo, "fox", "owl", "--grow", "-2", "--feather", "1.5", "--threshold", "0.3", "-o", "out")
    file = tmp_path / "out/my photo_mask.png"
    before = file.read_bytes()
    ran = ldznet(
        "mask", "--from", "out/my photo_mask.png", "-o", "out", "--json"
    )  # the picture lies here, not beside it
    assert fake.asked[1][1] == (("fox", "owl"), {"method": "ldznet", "threshold": 0.3, "refine": True})
    assert ran.json["repeats"] == {"file": "out/my photo_mask.png", "pixels_off": 0, "differences": []}
    assert "same, pixel for pixel" in ran.err and ran.json["files"]["mask"] == "my photo-2_mask.png"
    assert file.read_bytes() == before == (tmp_path / "out/my photo-2_mask.png").read_bytes()


def test_a_recipe_in_a_file_of_its_own_and_a_cut_out_repeat_too(ldznet, fake, photo, tmp_path):
    ldznet("mask", photo, "fox", "--feather", "2", "--save", "recipe,cutout,coco")
    for kind, off in (("recipe.json", None), ("cutout.png", 0), ("coco.json", None)):
        ran = ldznet("mask", "--from", f"my photo_{kind}", "--save", "mask", "-o", kind, "--json")
        assert ran.json["repeats"]["pixels_off"] == off and names(tmp_path / kind) == {"my photo_mask.png"}


def test_what_is_not_as_it_was_is_said(ldznet, fake, photo, tmp_path):
    ldznet("mask", photo, "fox", "-o", "out")
    Image.new("RGB", (20, 12), (1, 2, 3)).save(tmp_path / "other.png")
    fake.name = "another-sd"
    ran = ldznet("mask", "--from", "out/my photo_mask.png", "other.png", "--grow", "1")
    assert "Another model: it was fake-sd, now it is another-sd." in ran.err
    assert "pixels are not those" in ran.err and "differs from that file's in 12 pixels" in ran.err
    assert (tmp_path / "other_mask.png").is_file()


def test_words_and_settings_may_be_changed_while_repeating(ldznet, fake, photo):
    ldznet("mask", photo, "fox", "--grow", "3", "--threshold", "0.3")
    ldznet("mask", "--from", "my photo_mask.png", "my photo.png", "tail", "--threshold", "0.4")
    assert fake.asked[1][1] == (("tail",), {"method": "ldznet", "threshold": 0.4, "refine": True})


def test_a_default_that_is_said_replaces_what_the_recipe_says(ldznet, fake, photo, tmp_path):
    ldznet("mask", photo, "fox", "--grow", "-2", "--feather", "2", "--cut", "hysteresis")
    ldznet("mask", "--from", "my photo_mask.png", "--grow", "0", "--cut", "fixed", "-o", "out")
    settings = read(tmp_path / "out/my photo_mask.png").settings
    assert (settings.grow, settings.feather, settings.cut) == (0, 2, "fixed")


def test_what_was_drawn_by_hand_is_repeated(ldznet, fake, photo, tmp_path):
    from ldznet_ext.masks.edits import Edits

    ldznet("mask", photo, "fox", "--save", "recipe")
    recipe = read(tmp_path / "my photo_recipe.json")
    drawn = np.zeros((12, 20), bool)
    drawn[:3, 15:] = True
    mapping = {**recipe.to_mapping(), "edits": Edits(add=drawn).to_mapping()}
    (tmp_path / "by hand.json").write_text(json.dumps(mapping))
    ldznet("mask", "--from", "by hand.json", "--save", "mask")
    mask = np.asarray(Image.open(tmp_path / "my photo_mask.png")) > 0
    assert mask[:3, 15:].all() and not mask[3:, 15:].any() and mask[:, :10].all()
    assert read(tmp_path / "my photo_mask.png") == Recipe.from_mapping(mapping)


def test_what_cannot_be_repeated_is_a_sentence(ldznet, fake, photo, tmp_path):
    ldznet("mask", photo, "fox", "-o", "far/off")
    photo.rename(tmp_path / "renamed.png")
    assert (
        "'my photo.png', which it names, is neither beside it nor here"
        in ldznet("mask", "--from", "far/off/my photo_mask.png").complaint
    )
    assert "without a recipe" in ldznet("mask", "--from", "renamed.png").complaint
    assert "absent.png" in ldznet("mask", "--from", "absent.png").complaint
    (tmp_path / "example.json").write_text(
        '{"format": "ldznet-recipe-1", "words": ["x"], "settings": {"method": "example"}}'
    )
    assert "ldznet like" in ldznet("mask", "--from", "example.json", "renamed.png").complaint
    assert len(fake.asked) == 1


def test_masks_of_other_commands_carry_their_recipe_too(ldznet, fake, photo, tmp_path):
    made = ldznet("generate", "a fox", "--mask", "fox", "--seed", "4", "--json", "-o", "out").json["images"][0]
    recipe = read(tmp_path / "out" / made["files"]["mask"])
    assert (recipe.words, recipe.picture) == (("fox",), made["image"])
    ldznet("edit", photo, "--mask-prompt", "fox", "--prompt", "an owl", "-o", "edited")
    assert read(tmp_path / "edited/my photo_mask.png").picture == "my photo.png"
    assert "same, pixel for pixel" in ldznet("mask", "--from", "edited/my photo_mask.png", "-o", "again").err
