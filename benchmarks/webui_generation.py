"""What masks cost a web UI's generation: `python benchmarks/webui_generation.py http://127.0.0.1:7860 [--pairs 30] [--json]`.

Pictures are painted in alternating pairs, with the accordion off and on. "harvest" looks for words that no model knows, so that
the features are read and nothing is done with them: what reading costs. "masks" looks for real words: all of it. Of each pair the
ratio is taken; the median of the ratios stands with the upper 95 % bound of a bootstrap. On a busy machine `--pid`, the host's
process here: then its processor time is compared, not the wall's. `--memory N` paints N tiny pictures with masks and tells how
much memory the host holds, as its own API says.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "real_host"))
from web_ui import WebUi

JOBS = {"harvest": {"words": "qwertzuiop"}, "masks": {"words": "fox"}}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("address", nargs="?")
    parser.add_argument("--pairs", type=int, default=30)
    parser.add_argument("--what", choices=JOBS, default="harvest")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--pid", type=int, help="the host's process on this machine: compare processor time")
    parser.add_argument("--memory", type=int, default=0, metavar="N", help="also paint N tiny pictures with masks")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    if args.address is None:
        print("No web UI was measured: expected the address of one that runs, such as http://127.0.0.1:7860.")
        return
    host = WebUi(args.address, seconds=1800)
    found = {"host": host.get("/ldznet/v1/health")["host"], "what": args.what, "steps": args.steps, "size": args.size}
    found["clock"] = "processor" if args.pid else "wall"
    if args.pairs:
        found |= compare(host, args)
    if args.memory:
        found["memory"] = memory(host, args.memory)
    print(json.dumps(found, indent=1) if args.json else report(found))


def compare(host: WebUi, args: argparse.Namespace) -> dict[str, Any]:
    """Seconds off and on in alternating pairs, each pair in the other order than the last."""
    for job in (None, JOBS[args.what]):
        paint(host, args, job)  # the first ones load what is loaded once
    off: list[float] = []
    on: list[float] = []
    for pair in range(args.pairs):
        turns = [(off, None), (on, JOBS[args.what])]
        for times, job in turns if pair % 2 else reversed(turns):
            times.append(paint(host, args, job))
    ratios = [with_masks / without for with_masks, without in zip(on, off, strict=True)]
    return {
        "pairs": args.pairs,
        "off": round(statistics.median(off), 3),
        "on": round(statistics.median(on), 3),
        "ratio": round(statistics.median(ratios), 4),
        "upper": round(upper_bound(ratios), 4),
        "least": [round(min(off), 3), round(min(on), 3)],
    }


def paint(host: WebUi, args: argparse.Namespace, job: dict[str, Any] | None) -> float:
    """Seconds of one picture; overlays are off, for they are pictures of their own."""
    given = None if job is None else {**job, "overlay": False}
    start = seconds(args.pid)
    host.txt2img(given, width=args.size, height=args.size, steps=args.steps)
    return seconds(args.pid) - start


def seconds(pid: int | None) -> float:
    """The wall's clock, or the processor time that a process has taken."""
    if pid is None:
        return time.perf_counter()
    import psutil

    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


def upper_bound(ratios: Sequence[float], draws: int = 10_000) -> float:
    """The upper end of the bootstrap's 95 % interval of the median."""
    drawn = np.random.default_rng(0).choice(np.asarray(ratios), (draws, len(ratios)))
    return float(np.quantile(np.median(drawn, axis=1), 0.975))


def memory(host: WebUi, count: int) -> dict[str, Any]:
    """Memory the host's process holds, in MB, while it paints; the first tenth warms it up."""
    held = []
    for number in range(count):
        host.txt2img({"words": "fox"}, steps=1, seed=number)
        held.append(host.get("/sdapi/v1/memory")["ram"]["used"] / 2**20)
    warm = held[count // 10 :]
    slope = float(np.polyfit(range(len(warm)), warm, 1)[0])
    return {"pictures": count, "first": round(warm[0]), "last": round(warm[-1]), "mb_per_picture": round(slope, 3)}


def report(found: dict[str, Any]) -> str:
    """The same for people."""
    lines = [
        f"{found['host']}, {found['size']} x {found['size']}, {found['steps']} steps, {found['what']}, {found['clock']} time"
    ]
    if "ratio" in found:
        lines.append(
            f"{found['pairs']} pairs: off {found['off']} s, on {found['on']} s; ratio {found['ratio']}, upper {found['upper']}"
        )
    if "memory" in found:
        held = found["memory"]
        lines.append(
            f"memory over {held['pictures']} pictures: {held['first']} to {held['last']} MB, {held['mb_per_picture']} a picture"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
