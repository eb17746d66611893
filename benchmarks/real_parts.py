"""The parts of benchmarks/real_speed.py: the table of situations, harvesting, and the steps beyond."""

from collections.abc import Callable, Mapping
from typing import Any

import torch

from benchmarks.full_engine import engine_calls
from benchmarks.full_size import PHRASES, Inputs, build, situations
from benchmarks.harvesting import harvesting
from benchmarks.timing import alternate
from ldznet_ext.eval.costs import gflop
from ldznet_ext.geometry import Size
from ldznet_ext.hosts.standalone import load_backbone

TARGETS = {
    "uploaded": 0.90,
    "uploaded, fast encoder": 0.60,
    "another phrase": 0.55,
    "just generated": 0.35,
    f"each of {PHRASES} phrases": 0.90,
}
"""Of the plain path's time; the last of one phrase's on the same picture."""


def table(side: int, *, rounds: int, tiny: bool, keep: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """GFLOP of the networks in each situation, milliseconds of the whole engine, and ratios of medians with their targets.

    keep: called with what is known after each round.
    """
    known: dict[str, Any] = {"side": side, "gflop": count(side, tiny=tiny)}
    nets = build(device="cpu", dtype=torch.float32, tiny=tiny)

    def told(times: Mapping[str, Mapping[str, float]]) -> None:
        known.update({"times": times, "ratios": ratios(times)})
        keep(known)

    alternate(engine_calls(nets, side), rounds=rounds, warm=0, told=told)  # the inputs have warmed the networks up
    return known


def count(side: int, *, tiny: bool) -> dict[str, float]:
    """GFLOP of each situation, counted on the meta device; the text tower's and what surrounds the networks left out."""
    nets = build(device="meta", dtype=torch.float32, tiny=tiny, fill_them=False)
    pixels = torch.empty(1, 3, side, side, device="meta")
    latent = torch.empty(1, 4, side // 8, side // 8, device="meta")
    context = torch.empty(PHRASES, 77, nets.unet.config.context_dim, device="meta")
    inputs = Inputs(pixels=pixels, latent=latent, context=context, features=nets.features(latent, context[:1]))
    return {name: round(gflop(call), 1) for name, call in situations(nets, inputs).items()}


def ratios(times: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, Any]]:
    """By the wall and by the processor's own time: against the plain path, and of each phrase in a batch against one.

    "same work": against all of the plain path's work on our own layers, so that only what is left out counts.
    """
    found = {}
    for name, target in TARGETS.items():
        many = name.startswith("each of")
        mine, other = times[f"{PHRASES} phrases" if many else name], times["another phrase" if many else "plain"]
        share = PHRASES if many else 1
        found[name] = {**_over(mine, other, share), "target": target}
        if not many:
            found[name]["same work"] = _over(mine, times["plain, our layers"])
    return found


def _over(mine: Mapping[str, float], other: Mapping[str, float], share: int = 1) -> dict[str, float]:
    return {
        "wall": round(mine["median"] / other["median"] / share, 4),
        "processor": round(mine["processor"] / other["processor"] / share, 4),
    }


def harvest(*, pairs: int) -> dict[str, Any]:
    """Paintings of 20 steps by Sticker-SD, with and without its features read; and MB kept at SD 1.5's size.

    Of half its native side: the larger is the share of what reading costs, and the shorter what others disturb.
    """
    backbone = load_backbone()
    size = Size(backbone.native.height // 2, backbone.native.width // 2)
    found = harvesting(backbone, size, pairs=pairs)
    return {**found, "kept_mb_sd15": {str(side): kept_mb(side) for side in (384, 512)}}


def kept_mb(side: int) -> float:
    """What the taps of one picture hold at SD 1.5's size in float32, of the conditional row."""
    nets = build(device="meta", dtype=torch.float32, fill_them=False)
    latent, context = torch.empty(1, 4, side // 8, side // 8, device="meta"), torch.empty(1, 77, 768, device="meta")
    return round(sum(value.numel() * 4 for value in nets.features(latent, context).values()) / 1e6, 2)


def print_part(part: str, found: Mapping[str, Any]) -> None:
    """A table on the screen."""
    if part == "table":
        for name, times in found["times"].items():
            print(f"{name:<26} {found['gflop'].get(name, 0):8.1f} GFLOP {times['median'] / 1000:8.2f} s")
        for name, ratio in found["ratios"].items():
            print(
                f"{name:<26} ratio {ratio['wall']:.3f} (processor {ratio['processor']:.3f}), at most {ratio['target']}"
            )
    elif part == "harvest":
        print(
            f"harvesting in {found['steps']} steps: ratio {found['ratio']:.4f}, upper 95 % bound {found['upper_95']:.4f} of "
            f"{found['pairs']} pairs (processor {found['processor_ratio']:.4f}, {found['processor_upper_95']:.4f}); kept at "
            f"SD 1.5's size {found['kept_mb_sd15']} MB"
        )
    else:
        for name, row in found.items():
            print(f"{name:<44} {row['gain']:.3f} times as fast")
