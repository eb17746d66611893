"""The authors' networks at reduced width: weights from a generator, inputs and outputs from files (see README.md)."""

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from ldznet_ext.nets.heads import build_head
from ldznet_ext.nets.unet import UNet, UNetConfig
from ldznet_ext.nets.znet import ZNet

DATA = Path(__file__).parent / "data"


@pytest.fixture(scope="session")
def golden_weights() -> Callable[[str], dict[str, Tensor]]:
    """net ("ldm" or "ldznet") -> its state dict."""
    spec = importlib.util.spec_from_file_location("golden_weights", DATA / "golden_weights.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    shapes = json.loads((DATA / "shapes_mc32.json").read_text())
    return lambda net: {key: torch.from_numpy(value) for key, value in module.state_dict(net, shapes[net]).items()}


@pytest.fixture(scope="session")
def golden_case() -> Callable[[str], dict[str, Tensor]]:
    """Letter -> the tensors of that case."""
    return lambda name: load_file(DATA / f"golden_mc32_{name}.safetensors")


@pytest.fixture(scope="session")
def diffusion_unet(golden_weights: Callable[[str], dict[str, Tensor]]) -> UNet:
    unet = UNet(UNetConfig(model_channels=32, context_dim=64)).eval()
    unet.load_state_dict(golden_weights("ldm"))
    return unet


@pytest.fixture(scope="session")
def ldznet(golden_weights: Callable[[str], dict[str, Tensor]]) -> ZNet:
    head = build_head("ldznet", "golden", position="parity").eval()
    head.load_state_dict(golden_weights("ldznet"))
    return head
