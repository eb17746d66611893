"""TAESD's encoder: the layouts it comes in, what does not fit, and masks that are read through it."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from ldznet_ext.errors import ModelError
from ldznet_ext.hosts.fast_encoder import FastEncoder, FastEncoderConfig, read_fast_encoder
from ldznet_ext.hosts.standalone import load_backbone

CPU = {"device": torch.device("cpu"), "dtype": torch.float32}
SD = {"latent_channels": 4, "factor": 8}


def save(path: Path, prefix: str = "", **shape: int) -> FastEncoder:
    torch.manual_seed(0)
    encoder = FastEncoder(FastEncoderConfig(channels=8, **shape)).eval()
    state = {f"{prefix}{name}": value for name, value in encoder.state_dict().items()}
    save_file({**state, "decoder.layers.0.weight": torch.zeros(1)} if prefix else state, path)
    return encoder


@pytest.mark.parametrize("prefix", ["", "encoder.", "encoder.layers."])
def test_every_layout_is_read(tmp_path: Path, prefix: str) -> None:
    made = save(tmp_path / "fast.safetensors", prefix)
    pixels = torch.rand(2, 3, 16, 24) * 2 - 1
    latent = read_fast_encoder(tmp_path / "fast.safetensors", **SD, **CPU).encode(pixels)
    assert latent.shape == (2, 4, 2, 3)
    torch.testing.assert_close(latent, made.encode(pixels))


def test_it_is_diffusers_tiny_autoencoder(tmp_path: Path) -> None:
    diffusers = pytest.importorskip("diffusers")
    torch.manual_seed(0)
    theirs = diffusers.AutoencoderTiny(encoder_block_out_channels=(8,) * 4, decoder_block_out_channels=(8,) * 4).eval()
    theirs.save_pretrained(tmp_path)
    pixels = torch.rand(1, 3, 24, 16) * 2 - 1
    with torch.no_grad():
        expected = theirs.encode(pixels).latents
    torch.testing.assert_close(read_fast_encoder(tmp_path, **SD, **CPU).encode(pixels), expected)


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ({"latent_channels": 16}, "latents of 16 channels"),
        ({"blocks": (1, 3, 3)}, "lacks"),
        ({"in_channels": 3}, "no 0.weight"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path: Path, shape: dict, said: str) -> None:
    save(tmp_path / "fast.safetensors", "other." if said == "no 0.weight" else "", **shape)
    with pytest.raises(ModelError, match=said):
        read_fast_encoder(tmp_path / "fast.safetensors", **SD, **CPU)


def test_one_that_is_not_there_is_named() -> None:
    with pytest.raises(ModelError, match="'taesd' does not exist"):
        read_fast_encoder("taesd", **SD, **CPU)


@pytest.mark.sticker
def test_masks_are_read_through_it_and_paintings_are_not(tmp_path: Path) -> None:
    from ldznet_ext.segmenters.view import look

    save(tmp_path / "fast.safetensors")
    slow, fast = load_backbone(), load_backbone(fast_encoder=tmp_path / "fast.safetensors")
    picture = np.random.default_rng(0).integers(0, 255, (64, 96, 3), dtype=np.uint8)
    pixels = look(picture, fast).tensor(fast)
    assert fast.fast_encoder is not None
    torch.testing.assert_close(look(picture, fast).latent(fast), fast.fast_encoder.encode(pixels))
    assert torch.equal(look(picture, slow).latent(slow), slow.encode(pixels))
    assert torch.equal(fast.encode(pixels), slow.encode(pixels))


@pytest.mark.sticker
def test_a_latent_is_never_taken_for_the_other_encoders(tmp_path: Path) -> None:
    from ldznet_ext.segmenters.view import look

    save(tmp_path / "fast.safetensors")
    backbone = load_backbone(fast_encoder=tmp_path / "fast.safetensors")
    view = look(np.full((64, 64, 3), 99, np.uint8), backbone)
    first = view.latent(backbone)
    backbone.fast_encoder = None
    assert not torch.equal(view.latent(backbone), first)
