"""Timing things against each other: in alternating rounds, so that whatever else the machine does falls on all alike."""

import gc
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

import torch


@dataclass(frozen=True, kw_only=True)
class Times:
    """Milliseconds of one thing: median and extremes of so many runs; on a CPU also the processor time's median, all threads'."""

    median: float
    least: float
    most: float
    runs: int
    processor: float | None = None


def alternate(
    calls: Mapping[str, Callable[[], object]],
    *,
    rounds: int = 15,
    warm: int = 2,
    device: torch.device | str = "cpu",
    seconds: float | None = None,
    told: Callable[[dict[str, dict[str, float]]], None] | None = None,
) -> dict[str, dict[str, float]]:
    """Name -> `Times` as a dictionary; no further round is begun after so many seconds, but three are always run.

    told: what is known after every round.
    """
    for _ in range(warm):
        for call in calls.values():
            call()
    clock = _gpu_milliseconds if torch.device(device).type == "cuda" else _milliseconds
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in calls}
    began = time.perf_counter()
    gc.collect()
    gc.disable()  # a collection of garbage would fall on one of them
    try:
        for done in range(rounds):
            if seconds is not None and done >= 3 and time.perf_counter() - began > seconds:
                break
            for name, call in calls.items():
                taken[name].append(clock(call))
            if told is not None:
                told(_all(taken))
    finally:
        gc.enable()
    return _all(taken)


def _all(taken: Mapping[str, list[tuple[float, float]]]) -> dict[str, dict[str, float]]:
    return {name: asdict(_times(values)) for name, values in taken.items()}


def _milliseconds(call: Callable[[], object]) -> tuple[float, float]:
    """By the clock on the wall, and of the processor."""
    start, busy = time.perf_counter(), time.process_time()
    call()
    return 1000 * (time.perf_counter() - start), 1000 * (time.process_time() - busy)


def _gpu_milliseconds(call: Callable[[], object]) -> tuple[float, float]:
    """From one event on the GPU to another: the waiting for the CPU to ask for the next kernel is part of it."""
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.cuda.synchronize()
    start.record()
    call()
    end.record()
    torch.cuda.synchronize()
    return start.elapsed_time(end), 0.0


def _times(values: list[tuple[float, float]]) -> Times:
    walls, processor = [wall for wall, _ in values], statistics.median(busy for _, busy in values)
    return Times(
        median=round(statistics.median(walls), 4),
        least=round(min(walls), 4),
        most=round(max(walls), 4),
        runs=len(walls),
        processor=round(processor, 4) if processor else None,
    )
