"""Timing things against each other: in alternating rounds, so that whatever else the machine does falls on all alike."""

import gc
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

import torch


@dataclass(frozen=True, kw_only=True)
class Times:
    """Milliseconds of one thing: median and extremes of so many runs."""

    median: float
    least: float
    most: float
    runs: int


def alternate(
    calls: Mapping[str, Callable[[], object]],
    *,
    rounds: int = 15,
    warm: int = 2,
    device: torch.device | str = "cpu",
    seconds: float | None = None,
) -> dict[str, dict[str, float]]:
    """Name -> `Times` as a dictionary; no further round is begun after so many seconds, but three are always run."""
    for _ in range(warm):
        for call in calls.values():
            call()
    clock = _gpu_milliseconds if torch.device(device).type == "cuda" else _milliseconds
    taken: dict[str, list[float]] = {name: [] for name in calls}
    began = time.perf_counter()
    gc.collect()
    gc.disable()  # a collection of garbage would fall on one of them
    try:
        for done in range(rounds):
            if seconds is not None and done >= 3 and time.perf_counter() - began > seconds:
                break
            for name, call in calls.items():
                taken[name].append(clock(call))
    finally:
        gc.enable()
    return {name: asdict(_times(values)) for name, values in taken.items()}


def _milliseconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return 1000 * (time.perf_counter() - start)


def _gpu_milliseconds(call: Callable[[], object]) -> float:
    """From one event on the GPU to another: the waiting for the CPU to ask for the next kernel is part of it."""
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.cuda.synchronize()
    start.record()
    call()
    end.record()
    torch.cuda.synchronize()
    return start.elapsed_time(end)


def _times(values: list[float]) -> Times:
    return Times(
        median=round(statistics.median(values), 4),
        least=round(min(values), 4),
        most=round(max(values), 4),
        runs=len(values),
    )
