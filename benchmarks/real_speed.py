"""Real Stable Diffusion's masks on this CPU, beside the authors' way: `python benchmarks/real_speed.py [--json FILE]`.

Networks of SD 1.5's and LD-ZNet's full size with random weights, 384x384, float32: GFLOP, seconds and their ratio to the plain
path (VAE, both UNets in full) in the same run; what reading features costs a painting of Sticker-SD; and what other ways of
computing the same gain. It takes 9 GB and about ten minutes of two cores; `--tiny` tries it in one. docs/performance.md is
written from its JSON by `benchmarks/performance_page.py`.
"""

import argparse
import json
import os
import platform
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

SIDE = 384
NEEDED_GB = 10
PARTS = ("table", "harvest", "steps")
ASKED = ("compiled",)
"""Only where it is named: a compiler may take minutes."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="keep the figures here; what it holds of other parts stays"
    )
    parser.add_argument("--part", choices=PARTS + ASKED, action="append", help="only this one; may be given again")
    parser.add_argument("--rounds", type=int, default=3, help="of the table")
    parser.add_argument("--pairs", type=int, default=30, help="of paintings")
    parser.add_argument("--threads", type=int, help="torch's threads, by default all cores")
    parser.add_argument("--tiny", action="store_true", help="small networks")
    args = parser.parse_args()
    if not args.tiny and (free := free_gb()) is not None and free < NEEDED_GB:
        print(
            f"benchmarks/real_speed.py: {free:.0f} GB of memory are free and {NEEDED_GB} are needed, so nothing was measured."
        )
        return
    import torch

    from benchmarks.cpu_steps import compiled_step, unet_steps
    from benchmarks.real_parts import harvest, print_part, table

    if args.threads:
        torch.set_num_threads(args.threads)
    torch.set_grad_enabled(False)
    found = json.loads(args.json.read_text("utf-8")) if args.json and args.json.is_file() else {}
    for part in args.part or PARTS:
        start = time.monotonic()

        def keep(result: dict[str, Any], part: str = part, start: float = start) -> None:
            found[part] = {"about": about(), "seconds": round(time.monotonic() - start), "found": result}
            if args.json:
                args.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")

        measures = {
            "table": lambda keep=keep: table(SIDE, rounds=args.rounds, tiny=args.tiny, keep=keep),
            "harvest": lambda: harvest(pairs=args.pairs),
            "steps": lambda: unet_steps(SIDE // 8, rounds=args.rounds, tiny=args.tiny),
            "compiled": lambda: compiled_step(SIDE // 8, rounds=args.rounds),
        }
        keep(result := measures[part]())
        print_part(part, result)


def about() -> dict[str, Any]:
    """The machine, the date and what ran."""
    import torch

    return {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "processor": processor_name(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
    }


def processor_name() -> str:
    """As the system calls it."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def free_gb() -> float | None:
    """Memory that may be taken; None where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text("utf-8").splitlines()
        return next(int(line.split()[1]) / 1e6 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration, ValueError):
        return None


if __name__ == "__main__":
    main()
