"""`ldznet train`: options into a recipe, the folder, the exit code."""

import argparse

import pytest

from ldznet_ext.train import cli, loop
from ldznet_ext.train.cli import KINDS, add_arguments, run
from ldznet_ext.train.recipe import load_recipe


@pytest.fixture
def asked(monkeypatch):
    """What `train` was called with."""
    calls = []
    monkeypatch.setattr(loop, "train", lambda task, recipe, out, **rest: calls.append((recipe, out, rest)) or out)
    monkeypatch.setattr(cli, "build_task", lambda recipe: recipe.kind)
    return calls


def options(*argv):
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args(argv)


def test_options_change_the_recipe(asked):
    args = options(
        "head", "--minutes", "3", "--precision", "bf16", "--batch-scale", "0.5", "--fresh", "--device", "cpu"
    )
    assert run(args) == 0
    ((recipe, out, rest),) = asked
    assert (recipe.kind, recipe.minutes, recipe.steps, recipe.precision) == ("head", 3, None, "bf16")
    assert [phase.batch for phase in recipe.phases] == [
        max(1, round(phase.batch / 2)) for phase in load_recipe("head").phases
    ]
    assert str(out).replace("\\", "/") == "runs/head"
    assert rest == {"resume": False, "device": "cpu"}


def test_a_file_of_ones_own_names_the_folder(asked, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('kind = "classifier"\nsteps = 9\n[[phases]]\nshare = 1.0\nsize = 64\nbatch = 1\nrate = 1e-3\n')
    run(options("classifier", "--recipe", str(path), "--steps", "2", "--batch-scale", "0.1"))
    ((recipe, out, _),) = asked
    assert (recipe.steps, recipe.phases[0].batch, out.name) == (2, 1, "mine")


def test_every_kind_is_offered():
    assert [options(kind).kind for kind in KINDS] == list(KINDS)
    with pytest.raises(SystemExit):
        options("upscaler")


def test_a_task_is_built_by_kind(tmp_path):
    from ldznet_ext.train.classifier import ClassifierTask
    from ldznet_ext.train.recipe import load_recipe

    assert isinstance(cli.build_task(load_recipe("classifier")), ClassifierTask)
