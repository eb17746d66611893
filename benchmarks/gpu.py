"""Masks on a GPU: `python benchmarks/gpu.py --out FOLDER [--part precision|fullsize] [--seconds 140]`.

precision: Sticker-SD's masks in float16 and bfloat16 beside float32. fullsize: networks of SD 1.5's size with random weights:
what half precision changes, milliseconds and memory of every situation, and what each way of running them gains. `gpu.json` is
written after every block, one that fails is noted in it and the next is run. `--tiny` tries all of it on a CPU.
"""

import argparse
import json
import os
import platform
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

PARTS = ("precision", "fullsize")


class Record:
    """What is known so far, in a file after every block; it also knows how much time is left."""

    def __init__(self, path: Path, seconds: float) -> None:
        self.path, self.found = path, {}
        self.began, self.limit = time.monotonic(), seconds
        self._lock = threading.Lock()

    @property
    def left(self) -> float:
        """Seconds."""
        return self.limit - (time.monotonic() - self.began)

    def block(self, name: str, measure: Callable[[], Any], *, needs: float = 0) -> None:
        """Run one block and keep what it finds, or its error; one for which too few seconds are left is passed over."""
        start = time.monotonic()
        if self.left < needs:
            result = {"skipped": f"{self.left:.0f} s left, {needs:.0f} wanted"}
        else:
            try:
                result = measure()
            except Exception as error:
                last = traceback.format_exc().splitlines()[-12:]
                result = {"error": f"{type(error).__name__}: {error}"[:2000], "where": last}
        self.keep(name, result, time.monotonic() - start)

    def keep(self, name: str, result: Any, seconds: float) -> None:
        """Write one block's findings."""
        with self._lock:
            self.found[name] = {"seconds": round(seconds, 2), "found": result}
            self.path.parent.mkdir(parents=True, exist_ok=True)
            partial = self.path.with_suffix(".part")
            partial.write_text(json.dumps(self.found, indent=1), encoding="utf-8")
            partial.replace(self.path)
        print(f"{self.limit - self.left:6.1f} s  {name}: {_short(result)}", flush=True)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """End the process when the time is over, whatever it is doing: all that was found is in the file."""
        timer = threading.Timer(self.limit, self._end)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _end(self) -> None:
        self.keep("ended", f"after {self.limit:.0f} s, in the middle of a block", self.limit)
        os._exit(0)


def main() -> None:
    """Measure what can be measured here."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("gpu"), help="folder for gpu.json")
    parser.add_argument("--part", choices=PARTS, help="only this one")
    parser.add_argument("--seconds", type=float, default=140, help="end after so long")
    parser.add_argument("--pictures", type=int, default=64, help="of the test set, for the part precision")
    parser.add_argument("--tiny", action="store_true", help="small networks, also on a CPU")
    args = parser.parse_args()
    record = Record(args.out / "gpu.json", args.seconds)
    import torch

    if not torch.cuda.is_available() and not args.tiny:
        print("benchmarks/gpu.py: no CUDA device here, so nothing was measured (--tiny tries it on a CPU).")
        return
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    with record.watched():
        record.block("about", lambda: about(device))
        if args.part in (None, "precision"):
            from benchmarks.gpu_precision import measure_precision

            measure_precision(record, device, args.pictures)
        if args.part in (None, "fullsize"):
            from benchmarks.gpu_full_size import measure_full_size

            measure_full_size(record, device, tiny=args.tiny)


def about(device: Any) -> dict[str, Any]:
    """The machine and what runs on it."""
    import torch

    known = {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "cores": os.cpu_count(),
        "device": str(device),
    }
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        known |= {
            "name": properties.name,
            "memory_gb": round(properties.total_memory / 1e9, 1),
            "capability": f"{properties.major}.{properties.minor}",
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),
        }
    return known


def _short(result: Any) -> str:
    text = json.dumps(result)
    return text if len(text) < 300 else text[:300] + "..."


if __name__ == "__main__":
    main()
