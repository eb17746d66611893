"""Hand-made art for scenes: every named and held-out object as a shape of its own, and two photographic grounds."""

import numpy as np
import pytest

from ldznet_ext.world import art, scenes
from ldznet_ext.world.concepts import held_out, named

CACHES = (art._store, art._names, art._sprite, art._photo_grounds, scenes._sprite, scenes.vocabulary)


def shape(number: int) -> np.ndarray:
    """An RGBA sprite: an ellipse or a bar, each number of its own colour, some long and thin."""
    height, width = 30 + 4 * (number % 6), 30 + 5 * (number // 6 % 7)
    y, x = np.mgrid[0:height, 0:width]
    round_ = ((y - height / 2 + 0.5) / height) ** 2 + ((x - width / 2 + 0.5) / width) ** 2 <= 0.25
    inside = round_ if number % 3 else np.ones((height, width), bool)
    sprite = np.zeros((height, width, 4), np.uint8)
    sprite[..., :3] = (40 + 37 * number) % 200, (90 + 59 * number) % 200, 60 + (31 * number) % 150
    sprite[..., 3] = 255 * inside
    return sprite


@pytest.fixture(scope="session")
def pack(tmp_path_factory):
    """One store with the training styles and `photo`."""
    path = tmp_path_factory.mktemp("art") / "pack.npz"
    things = [*named(), *held_out()]
    store = {f"{style}/{c.name}": shape(n) for style in art.TRAIN_STYLES for n, c in enumerate(things)}
    store |= {f"photo/{c.name}": shape(n) for n, c in enumerate(things[:12])}
    store |= {f"ground/{n}": np.full((384, 384, 3), 60 + 90 * n, np.uint8) for n in range(2)}
    np.savez(path, **store)
    return path


@pytest.fixture
def world(pack, own_folders, monkeypatch):
    """Scenes are painted with that art; nothing of it stays in the process."""
    for cache in CACHES:
        cache.cache_clear()
    monkeypatch.setenv("LDZNET_ART", str(pack))
    yield
    for cache in CACHES:
        cache.cache_clear()
