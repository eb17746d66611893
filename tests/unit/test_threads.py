"""Several threads on one model: each gets the answer it would have got alone."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait

import numpy as np

from ldznet_ext.backbone import default_backbone
from ldznet_ext.generate import generate_and_segment
from ldznet_ext.geometry import Size
from ldznet_ext.hosts.standalone import StandaloneBackbone
from ldznet_ext.inpaint import inpaint
from ldznet_ext.pipeline import segment
from tests.tiny import picture


def _together(calls: list[Callable[[], np.ndarray]]) -> list[np.ndarray]:
    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result() for future in [pool.submit(call) for call in calls]]


def test_two_threads_never_mix_their_answers(backbone: StandaloneBackbone) -> None:
    """Masks of two pictures, a generation that is harvested and an inpainting: all of them call the one UNet."""
    size, mask = Size(64, 128), np.ones((90, 130), bool)

    def masked(seed: int, words: str) -> Callable[[], np.ndarray]:
        return lambda: segment(picture(seed=seed), words, backbone=backbone).prob

    def painted(seed: int) -> np.ndarray:
        return generate_and_segment("a fox", "fox", backbone=backbone, seed=seed, steps=5, size=size)[1].prob

    def repainted() -> np.ndarray:
        return np.asarray(inpaint(picture(), mask, "an owl", backbone=backbone, seed=1, steps=4))

    calls = [masked(0, "fox"), masked(1, "red fox"), lambda: painted(3), lambda: painted(4), repainted]
    alone = [call() for call in calls]
    for _ in range(2):
        backbone.caches.clear()
        for one, other in zip(alone, _together(calls), strict=True):
            np.testing.assert_array_equal(one, other)


def test_a_pass_of_the_unet_waits_for_a_harvest(backbone: StandaloneBackbone) -> None:
    """While one thread reads features over several calls, no other thread's call is among them."""
    with ThreadPoolExecutor(1) as pool:
        with backbone.lock:
            waiting = pool.submit(segment, picture(), "fox", backbone=backbone)
            assert not wait([waiting], timeout=1).done and backbone.unet_calls == 0
        assert waiting.result(60).unet_calls == backbone.unet_calls == 1


def test_threads_that_ask_at_once_share_the_default_model(backbone: StandaloneBackbone) -> None:
    first, *others = _together([default_backbone] * 4)
    assert all(other is first for other in others)
