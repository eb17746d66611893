"""Files to take home: every export, named by the pattern, the recipe in the mask's own file; nothing where nothing is."""

import json

import numpy as np
import pytest

from ldznet_ext.app import actions, asking, saves
from ldznet_ext.app.room import Room
from ldznet_ext.errors import OptionError
from ldznet_ext.saving.exports import EXPORTS
from ldznet_ext.saving.recipe import Recipe, read
from tests.unit.app.conftest import moment


@pytest.fixture
def answered(room: Room, page: str) -> str:
    asking.find(room, page, "fox")
    actions.cut(room, page, {"grow": 1})
    actions.stroke(room, page, [(4, 5)], 1.0, erase=False, snap=False)
    return page


@pytest.mark.parametrize("kind", list(EXPORTS))
def test_every_export_has_a_name_and_content(room: Room, answered: str, kind: str) -> None:
    name, content = saves.export(moment(room, answered), kind)

    assert name == f"photo{EXPORTS[kind].suffix}"
    assert len(content) > 20


def test_the_recipe_in_the_mask_repeats_words_settings_and_hand(room: Room, answered: str, tmp_path) -> None:
    name, content = saves.export(moment(room, answered), "mask", "{words}_{seed}")
    (tmp_path / name).write_bytes(content)
    recipe = read(tmp_path / name)

    assert name == "fox_0_mask.png"
    assert recipe.words == ("fox",) and recipe.settings.grow == 1 and recipe.edits == moment(room, answered).edits
    assert recipe.picture == "photo.png"


def test_a_mask_drawn_by_hand_alone_is_saved_too(room: Room, page: str) -> None:
    actions.stroke(room, page, [(4, 3)], 1.0, erase=False, snap=False)
    name, content = saves.export(moment(room, page), "coco")

    assert name == "photo_coco.json"
    assert json.loads(content)["annotations"][0]["area"] == np.count_nonzero(saves.item_for(moment(room, page)).mask)
    assert isinstance(saves.recipe_for(moment(room, page)), Recipe)


def test_a_pattern_makes_no_folders(room: Room, answered: str) -> None:
    assert saves.export(moment(room, answered), "mask", "a/../b/{picture}")[0] == "a_b_photo_mask.png"


@pytest.mark.parametrize("kind, pattern", [("exe", ""), ("mask", "{secret}")])
def test_what_cannot_be_saved_is_a_sentence(room: Room, answered: str, kind: str, pattern: str) -> None:
    with pytest.raises(OptionError):
        saves.export(moment(room, answered), kind, pattern)


def test_nothing_is_saved_before_anything_is_found(room: Room, page: str) -> None:
    for make in (saves.item_for, saves.recipe_for):
        with pytest.raises(OptionError, match=r"expected (a mask|one)"):
            make(moment(room, page))
