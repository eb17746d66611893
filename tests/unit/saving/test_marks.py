"""Marks: the same for the same, another for anything that would give another mask."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from ldznet_ext.saving.marks import facts_of, head_mark, pixels_mark, place_mark, weights_mark


@pytest.fixture
def backbone() -> SimpleNamespace:
    torch.manual_seed(0)
    unet = nn.Sequential(nn.Linear(70, 9), nn.Linear(9, 3))
    return SimpleNamespace(
        name="tiny",
        unet=unet,
        vae=nn.Linear(3, 5),
        text_encoder=nn.Linear(2, 4),
        device=torch.device("cpu"),
        dtype=torch.float32,
    )


def test_weights_have_the_same_mark_in_every_precision(backbone):
    mark = weights_mark(backbone)
    assert len(mark) == 16 and weights_mark(backbone) == mark
    backbone.unet.half()
    assert weights_mark(backbone) == mark


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder"])
def test_a_change_of_any_part_is_seen(backbone, part):
    mark = weights_mark(backbone)
    with torch.no_grad():
        for parameter in getattr(backbone, part).parameters():
            parameter += 0.01 * torch.randn_like(parameter)
    assert weights_mark(backbone) != mark


def test_a_low_rank_change_of_one_matrix_is_seen(backbone):
    mark = weights_mark(backbone)
    with torch.no_grad():
        backbone.unet[0].weight += 0.05 * torch.randn(9, 1) @ torch.randn(1, 70)
    assert weights_mark(backbone) != mark


def test_what_cannot_be_looked_at_has_no_mark(backbone):
    assert weights_mark(SimpleNamespace(name="host's")) == ""
    backbone.vae = nn.Linear(3, 5, device="meta")
    assert weights_mark(backbone) == ""
    assert place_mark(backbone) == "cpu float32" and place_mark(SimpleNamespace()) == ""


def test_a_head_is_found_beside_its_model_first(backbone, tmp_path, monkeypatch):
    for folder, content in (("models", b"one"), ("own", b"other")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "head.safetensors").write_bytes(content)
    monkeypatch.setenv("LDZNET_MODELS", str(tmp_path / "models"))
    shared = head_mark("head.safetensors")
    backbone.folder = tmp_path / "own"
    assert len(shared) == 10 and head_mark("head.safetensors", backbone) not in ("", shared)
    assert head_mark("absent.safetensors", backbone) == head_mark("") == ""
    segmenter = SimpleNamespace(name="ldznet", source="head.safetensors")
    assert facts_of(backbone, segmenter) | {"weights": "", "head_weights": ""} == {
        "method": "ldznet", "model": "tiny", "weights": "", "head": "head.safetensors", "head_weights": "",
        "place": "cpu float32",
    }  # fmt: skip


def test_pixels_and_their_size_have_a_mark():
    picture = np.arange(30, dtype=np.uint8).reshape(2, 5, 3)
    assert pixels_mark(picture) == pixels_mark(picture[:, ::-1][:, ::-1]) and len(pixels_mark(picture)) == 64
    assert pixels_mark(picture.reshape(5, 2, 3)) != pixels_mark(picture) != pixels_mark(picture + np.uint8(1))
