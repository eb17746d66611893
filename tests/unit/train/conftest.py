"""Sticker World on hand-made art, so that trainings run without anything fetched, and an autoencoder of tiny width."""

import numpy as np
import pytest

from ldznet_ext.world import art, scenes
from ldznet_ext.world.concepts import held_out, named
from tests.unit.train.recipes import diffusion_recipe, few_texts

CACHES = (art._store, art._names, art._sprite, scenes._sprite, scenes.vocabulary)


def disc(number: int) -> np.ndarray:
    """A coloured ellipse as an RGBA sprite, each number of its own colour and shape."""
    height, width = 40 + 3 * (number % 5), 40 + 3 * (number // 5 % 5)
    y, x = np.mgrid[0:height, 0:width]
    inside = ((y - height / 2 + 0.5) / height) ** 2 + ((x - width / 2 + 0.5) / width) ** 2 <= 0.25
    sprite = np.zeros((height, width, 4), np.uint8)
    sprite[..., :3] = (40 + 37 * number) % 216, (90 + 59 * number) % 216, (160 + 83 * number) % 216
    sprite[..., 3] = 255 * inside
    return sprite


@pytest.fixture(scope="session")
def art_file(tmp_path_factory):
    """A pack of six named and two held-out objects in the four training styles."""
    path = tmp_path_factory.mktemp("art") / "pack.npz"
    chosen = [*named()[:6], *held_out()[:2]]
    styles = art.TRAIN_STYLES
    np.savez(path, **{f"{s}/{c.name}": disc(n) for s in styles for n, c in enumerate(chosen)})
    return path


@pytest.fixture(autouse=True)
def world(art_file, own_folders, monkeypatch):
    """Every training test paints with that pack; nothing of it stays in the process."""
    for cache in CACHES:
        cache.cache_clear()
    monkeypatch.setenv("LDZNET_ART", str(art_file))
    yield
    for cache in CACHES:
        cache.cache_clear()


@pytest.fixture(scope="session")
def vae_folder(tmp_path_factory):
    """A random autoencoder in the diffusers layout."""
    import torch

    from ldznet_ext.train.autoencoder import build_autoencoder

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("vae")
    build_autoencoder([32, 32, 32, 32], 0).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def sticker_folder(tmp_path_factory, vae_folder, art_file):
    """Sticker-SD's anatomy at tiny width, trained for two steps and exported by the diffusion task."""
    from ldznet_ext.train import diffusion
    from ldznet_ext.train.loop import train

    out = tmp_path_factory.mktemp("diffusion")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LDZNET_ART", str(art_file))
        patch.setattr(diffusion, "training_texts", few_texts(diffusion.training_texts))
        recipe = diffusion_recipe(vae_folder, out)
        train(diffusion.DiffusionTask(recipe), recipe, out, device="cpu")
    return out / "sticker-sd"
