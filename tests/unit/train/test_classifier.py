"""The judge: its labels, its shapes, its file."""

import json

import numpy as np
import pytest
import torch
from safetensors import safe_open

from ldznet_ext.train import classifier
from ldznet_ext.train.classifier import (
    Classifier,
    ClassifierTask,
    LabelledScenes,
    class_names,
    load_classifier,
    top_accuracy,
)
from ldznet_ext.train.loop import train
from ldznet_ext.train.recipe import load_recipe, parse_recipe
from ldznet_ext.world.scenes import scene


def recipe(**changes):
    settings = {
        "kind": "classifier",
        "steps": 2,
        "warmup": 0,
        "sample_minutes": 999.0,
        "phases": [{"share": 1.0, "size": 64, "batch": 4, "rate": 1e-3}],
        "model": {"width": 8},
    }
    return parse_recipe({**settings, **changes})


def test_84_objects_and_a_logit_for_each():
    assert len(class_names()) == len(set(class_names())) == 84
    for width in (8, load_recipe("classifier").model["width"]):
        assert Classifier(84, width)(torch.zeros(2, 3, 256, 256)).shape == (2, 84)


def test_pictures_of_other_sizes_are_averaged_down():
    model = Classifier(5, 8).eval()
    small = torch.rand(1, 3, 128, 128)
    large = small.repeat_interleave(2, 2).repeat_interleave(2, 3)
    torch.testing.assert_close(model(large), model(small), rtol=1e-4, atol=1e-4)


def test_labels_are_the_scenes_objects():
    data, names = LabelledScenes(seed=3, size=64), class_names()
    for index in range(6):
        labels = data[index]["labels"]
        things = scene(3, index, concepts="known", size=64).objects
        assert {names[n] for n in labels.nonzero().flatten()} == {thing.concept.name for thing in things}
        assert labels.max() <= 1


def test_a_training_leaves_a_file_that_loads(tmp_path, monkeypatch):
    monkeypatch.setattr(classifier, "top_accuracy", lambda module, scenes: 0.25)
    task = ClassifierTask(recipe())
    before = {name: value.clone() for name, value in task.module.state_dict().items()}
    train(task, recipe(), tmp_path, device="cpu")
    model, names = load_classifier(tmp_path / "classifier.safetensors")
    assert names == class_names()
    assert not model.training
    with safe_open(tmp_path / "classifier.safetensors", framework="pt") as file:
        assert file.metadata()["top1"] == "0.25"
        assert json.loads(file.metadata()["classes"])[0] == names[0]
    assert not torch.equal(model.state_dict()["last.weight"], before["last.weight"])


def test_accuracy_counts_the_n_strongest(monkeypatch):
    names = class_names()

    class Oracle(torch.nn.Module):
        """Knows scene n of the test split by the order it is asked in; `wrong` spoils every answer."""

        def __init__(self, wrong):
            super().__init__()
            self.weight, self.wrong, self.asked = torch.nn.Parameter(torch.zeros(1)), wrong, -1

        def forward(self, pixels):
            self.asked += 1
            while not (things := scene(0, self.asked, split="test", concepts="known", size=256).objects):
                self.asked += 1
            logits = torch.zeros(1, len(names))
            logits[0, [names.index(thing.concept.name) for thing in things]] = 1.0
            return -logits if self.wrong else logits

    assert top_accuracy(Oracle(False), scenes=4) == 1
    assert top_accuracy(Oracle(True), scenes=4) == 0


def test_the_loss_asks_for_each_object_alone():
    task = ClassifierTask(recipe())
    task.module = lambda pixels: torch.full((2, 84), -20.0).index_fill(1, torch.tensor([3]), 20.0)
    labels = torch.zeros(2, 84)
    labels[:, 3] = 1
    right = task.loss({"pixels": torch.zeros(2, 3, 4, 4), "labels": labels}, torch.Generator(), 0.0)
    assert float(right["loss"]) == pytest.approx(0, abs=1e-6)
    assert float(right["recall"]) == 1
    wrong = task.loss({"pixels": torch.zeros(2, 3, 4, 4), "labels": 1 - labels}, torch.Generator(), 0.0)
    assert float(wrong["recall"]) == 0
    assert np.isfinite(float(wrong["loss"]))
