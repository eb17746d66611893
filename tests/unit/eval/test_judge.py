"""The judge: what it sees, what it ranks, its file."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from ldznet_ext.errors import DataError, ModelError
from ldznet_ext.eval.judge import Judge, find_judge, load_judge
from ldznet_ext.train.classifier import Classifier, class_names

NAMES = ("fox", "owl", "house")


def brightness(pictures):
    """Sees the channels: red as a fox, green as an owl, blue as a house."""
    return pictures.mean((1, 2)).astype(np.float32) - 100


JUDGE = Judge(look=brightness, names=NAMES)


def picture(*colour):
    return np.full((4, 6, 3), colour, np.uint8)


def test_seen_is_above_zero_and_each_for_itself():
    both = picture(200, 150, 20)
    assert [JUDGE.sees(both, name) for name in NAMES] == [True, True, False]
    assert JUDGE.strongest(both) == "fox"


def test_ranks_count_the_stronger_ones():
    pictures = np.stack([picture(200, 150, 20), picture(10, 20, 30)])
    assert JUDGE.ranks(pictures, ["owl", "house"]) == [1, 0]
    with pytest.raises(DataError, match="does not know 'cat'"):
        JUDGE.ranks(pictures, ["cat", "fox"])


@pytest.fixture
def file(tmp_path):
    torch.manual_seed(0)
    meta = {"classes": json.dumps(class_names()), "width": "8", "top1": "0.96"}
    path = tmp_path / "classifier.safetensors"
    save_file(Classifier(84, 8).state_dict(), path, metadata=meta)
    return path


def test_a_file_becomes_a_judge(file):
    judge = load_judge(file)
    assert (len(judge.names), judge.accuracy) == (84, 0.96)
    pictures = np.random.default_rng(0).integers(0, 255, (2, 40, 40, 3), np.uint8)
    together, alone = judge.look(pictures), judge.look(pictures[1:])
    assert together.shape == (2, 84)
    np.testing.assert_allclose(together[1], alone[0], atol=1e-4)  # batch norm is at rest
    assert judge.mark and judge.mark == load_judge(file).mark


def test_a_file_that_is_no_classifier_is_refused(tmp_path):
    path = tmp_path / "x.safetensors"
    save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(ModelError, match="no classifier"):
        load_judge(path)
    with pytest.raises(ModelError, match="does not exist"):
        load_judge(tmp_path / "none.safetensors")


def test_where_it_is_looked_for(file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LDZNET_MODELS", str(tmp_path / "nowhere"))
    assert find_judge(file) == file
    monkeypatch.setattr("ldznet_ext.eval.judge.find_model", lambda name: None)
    assert find_judge() is None
    trained = tmp_path / "runs" / "classifier"
    trained.mkdir(parents=True)
    file.rename(trained / "classifier.safetensors")
    assert find_judge().name == "classifier.safetensors"
