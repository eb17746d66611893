"""Recipes: the shipped ones parse and fit the code, wrong ones are refused with a sentence."""

import pytest

from ldznet_ext.errors import OptionError
from ldznet_ext.train.cli import KINDS
from ldznet_ext.train.recipe import FOLDER, Phase, load_recipe, parse_recipe

SHIPPED = sorted(path.stem for path in FOLDER.glob("*.toml"))
ONE = {"kind": "head", "steps": 4, "phases": [{"share": 1.0, "size": 64, "batch": 2, "rate": 1e-3}]}


def test_every_kind_has_its_recipe():
    assert set(KINDS) <= set(SHIPPED)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_recipe_parses(name):
    recipe = load_recipe(name)
    assert recipe.kind in KINDS
    assert recipe.precision in ("no", "bf16", "fp16")
    assert all(phase.size % 64 == 0 and phase.batch > 0 and 0 < phase.rate < 0.1 for phase in recipe.phases)
    assert 0 <= recipe.decay < 1 and 0.9 < recipe.ema < 1
    assert parse_recipe(recipe.as_dict()) == recipe


def test_the_diffusion_recipe_is_sticker_sds():
    model = load_recipe("diffusion").model
    assert model["channels"] == [64, 128, 192, 192]
    assert load_recipe("diffusion").data["concepts"] == "known"


def test_a_file_of_ones_own(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('kind = "head"\nminutes = 2\n[[phases]]\nshare = 1.0\nsize = 64\nbatch = 2\nrate = 1e-3\n')
    recipe = load_recipe(path)
    assert recipe.phases == (Phase(share=1.0, size=64, batch=2, rate=1e-3),)
    assert (recipe.minutes, recipe.steps) == (2, None)


def test_another_budget_replaces_the_recipes():
    recipe = parse_recipe(ONE)
    assert recipe.with_budget() is recipe
    assert (recipe.with_budget(minutes=3).minutes, recipe.with_budget(minutes=3).steps) == (3, None)
    assert (recipe.with_budget(steps=9).minutes, recipe.with_budget(steps=9).steps) == (None, 9)


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"minutes": 3}, "one of the two"),
        ({"steps": None}, "one of the two"),
        ({"phases": [{"share": 0.9, "size": 64, "batch": 2, "rate": 1e-3}]}, "add up to 1"),
        ({"speed": 3}, "unknown settings speed"),
    ],
)
def test_a_wrong_recipe_is_refused(changes, words):
    with pytest.raises(OptionError, match=words):
        parse_recipe({**ONE, **changes})


def test_a_recipe_that_is_not_there_names_those_that_are():
    with pytest.raises(OptionError, match=", ".join(SHIPPED)):
        load_recipe("upscaler")
