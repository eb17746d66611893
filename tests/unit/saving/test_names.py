"""Names by a pattern: filled, safe, inside their folder, and never one that is taken."""

from pathlib import PureWindowsPath

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ldznet_ext.errors import OptionError
from ldznet_ext.request import MaskSettings
from ldznet_ext.saving.exports import Item
from ldznet_ext.saving.kinds import KINDS
from ldznet_ext.saving.names import PLACEHOLDERS, check_pattern, file_names, name, safe, spoken
from ldznet_ext.saving.recipe import Recipe


def item(stem: str = "photo", words: tuple[str, ...] = ("fox & !tail",), model: str = "sticker-sd") -> Item:
    recipe = Recipe(words=words, settings=MaskSettings(seed=7, method="ldznet"), model=model)
    return Item(picture=np.zeros((3, 5, 3), np.uint8), mask=np.zeros((3, 5), np.uint8), recipe=recipe, stem=stem)


def test_every_placeholder_is_filled():
    pattern = "_".join(f"{{{one}}}" for one in PLACEHOLDERS)
    assert name(pattern, item(), 12, "mask") == "photo_fox-tail_7_0012_ldznet_sticker-sd_5_3_mask"


def test_the_kind_ends_a_name_unless_the_pattern_says_where():
    kinds = [KINDS[one] for one in ("mask", "ora", "coco")]
    assert list(file_names("{picture}", item(), 1, kinds).values()) == [
        "photo_mask.png",
        "photo.ora",
        "photo_coco.json",
    ]
    assert file_names("{kind}s/{number}", item(), 3, kinds) == {
        "mask": "masks/0003.png", "ora": "oras/0003.ora", "coco": "cocos/0003.json",
    }  # fmt: skip


def test_where_one_name_is_taken_all_are_numbered_together():
    kinds = [KINDS["mask"], KINDS["ora"]]
    taken = {"photo.ora", "photo-2_mask.png", "mask/photo.png"}.__contains__
    assert file_names("{picture}", item(), 1, kinds, taken) == {"mask": "photo-3_mask.png", "ora": "photo-3.ora"}
    assert file_names("{kind}/{picture}", item(), 1, kinds, taken)["ora"] == "ora/photo-2.ora"


@pytest.mark.parametrize(
    "pattern, said",
    [("{phrase}", "{phrase}"), ("{}", "{}"), ("{picture", "bracket"), ("a}", "bracket"), ("", "nothing"), ("../..", "nothing"),
     ("{{picture}}", "bracket")],
)  # fmt: skip
def test_a_pattern_that_names_nothing_is_refused(pattern, said):
    with pytest.raises(OptionError, match="expected") as caught:
        check_pattern(pattern)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "stem, expected",
    [("CON", "CON_"), ("nul.tar", "nul.tar_"), ("COM1", "COM1_"), ("com\u00b9", "com\u00b9_"), ("console", "console"),
     ("a:b*c?", "a_b_c_"), ("end. ", "end"), ("..", "_"), ("", "_"), ("a/b\\c", "a_b_c"), ("cafe\u0301", "caf\u00e9"),
     ("狐狸", "狐狸"), ("a\u202eb\x00", "a b_")],
)  # fmt: skip
def test_names_are_safe(stem, expected):
    assert safe(stem) == expected == name("{picture}", item(stem), 1)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=30), st.text(max_size=300), st.text(max_size=30))
def test_no_value_and_no_pattern_leaves_the_folder(before, stem, model):
    pattern = before.replace("{", "").replace("}", "") + "/{picture}/../{model}_{words}"
    made = name(pattern, item(stem, (stem or "x", model or "y"), model), 1)
    path = PureWindowsPath(made)
    assert not path.is_absolute() and not path.drive and not path.is_reserved()
    for part in made.split("/"):
        assert part not in ("", ".", "..") and part == part.strip(" .") and len(part.encode()) <= 201
        assert not set(part) & set('<>:"\\|?*') and all(ord(one) >= 32 for one in part)


def test_long_words_are_cut_and_told_apart():
    one, other = spoken(("a fox " * 40,)), spoken(("a fox " * 40 + "!",))
    assert one != other and one.startswith("a-fox-a-fox") and len(one) < 70
    assert spoken(("!?",)) == "words" and spoken(("狐狸 & 尾",)) == "狐狸-尾"
