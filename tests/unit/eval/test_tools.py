"""The real tools around a tiny model: a head opened by its file, img2img, and a mark that follows the weights."""

import json

import numpy as np
import pytest

from ldznet_ext.errors import HeadError, ModelError
from ldznet_ext.eval import tools
from ldznet_ext.eval.plan import Budget
from ldznet_ext.weights import read_info
from tests import tiny


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return tiny.write_models(tmp_path_factory.mktemp("models"))


@pytest.fixture
def kit(models, monkeypatch):
    monkeypatch.setenv("LDZNET_MODELS", str(models))
    return tools.default_tools()


def test_what_is_found(kit, models):
    assert kit.shipped == models / "ldznet-sticker.safetensors"
    assert kit.model.startswith("sticker-sd ")


def test_a_head_is_opened_by_its_own_kind(kit, models):
    picture = np.random.default_rng(0).integers(0, 255, (60, 90, 3), np.uint8)
    result = kit.open(models / "ldznet-sticker.safetensors", False)(picture, ["fox", "owl"])
    assert result.method == "ldznet"
    assert result.provenance["refined"] is False
    assert [one.prob.shape for one in result.phrases] == [(60, 90)] * 2


def test_img2img_is_seeded_and_weaker_at_a_lower_strength(kit):
    picture = np.full((128, 128, 3), 90, np.uint8)
    weak, again, strong = (kit.redraw(picture, "a fox", strength, 3) for strength in (0.1, 0.1, 0.9))
    assert weak.shape == picture.shape
    assert weak.dtype == np.uint8
    np.testing.assert_array_equal(weak, again)
    assert (weak != strong).any()


def test_networks_are_trained_alike_but_for_their_kind(kit, models, monkeypatch, tmp_path):
    from ldznet_ext.train import cli, loop

    recipes = []

    def train(task, recipe, out):
        recipes.append(recipe)
        tiny.write_head(out / "any-name.safetensors", recipe.model["head"])
        return out

    monkeypatch.setattr(loop, "train", train)
    monkeypatch.setattr(cli, "build_task", lambda recipe: None)
    for kind in ("znet", "ldznet"):
        kit.train(kind, 2, Budget(minutes=1.5), tmp_path / f"{kind}-seed2.safetensors")
        assert read_info(tmp_path / f"{kind}-seed2.safetensors").kind == kind
    one, two = (recipe.as_dict() for recipe in recipes)
    assert one["model"].pop("head") != two["model"].pop("head")
    assert one == two
    assert (one["minutes"], one["steps"], one["data"]["styles"]) == (1.5, None, ["fluent"])
    assert one["model"]["sticker_sd"] == str(models / "sticker-sd")


def test_a_model_to_train_from_must_be_a_folder(models, monkeypatch):
    monkeypatch.setenv("LDZNET_MODELS", str(models))
    with pytest.raises(ModelError, match="not a folder"):
        tools._folder("ldznet-sticker")


def test_the_mark_changes_with_the_weights(models, monkeypatch, tmp_path):
    monkeypatch.setenv("LDZNET_MODELS", str(models))
    one = tools._weights(None)
    monkeypatch.setenv("LDZNET_MODELS", str(tmp_path))
    tiny.write_model(tmp_path / "sticker-sd", seed=5)
    assert tools._weights(None) != one


def test_the_exported_head_is_told_from_the_checkpoint(tmp_path, models):
    checkpoint = models / "sticker-sd" / "unet" / "diffusion_pytorch_model.safetensors"
    (tmp_path / "checkpoint.safetensors").write_bytes(checkpoint.read_bytes())
    with pytest.raises(HeadError, match="left no head"):
        tools._exported(tmp_path, "znet")
    path = tiny.write_head(tmp_path / "znet.safetensors", "znet")
    assert tools._exported(tmp_path, "znet") == path


def test_the_model_paints_finds_repaints_and_gives_back(kit):
    pictures = kit.paint(["a fox", "an owl"], [0, 1])
    assert (pictures.shape, pictures.dtype) == ((2, 128, 128, 3), np.uint8)
    np.testing.assert_allclose(kit.paint(["an owl"], [1])[0].astype(int), pictures[1].astype(int), atol=2)
    mask = np.zeros((128, 128), bool)
    mask[40:80, 40:90] = True
    edited = kit.repaint(pictures[0], mask, "an owl", 2)
    assert (edited != pictures[0]).any()
    np.testing.assert_array_equal(edited[:20], pictures[0][:20])
    assert kit.find(pictures[0], "fox").shape == (128, 128)
    again = kit.reconstruct(pictures[0])
    assert (again.shape, again.dtype) == (pictures[0].shape, np.uint8)


def test_without_a_classifier_there_is_no_judge(kit, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("ldznet_ext.eval.judge.find_model", lambda name: None)
    assert tools.default_tools().judge is None
    with pytest.raises(ModelError, match="does not exist"):
        tools.default_tools(classifier=tmp_path / "classifier.safetensors")


def test_methods_without_a_head_stand_beside_the_one_that_ships(kit):
    made, picture = kit.untrained, np.random.default_rng(0).integers(0, 255, (64, 96, 3), np.uint8)
    assert list(made.segment) == ["attention", "maskdiffusion", "noise_difference", "ldznet"]
    assert set(made.label) == {"attention", "maskdiffusion", "ldznet"}
    assert {*made.segment, "example", "trials", "costs", "seconds"} <= set(made.marks)
    assert len({made.marks[name] for name in ("attention", "maskdiffusion", "noise_difference", "example")}) == 4
    assert made.segment["attention"](picture, ["fox"]).method == "attention"
    labelled = made.label["ldznet"](picture, ["fox", "snow"])
    assert (labelled.method, labelled.labels.shape) == ("ldznet", (64, 96))
    example = np.zeros((64, 96), bool)
    example[8:40, 16:48] = True
    assert made.search["click"](picture, example, None).method == "example"
    assert set(made.calibrated) == {"attention", "maskdiffusion", "noise_difference", "example"}


def test_a_mark_changes_with_the_scores_that_were_measured(kit, models):
    from ldznet_ext.segmenters.scores import Scoring

    written = models / "attention-sticker.json"
    written.write_text(json.dumps(Scoring(found_threshold=0.25).to_dict()))
    changed = tools.default_tools().untrained.marks
    written.unlink()
    differing = {name for name in changed if changed[name] != kit.untrained.marks[name]}
    assert differing == {"attention", "seconds"}
