"""What each way of computing the same gains on a CPU: two at a time, over a UNet of full size, in alternating rounds."""

import copy
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn

from benchmarks.full_size import TOKENS, random_network
from benchmarks.timing import alternate
from ldznet_ext.harvest.hooks import harvest
from ldznet_ext.harvest.taps import LDZNET_TAPS, last_tap
from ldznet_ext.nets import attention, blocks
from ldznet_ext.nets.attention import CrossAttention
from ldznet_ext.nets.blocks import SpatialTransformer
from ldznet_ext.nets.unet import UNet, UNetConfig

Call = Callable[[], object]
MANY = 4
ENDLESS = 2**62


def unet_steps(grid: int, *, rounds: int, tiny: bool) -> dict[str, dict[str, Any]]:
    """A pass over one latent of grid x grid cells: name -> milliseconds without and with the step, and its gain."""
    shape = UNetConfig(model_channels=32, context_dim=48) if tiny else UNetConfig()
    unet = random_network(lambda: UNet(shape), seed=3)
    latent, times = torch.randn(1, 4, grid, grid), torch.full((1,), 400)
    texts = torch.randn(MANY, TOKENS, unet.config.context_dim)
    other: nn.Module = copy.deepcopy(unet)

    def early(network: nn.Module = unet, rows: Tensor = latent, words: Tensor = texts[:1]) -> None:
        with harvest(network, LDZNET_TAPS, stop_after=last_tap(LDZNET_TAPS)):
            network(rows, times, words)

    def pair(without: Call, step: Call) -> dict[str, Any]:
        taken = alternate({"without": without, "with": step}, rounds=rounds, warm=1)
        return {
            **taken,
            "gain": round(taken["without"]["median"] / taken["with"]["median"], 3),
            "gain of processor time": round(taken["without"]["processor"] / taken["with"]["processor"], 3),
        }

    def half() -> None:
        early(other, latent.bfloat16(), texts[:1].bfloat16())

    found = {"early exit": pair(lambda: unet(latent, times, texts[:1]), early)}
    found["fused attention"] = pair(patched(attention, "attend", attention.in_steps, early), early)
    found["convolutions of few cells as products"] = pair(patched(blocks, "FEW_CELLS", 0, early), early)
    found[f"what {MANY} phrases have in common, once"] = pair(
        lambda: early(rows=latent.repeat(MANY, 1, 1, 1), words=texts),
        lambda: early(rows=latent.expand(MANY, -1, -1, -1), words=texts),
    )
    other.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    found["channels_last"] = pair(early, lambda: early(other, latent.to(memory_format=torch.channels_last)))
    other.to(dtype=torch.bfloat16, memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    found["bfloat16"] = pair(early, half)
    found["bfloat16: attention in pieces"] = pair(patched(attention, "CACHED", ENDLESS, half), half)
    spent = alternate({"pass": early, "texts": lambda: texts_alone(unet, texts[:1])}, rounds=rounds, warm=1)
    found["keys and values of the text, kept"] = {
        **spent,
        "gain": round(1 + spent["texts"]["median"] / spent["pass"]["median"], 4),
    }
    return found


def patched(module: ModuleType, name: str, value: object, call: Call) -> Call:
    """The call with something else under a name of a module."""

    def run() -> None:
        with patch.object(module, name, value):
            call()

    return run


def texts_alone(unet: nn.Module, words: Tensor) -> None:
    """All keys and values that a pass makes of the text: what it would save to have kept them."""
    for module in unet.modules():
        if isinstance(module, CrossAttention) and module.to_k.in_features == words.shape[-1]:
            for part in (module.to_k, module.to_v):
                part(words)


def compiled_step(grid: int, *, rounds: int) -> dict[str, dict[str, Any]]:
    """`torch.compile` of SD 1.5's finest transformer by itself, and the seconds that takes."""
    layer = random_network(lambda: SpatialTransformer(320, 768, 8), seed=1)
    x, words = torch.randn(1, 320, grid, grid), torch.randn(1, TOKENS, 768)
    quick, start = torch.compile(layer, dynamic=False), time.perf_counter()
    quick(x, words)
    spent = time.perf_counter() - start
    taken = alternate({"without": lambda: layer(x, words), "with": lambda: quick(x, words)}, rounds=3 * rounds, warm=1)
    gain = taken["without"]["median"] / taken["with"]["median"]
    return {
        "torch.compile, the finest transformer": {**taken, "gain": round(gain, 3), "compiling_seconds": round(spent, 1)}
    }
