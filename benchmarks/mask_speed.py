"""How long a mask takes, warm, on this machine: `python benchmarks/mask_speed.py [--json]`.

The targets are those of two CPU cores with Sticker-SD. Every line is the median of several runs, the caches emptied between
them as far as the line says; the first, cold run is left out, except in the line about a cold process.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

WORDS, OTHER = "fox", "owl"


@dataclass(frozen=True, kw_only=True)
class Line:
    """One measurement: median and extremes in seconds, and the target where there is one."""

    name: str
    median: float
    least: float
    most: float
    runs: int
    target: float | None = None


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", help="a model in place of Sticker-SD")
    parser.add_argument("--device")
    parser.add_argument("--threads", type=int, help="torch's threads, by default all cores")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--size", type=int, default=256, help="side of the picture")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--cold", action="store_true", help="also time whole processes")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    lines, about = measure(args)
    if args.json:
        print(json.dumps({**about, "lines": [asdict(line) for line in lines]}, indent=1))
    else:
        print(", ".join(f"{name} {value}" for name, value in about.items()))
        for line in lines:
            target = f"  target {line.target * 1000:6.0f} ms" if line.target else ""
            print(
                f"{line.name:<44} {line.median * 1000:8.1f} ms  ({line.least * 1000:.1f}-{line.most * 1000:.1f}){target}"
            )


def measure(args: argparse.Namespace) -> tuple[list[Line], dict[str, object]]:
    """All lines, and what they were measured on."""
    import torch

    if args.threads:
        torch.set_num_threads(args.threads)
    from ldznet_ext.backbone import load_backbone
    from ldznet_ext.generate import generate_and_segment, paint
    from ldznet_ext.pipeline import rethreshold, segment

    backbone = load_backbone(args.model, args.device)
    picture = np.random.default_rng(0).integers(0, 255, (args.size, args.size, 3), dtype=np.uint8)

    def mask(words: str = WORDS, **settings: object) -> object:
        return segment(picture, words, backbone=backbone, **settings)

    def other() -> None:
        backbone.caches.texts.clear()
        backbone.caches.features.clear()
        mask(OTHER)

    def paint_only() -> None:
        paint("a fox", backbone=backbone, steps=args.steps)

    def paint_and_mask() -> None:
        generate_and_segment("a fox", WORDS, backbone=backbone, steps=args.steps)

    result = mask()
    run = _Stopwatch(args.runs)
    run("a mask of an uploaded picture", mask, before=backbone.caches.clear, target=0.3)
    run("the same without refining", lambda: mask(refine=False), before=backbone.caches.clear)
    run("another phrase on it", other, before=mask, target=0.2)
    run(
        "four phrases in one batch",
        lambda: segment(picture, ["fox", "owl", "snow", "grass"], backbone=backbone),
        before=other,
    )
    run("the same words again", mask, before=mask)
    run("another threshold", lambda: rethreshold(result, 0.7), target=0.02)
    few = _Stopwatch(max(2, args.runs // 3))
    few(f"a painting of {args.steps} steps", paint_only)
    few("the same with a mask", paint_and_mask)
    lines = [*run.lines, *few.lines]
    if args.cold:
        lines.append(_cold(picture, args))
    about = {
        "model": backbone.name,
        "device": str(backbone.device),
        "threads": torch.get_num_threads(),
        "side": args.size,
    }
    return lines, about


class _Stopwatch:
    """Runs something several times and keeps a line."""

    def __init__(self, runs: int) -> None:
        self.runs = runs
        self.lines: list[Line] = []

    def __call__(
        self,
        name: str,
        work: Callable[[], object],
        *,
        before: Callable[[], object] | None = None,
        target: float | None = None,
    ) -> None:
        seconds = []
        for _ in range(self.runs + 1):
            if before:
                before()
            start = time.perf_counter()
            work()
            seconds.append(time.perf_counter() - start)
        self.lines.append(_line(name, seconds[1:], target))


def _cold(picture: np.ndarray, args: argparse.Namespace) -> Line:
    """`ldznet mask` in a process of its own, from nothing to the files."""
    from PIL import Image

    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "picture.png")
        Image.fromarray(picture).save(path)
        command = [sys.executable, "-m", "ldznet_ext", "mask", path, WORDS, "-o", folder, "--json"]
        command += ["--model", args.model] if args.model else []
        seconds = []
        for _ in range(4):
            start = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True, cwd=Path(__file__).resolve().parent.parent)
            seconds.append(time.perf_counter() - start)
    return _line("a cold `ldznet mask`", seconds[1:], 6.0)


def _line(name: str, seconds: list[float], target: float | None) -> Line:
    return Line(
        name=name,
        median=statistics.median(seconds),
        least=min(seconds),
        most=max(seconds),
        runs=len(seconds),
        target=target,
    )


if __name__ == "__main__":
    main()
