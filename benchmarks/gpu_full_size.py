"""The part "fullsize" of benchmarks/gpu.py: error, time and memory of networks of SD 1.5's size, and what each step gains."""

import copy
import gc
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from benchmarks.full_engine import engine_calls, make_backbone
from benchmarks.full_size import Inputs, Networks, build, make_inputs, situations
from benchmarks.gpu import Record
from benchmarks.gpu_steps import attention_kernels, compiled, ladder
from benchmarks.harvesting import harvesting
from benchmarks.timing import alternate
from ldznet_ext.geometry import Size

# a CPU takes minutes in float16: where --tiny is tried there, bfloat16 stands in
FLOAT16 = torch.float16 if torch.cuda.is_available() else torch.bfloat16
KINDS = {"float32": torch.float32, "float16": FLOAT16, "bfloat16": torch.bfloat16}
NATIVE = 384
"""The side at which LD-ZNet's head looks at uploaded pictures, whatever the model's."""
HALVES = ("float16", "bfloat16")


def measure_full_size(record: Record, device: torch.device, *, tiny: bool) -> None:
    """Everything, the dearest knowledge first; nothing is kept of a block but its figures and the networks."""
    sides = (128, 192) if tiny else (384, 512)
    zoo: dict[str, Networks] = {}
    inputs: dict[tuple[str, int], Inputs] = {}

    def prepare() -> dict[str, Any]:
        zoo["float32"] = build(device=device, dtype=torch.float32, tiny=tiny)
        for name in HALVES:
            zoo[name] = in_type(zoo["float32"], KINDS[name])
        for side in sides:
            exact = make_inputs(zoo["float32"], side)
            inputs.update({(name, side): cast(exact, kind) for name, kind in KINDS.items()})
        return {
            "parameters": {name: count(net) for name, net in zoo["float32"].each().items()},
            "weights_mb_float16": {name: 2 * count(net) / 1e6 for name, net in zoo["float32"].each().items()},
        }

    torch.set_grad_enabled(False)
    record.block("networks", prepare)
    if not inputs:
        return
    for side in reversed(sides):
        for name in HALVES:
            record.block(f"error {name} {side}", lambda n=name, s=side: errors(zoo, inputs, n, s))
    for side in sides:
        for name in KINDS:
            record.block(f"memory {name} {side}", lambda n=name, s=side: memory(zoo[n], inputs[n, s], device))
    for side in sides:
        for name in ("float16", "float32", "bfloat16"):
            record.block(
                f"time {name} {side}",
                lambda n=name, s=side: times(zoo[n], inputs[n, s], device, 6 if n == "float16" else 3),
            )
    for side in sides:
        record.block(f"steps {side}", lambda s=side: ladder(zoo, {n: inputs[n, s] for n in KINDS}, device), needs=12)
        record.block(
            f"attention {side}", lambda s=side: attention_kernels(zoo["float16"], inputs["float16", s], device), needs=5
        )
    record.block(f"segment() {NATIVE}", lambda: through_the_engine(zoo["float16"], NATIVE, device), needs=8)
    side = sides[-1]
    record.block(
        f"harvest {side}",
        lambda: harvesting(make_backbone(zoo["float16"], side), Size(side, side), seconds=30),
        needs=8,
    )
    for side in reversed(sides):
        record.block(
            f"compiled {side}",
            lambda s=side: compiled(zoo["float16"], inputs["float16", s], device, record.left - 4),
            needs=15,
        )


def in_type(nets: Networks, dtype: torch.dtype) -> Networks:
    """A copy in another type."""
    return Networks(**{name: copy.deepcopy(net).to(dtype=dtype) for name, net in nets.each().items()})  # type: ignore[arg-type]


def cast(inputs: Inputs, dtype: torch.dtype) -> Inputs:
    """The same numbers, rounded to another type."""
    return Inputs(
        pixels=inputs.pixels.to(dtype),
        latent=inputs.latent.to(dtype),
        context=inputs.context.to(dtype),
        features={tap: value.to(dtype) for tap, value in inputs.features.items()},
    )


def errors(
    zoo: Mapping[str, Networks], inputs: Mapping[tuple[str, int], Inputs], name: str, side: int
) -> dict[str, float]:
    """Relative error of what a half-precision network makes of the same numbers, and of the whole walk, against float32."""
    nets, exact = zoo[name], zoo["float32"]
    mine, theirs = inputs[name, side], inputs["float32", side]
    with without_tf32():
        truth = exact.plain(theirs.pixels, theirs.one)
        step = exact.step(theirs.latent, theirs.one)
        fast = exact.fast.encode(theirs.pixels)
    walked = nets.uploaded(mine.pixels, mine.one)
    features = nets.features(mine.latent, mine.one)
    found = {f"feature {tap}": apart(features[tap], value) for tap, value in theirs.features.items()}
    # where a mask would be cut: what share of the pixels changes sides
    middle = truth.median()
    return {
        "VAE encoder": apart(nets.vae.encode(mine.pixels), theirs.latent),
        "fast encoder": apart(nets.fast.encode(mine.pixels), fast),
        "UNet step": apart(nets.step(mine.latent, mine.one), step),
        **found,
        "head": apart(nets.head(mine.latent, mine.one, mine.features), truth),
        "whole walk": apart(walked, truth),
        "whole walk, largest over spread": float((walked - truth).abs().max() / truth.std()),
        "pixels that change sides, %": 100 * float(((walked > middle) != (truth > middle)).float().mean()),
        "finite": float(walked.isfinite().all()),
    }


def memory(nets: Networks, inputs: Inputs, device: torch.device) -> dict[str, float]:
    """MB at the peak above what was there before, in each situation: what the walk takes besides the weights."""
    if device.type != "cuda":
        return {}
    found = {}
    for name, call in situations(nets, inputs).items():
        call()  # the libraries' own workspaces are taken on the first call
        gc.collect()
        torch.cuda.synchronize()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        before, reserved = torch.cuda.memory_allocated(), torch.cuda.memory_reserved()
        call()
        torch.cuda.synchronize()
        found[name] = round((torch.cuda.max_memory_allocated() - before) / 1e6, 1)
        found[f"{name}, reserved"] = round((torch.cuda.max_memory_reserved() - reserved) / 1e6, 1)
    return found


def times(nets: Networks, inputs: Inputs, device: torch.device, seconds: float) -> dict[str, Any]:
    """Milliseconds of every situation; float32 also with TF32, which torch's convolutions use by default."""
    calls = situations(nets, inputs)
    if nets.unet.dtype != torch.float32:
        return {"milliseconds": alternate(calls, rounds=25, device=device, seconds=seconds)}
    with without_tf32():
        strict = alternate(calls, rounds=10, device=device, seconds=seconds)
    return {"milliseconds": strict, "milliseconds, TF32": alternate(calls, rounds=10, device=device, seconds=seconds)}


def through_the_engine(nets: Networks, side: int, device: torch.device) -> dict[str, Any]:
    """Milliseconds of whole calls of `segment()`, its work on the CPU among them."""
    return alternate(engine_calls(nets, side), rounds=9, device=device, seconds=4)


class without_tf32:
    """No rounding of float32 to ten bits inside."""

    def __enter__(self) -> None:
        self.kept = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False

    def __exit__(self, *_: object) -> None:
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = self.kept


def apart(found: Tensor, truth: Tensor) -> float:
    """Distance over the spread of what is right, both L2."""
    found, truth = found.double(), truth.double()
    return float((found - truth).norm() / (truth - truth.mean()).norm())


def count(network: torch.nn.Module) -> int:
    """Parameters."""
    return sum(weight.numel() for weight in network.parameters())
