"""The protocol; and that importing the package costs no torch."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from ldznet_ext.backbone import Conditioning, default_backbone, load_backbone
from ldznet_ext.hosts.standalone import StandaloneBackbone


def test_everything_the_protocol_names_is_there(backbone: StandaloneBackbone) -> None:
    from ldznet_ext.backbone import Backbone

    names = {*Backbone.__annotations__, *(name for name in vars(Backbone) if not name.startswith("_"))}
    assert names > {"encode", "predict", "unet_calls", "native"}
    assert all(hasattr(backbone, name) for name in names)


def test_text_states_are_those_of_each_phrase_alone(backbone: StandaloneBackbone) -> None:
    together = backbone.text(["fox", "owl", "fox"])
    assert together.shape == (3, 77, 32)
    backbone.caches.clear()
    assert torch.equal(together[1:2], backbone.text(["owl"])) and torch.equal(together[0], together[2])


def test_changed_weights_are_seen_by_the_text_cache(backbone: StandaloneBackbone) -> None:
    before = backbone.text(["fox"])
    backbone.text_encoder.final_layer_norm.weight.data *= 2
    backbone.text_encoder.encoder.layers[0].mlp.fc1.weight.data *= 2
    assert not torch.equal(backbone.text(["fox"]), before)


def test_the_default_is_loaded_once_for_each_setting(
    backbone: StandaloneBackbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = default_backbone()
    assert default_backbone() is first
    assert load_backbone() is not first


def test_a_mask_imports_no_slow_library(models: Path) -> None:
    """A cold command has six seconds; each of these would take one to three of them."""
    code = (
        "import sys, numpy, ldznet_ext; ldznet_ext.segment(numpy.zeros((64, 64, 3), numpy.uint8), 'fox');"
        "print([name for name in ('diffusers', 'transformers', 'torch._dynamo', 'skimage') if name in sys.modules])"
    )
    environment = {**os.environ, "LDZNET_MODELS": str(models)}
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, env=environment)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("module", ["backbone", "sampling", "weights", "caches", "request", "result"])
def test_light_modules_do_not_import_torch(module: str) -> None:
    code = f"import sys, ldznet_ext.{module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_conditioning_keeps_its_rows_and_vectors_together() -> None:
    states, vector = torch.arange(12.0).view(2, 3, 2), torch.tensor([[1.0], [2.0]])
    both = Conditioning(states, vector)
    assert len(both) == 2 and torch.equal(both[1:].states, states[1:]) and both[1:].vector.tolist() == [[2.0]]  # type: ignore[union-attr]
    many = both[:1].expand(3)
    assert many.states.shape == (3, 3, 2) and many.vector.tolist() == [[1.0]] * 3  # type: ignore[union-attr]
    joined = Conditioning.join([both[1:], both[:1]])
    assert torch.equal(joined.states, states.flip(0)) and joined.vector.tolist() == [[2.0], [1.0]]  # type: ignore[union-attr]
    assert Conditioning.of(both) is both and Conditioning.of(states).states is states
    assert Conditioning.join([Conditioning(states)]).vector is None


def test_alone_a_text_is_told_the_unet_as_it_is(backbone: StandaloneBackbone) -> None:
    words = ["fox", "owl"]
    told = backbone.conditioning(words)
    assert torch.equal(told.states, backbone.text(words)) and told.vector is None
    assert backbone.conditioning_keys(words) == backbone.text_keys(words)
    noisy = torch.randn(2, 4, 8, 16)
    assert torch.equal(backbone.predict(noisy, 400, told), backbone.predict(noisy, 400, told.states))
