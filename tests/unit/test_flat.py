"""Mask after mask, memory stays where it is; what is left behind each time would be seen."""

from collections.abc import Callable

import numpy as np
import pytest

from benchmarks.memory_flat import MOST, resident
from ldznet_ext.caches import MEBIBYTE, ByteCache, Caches
from ldznet_ext.eval.footprint import slope
from ldznet_ext.hosts.standalone import StandaloneBackbone
from ldznet_ext.pipeline import segment

CALLS, WARM = 200, 60


def growth(call: Callable[[int], object]) -> float:
    """MB that stay of each call."""
    held = []
    for number in range(CALLS):
        call(number)
        held.append(resident() / 1e6)
    return slope(held[WARM:])


@pytest.mark.slow
def test_200_masks_leave_nothing_behind(backbone: StandaloneBackbone) -> None:
    backbone.caches = Caches(*(ByteCache(MEBIBYTE // 4) for _ in range(3)))  # full after a few
    drawn, left = np.random.default_rng(0), []

    def ask(number: int) -> None:
        picture = drawn.integers(0, 255, (90, 130, 3), dtype=np.uint8)
        segment(picture, ("fox", "owl & !red", "balloon")[number % 3], backbone=backbone)

    def ask_and_keep(number: int) -> None:
        ask(number)
        left.append(np.ones(2 * int(MOST * 1e6 / 8)))

    assert growth(ask) < MOST
    assert growth(ask_and_keep) > MOST
