"""Byte bounds, least recently used first, and keys that change with the weights."""

import numpy as np
import pytest
import torch
from torch import nn

from ldznet_ext.caches import ByteCache, FeaturesKey, LatentKey, TextKey, digest, size_in_bytes, state_key


def _bytes(count: int) -> np.ndarray:
    return np.zeros(count, np.uint8)


def test_the_least_recently_used_value_goes_first() -> None:
    cache = ByteCache(100)
    cache.put("a", _bytes(40))
    cache.put("b", _bytes(40))
    assert cache.get("a") is not None  # now "b" is the older
    cache.put("c", _bytes(40))
    assert cache.get("b") is None
    assert cache.get("a") is not None and cache.get("c") is not None
    assert cache.used == 80 and len(cache) == 2


def test_replacing_a_value_counts_its_bytes_once() -> None:
    cache = ByteCache(100)
    cache.put("a", _bytes(60))
    cache.put("a", _bytes(30))
    assert cache.used == 30


def test_a_value_larger_than_the_cache_is_not_kept_and_drives_nothing_out() -> None:
    cache = ByteCache(100)
    cache.put("a", _bytes(60))
    cache.put("b", _bytes(101))
    assert cache.get("b") is None and cache.get("a") is not None


def test_get_or_makes_a_value_once() -> None:
    cache, made = ByteCache(100), []
    for _ in range(2):
        cache.get_or("a", lambda: made.append(1) or _bytes(3))
    assert made == [1]


def test_bytes_of_nested_values() -> None:
    assert size_in_bytes({"a": torch.zeros(3, 5), "b": (_bytes(7), [_bytes(1)])}) == 60 + 8


def test_digest_sees_shape_and_content() -> None:
    flat = np.arange(6, dtype=np.float32)
    assert digest(flat) == digest(flat.copy())
    assert digest(flat.reshape(2, 3)) != digest(flat.reshape(3, 2))
    assert digest(flat) != digest(flat + 1)


def test_state_key_stays_while_the_weights_do() -> None:
    module = nn.Linear(3, 5)
    assert state_key(module) == state_key(module)
    assert state_key(module) != state_key(nn.Linear(3, 5))


@pytest.mark.parametrize("how", ["counted", "uncounted", "replaced", "scale", "loaded"])
def test_state_key_changes_with_the_weights(how: str) -> None:
    module = nn.Sequential(nn.Linear(3, 5), nn.Linear(5, 2))
    module[0].scaling = {"lora": 1.0}
    before = state_key(module)
    if how == "counted":
        with torch.no_grad():
            module[1].bias.add_(1)
    elif how == "uncounted":  # as merging a LoRA does
        module[0].weight.data += 1
    elif how == "replaced":
        module[0].weight = nn.Parameter(module[0].weight.detach().clone())
    elif how == "scale":
        module[0].scaling["lora"] = 0.5
    else:
        module.load_state_dict({name: value + 1 for name, value in module.state_dict().items()})
    assert state_key(module) != before


def test_keys_differ_in_every_part() -> None:
    latent = LatentKey(vae=1, picture="p", size=(3, 5))
    assert latent != LatentKey(vae=2, picture="p", size=(3, 5))
    assert latent != LatentKey(vae=1, picture="p", size=(5, 3))
    assert latent != LatentKey(vae=1, picture="p", size=(3, 5), kind="sample")
    whole = {
        "latent": latent,
        "texts": (TextKey(encoder=1, phrase="fox"),),
        "unet": 1,
        "timestep": 400,
        "seed": 0,
        "taps": ("mid",),
        "dtype": "float32",
    }
    other = {
        "latent": 0,
        "texts": (TextKey(encoder=1, phrase="owl"),),
        "unet": 2,
        "timestep": 300,
        "seed": 1,
        "taps": ("in.8",),
        "dtype": "float16",
    }
    for name, value in other.items():
        assert FeaturesKey(**whole) != FeaturesKey(**{**whole, name: value})
