"""Caches bounded in bytes, with keys that name everything a value depends on: a stale answer is worse than a slow one.

Latent: VAE, picture, size, mean or sample. Text: encoder, phrase. Features: latent, texts, UNet, t, seed, taps, dtype.
"""

import hashlib
import itertools
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

MEBIBYTE = 1024 * 1024


class ByteCache:
    """A mapping that forgets the least recently used values once they exceed `limit` bytes; safe between threads."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0
        self._entries: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> Any | None:
        """The value, now the most recently used, or None."""
        with self._lock:
            if key not in self._entries:
                return None
            self._entries.move_to_end(key)
            return self._entries[key][0]

    def put(self, key: Hashable, value: Any) -> None:
        """Keep a value (tensors, arrays, tuples and mappings of them); one larger than the limit is not kept."""
        size = size_in_bytes(value)
        with self._lock:
            self._drop(key)
            if size > self.limit:
                return
            self._entries[key] = (value, size)
            self.used += size
            while self.used > self.limit:
                self._drop(next(iter(self._entries)))

    def get_or(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """The kept value, or the one `make` gives, kept."""
        value = self.get(key)
        if value is None:
            value = make()
            self.put(key, value)
        return value

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._entries.clear()
            self.used = 0

    def __len__(self) -> int:
        return len(self._entries)

    def _drop(self, key: Hashable) -> None:
        if key in self._entries:
            self.used -= self._entries.pop(key)[1]


@dataclass(frozen=True)
class Caches:
    """The three caches of one backbone: latents and texts on its device, where they are small, features in main memory.

    Of SD 1.5 in half precision that is 256 latents of 512x512, 560 phrases, and the features of 90 phrases on a picture.
    """

    latents: ByteCache = field(default_factory=lambda: ByteCache(8 * MEBIBYTE))
    texts: ByteCache = field(default_factory=lambda: ByteCache(64 * MEBIBYTE))
    features: ByteCache = field(default_factory=lambda: ByteCache(256 * MEBIBYTE))

    def clear(self) -> None:
        """Forget everything."""
        for cache in (self.latents, self.texts, self.features):
            cache.clear()


@dataclass(frozen=True, kw_only=True)
class LatentKey:
    """What a latent depends on. `picture` is the digest of the pixels the network sees, `kind` mean or sample."""

    vae: Hashable
    picture: str
    size: tuple[int, int]
    kind: str = "mean"


@dataclass(frozen=True, kw_only=True)
class TextKey:
    """What text states depend on."""

    encoder: Hashable
    phrase: str


@dataclass(frozen=True, kw_only=True)
class FeaturesKey:
    """What harvested features depend on.

    All texts of the batch are in it: a row computed in another batch may differ in its last bits, and the same request
    has to give the same mask whatever was asked before.
    """

    latent: Hashable
    texts: tuple[TextKey, ...]
    unet: Hashable
    timestep: int
    seed: int
    taps: tuple[str, ...]
    dtype: str


def digest(array: np.ndarray) -> str:
    """A digest of an array's bytes, shape and type."""
    summed = hashlib.blake2b(np.ascontiguousarray(array).view(np.uint8).data, digest_size=16)
    summed.update(f"{array.shape}{array.dtype}".encode())
    return summed.hexdigest()


def size_in_bytes(value: Any) -> int:
    """Bytes of the tensors and arrays in a value, however nested."""
    if isinstance(value, Mapping):
        return sum(size_in_bytes(item) for item in value.values())
    if isinstance(value, (tuple, list)):
        return sum(size_in_bytes(item) for item in value)
    if hasattr(value, "nbytes"):
        return int(value.nbytes)
    return 0


_serials = itertools.count(1)
_naming = threading.Lock()
_known: "weakref.WeakKeyDictionary[Any, tuple[int, int]]" = weakref.WeakKeyDictionary()


def state_key(module: Any) -> int:
    """A number that stands for this module with its present weights; any change of them gives a new number.

    Seen are: parameters and buffers replaced, moved or written in place (torch counts writes; a sample of the values
    catches what bypasses the count, as merging a LoRA through `.data` does) and the scales of attached LoRA layers.
    """
    mark = hash(_signature(module))
    with _naming:  # two threads that ask at once get the same number
        known = _known.get(module)
        if known is None or known[0] != mark:
            known = (mark, next(_serials))
            _known[module] = known
        return known[1]


def _signature(module: Any) -> tuple[Any, ...]:
    parts: list[Any] = []
    for tensor in itertools.chain(module.parameters(), module.buffers()):
        parts.append((tensor.data_ptr(), 0 if tensor.is_inference() else tensor._version, tensor.dtype))
    scales = [repr(child.scaling) for child in module.modules() if isinstance(child.__dict__.get("scaling"), dict)]
    return (*parts, *scales, _sampled(module))


def _sampled(module: Any) -> tuple[float, ...]:
    """A few values of every weight matrix, read in one go."""
    import torch

    with torch.inference_mode():
        flat = [p.detach().reshape(-1)[:: max(1, p.numel() // 4)].float() for p in module.parameters() if p.ndim > 1]
        return tuple(torch.cat(flat).tolist()) if flat else ()
