"""What reading the features costs a painting: pairs of one, with and without, in turns; and how much is kept for it."""

import random
import statistics
import time
from collections.abc import Sequence
from typing import Any

import torch

from ldznet_ext.caches import size_in_bytes
from ldznet_ext.geometry import Size
from ldznet_ext.harvest.sampling import second_half
from ldznet_ext.harvest.taps import LDZNET_TAPS
from ldznet_ext.harvest.wanted import Wanted, harvest_wanted
from ldznet_ext.hosts.standalone import StandaloneBackbone
from ldznet_ext.sampling import Sampling


def harvesting(
    backbone: StandaloneBackbone, size: Size, *, steps: int = 20, pairs: int = 30, seconds: float = 600
) -> dict[str, Any]:
    """Median of the ratios, its upper 95 % bound, and MB kept for the taps; no pair is begun after so many seconds.

    By the clock on the wall; on a CPU also by the processor's own time, which others on the machine disturb less.
    """
    sampling = Sampling(steps=steps, size=size)
    kept_bytes = 0

    def paint(*, keep: bool) -> tuple[float, float]:
        nonlocal kept_bytes
        _wait(backbone)
        start, busy = time.perf_counter(), time.process_time()
        if keep:
            with harvest_wanted(backbone.unet, Wanted(taps=LDZNET_TAPS), steps=steps, rows=second_half) as given:
                backbone.generate(["a fox in the snow"], [0], sampling)
            kept_bytes = sum(size_in_bytes(one.features) for one in given.kept)
        else:
            backbone.generate(["a fox in the snow"], [0], sampling)
        _wait(backbone)
        return time.perf_counter() - start, time.process_time() - busy

    for keep in (False, True):
        paint(keep=keep)
    ratios, processor, plain, began = [], [], [], time.perf_counter()
    while len(ratios) < pairs and (len(ratios) < 3 or time.perf_counter() - began < seconds):
        order = (False, True) if len(ratios) % 2 == 0 else (True, False)  # neither always comes second
        taken = {keep: paint(keep=keep) for keep in order}
        ratios.append(taken[True][0] / taken[False][0])
        processor.append(taken[True][1] / taken[False][1])
        plain.append(taken[False][0])
    return {
        "pairs": len(ratios),
        "steps": steps,
        "side": list(size),
        "painting_seconds": round(statistics.median(plain), 4),
        "ratio": round(statistics.median(ratios), 5),
        "upper_95": round(upper_bound(ratios), 5),
        "processor_ratio": round(statistics.median(processor), 5),
        "processor_upper_95": round(upper_bound(processor), 5),
        "kept_mb": round(kept_bytes / 1e6, 2),
    }


def upper_bound(ratios: Sequence[float], draws: int = 4000) -> float:
    """The upper end of a bootstrap's 95 % interval of the median, the same every time."""
    drawn = random.Random(0)
    medians = sorted(statistics.median(drawn.choices(ratios, k=len(ratios))) for _ in range(draws))
    return medians[int(0.975 * draws)]


def _wait(backbone: StandaloneBackbone) -> None:
    if backbone.device.type == "cuda":
        torch.cuda.synchronize()
