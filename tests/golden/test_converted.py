"""The authors' numbers again, out of a checkpoint in their layout: head and frozen UNet go through `convert_file` first."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from ldznet_ext.convert.official import FROZEN, RAW, stored_name
from ldznet_ext.convertible import convert_file
from ldznet_ext.harvest.hooks import harvest
from ldznet_ext.harvest.taps import LDZNET_TAPS
from ldznet_ext.nets.unet import UNet, UNetConfig
from ldznet_ext.tensors import read_tensors
from ldznet_ext.weights import load_head


def test_a_converted_checkpoint_gives_their_logits(
    tmp_path: Path,
    golden_weights: Callable[[str], dict[str, Tensor]],
    golden_case: Callable[[str], dict[str, Tensor]],
) -> None:
    """Half precision loses nothing of these weights: they are small multiples of powers of two."""
    head, ldm = golden_weights("ldznet"), golden_weights("ldm")
    state = {stored_name(name, averaged=True): tensor for name, tensor in head.items()}
    state |= {stored_name(name, averaged=False): -tensor for name, tensor in head.items()}
    state |= {FROZEN + name: tensor for name, tensor in ldm.items()}
    torch.save({"state_dict": state}, tmp_path / "x.ckpt")
    made = convert_file(tmp_path / "x.ckpt", tmp_path / "h.safetensors", dtype="fp16", unet=tmp_path / "u.safetensors")
    network, _, _ = load_head(made.file, family="sd1")
    unet = UNet(UNetConfig(model_channels=32, context_dim=64)).eval()
    kept = read_tensors(tmp_path / "u.safetensors")
    unet.load_state_dict({name.removeprefix(RAW): tensor.float() for name, tensor in kept.items()})
    case = golden_case("C")
    with torch.no_grad(), harvest(unet, LDZNET_TAPS) as store:
        unet(case["z_noisy"], case["t_ldm"], case["context"])
        logits = network(case["z"], case["context"], dict(store))
    torch.testing.assert_close(logits, case["logits"], atol=1e-3, rtol=0)
