"""What generations left of their pictures, so that words asked later cost no pass of the diffusion model.

A picture is known again by its pixels: exactly, or nearly, for a gallery may hold it as JPEG. The least recently used are
forgotten once all together exceed a limit in bytes.
"""

import threading
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ldznet_ext.caches import MEBIBYTE, digest
from ldznet_ext.geometry import Box, Size

if TYPE_CHECKING:
    from torch import Tensor

    from ldznet_ext.backbone import Backbone
    from ldznet_ext.harvest.sampling import Kept

LIMIT = 256 * MEBIBYTE
SIDE = 16
"""Side of the thumbnail by which a picture is known again."""
NEAR = 4
"""Levels (of 255) by which no value of two thumbnails of one picture differs: JPEG moves a mean less, an edit moves it more."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Made:
    """What a generation left of one picture.

    latent: scaled (1 c lh lw), None where the host had decoded it already. kept: calls of the UNet, one row each. prompt: the
    picture's. grid: the latent's size. box: the part of the picture that the model saw ("only masked"); None for all of it.
    model: a key of the UNet that painted it (`unet_key`). networks: a key of the LoRAs it was painted with (`Host.active`).
    """

    latent: "Tensor | None"
    kept: "tuple[Kept, ...]"
    prompt: str
    grid: Size
    box: Box | None = None
    model: Hashable = None
    networks: Hashable = ()

    @property
    def nbytes(self) -> int:
        """Bytes of its tensors."""
        held = [] if self.latent is None else [self.latent]
        for kept in self.kept:
            held += [kept.latent, *kept.features.values()]
        return sum(tensor.nbytes for tensor in held)


class _Entry(NamedTuple):
    size: Size
    thumbnail: np.ndarray
    made: Made
    nbytes: int


class Memory:
    """The last pictures made, at most `limit` bytes of them; safe between threads.

    on_cpu: keep them in main memory, where a later answer has to fetch them from; otherwise where they are.
    """

    def __init__(self, limit: int = LIMIT, *, on_cpu: bool = False) -> None:
        self.limit, self.on_cpu = limit, on_cpu
        self.used = 0
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, picture: np.ndarray, made: Made) -> None:
        """Remember what was left of a picture, uint8 (h w 3); nothing that exceeds the limit alone."""
        key, nbytes = digest(picture), made.nbytes
        with self._lock:
            self._drop(key)
            if nbytes > self.limit:
                return
            kept = _own(made, on_cpu=self.on_cpu)
            self._entries[key] = _Entry(Size(*picture.shape[:2]), thumbnail(picture), kept, nbytes)
            self.used += nbytes
            self._shrink()

    def get(self, picture: np.ndarray) -> Made | None:
        """What was left of this picture, or of one that looks the same but for its compression; now the most recently used."""
        key = digest(picture)
        with self._lock:
            if key not in self._entries:
                key = self._nearest(picture)
            if key is None:
                return None
            self._entries.move_to_end(key)
            return self._entries[key].made

    def resize(self, limit: int, *, on_cpu: bool) -> None:
        """Other bounds from now on."""
        with self._lock:
            self.limit, self.on_cpu = limit, on_cpu
            self._shrink()

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._entries.clear()
            self.used = 0

    def __len__(self) -> int:
        return len(self._entries)

    def _nearest(self, picture: np.ndarray) -> str | None:
        """The latest picture of the same size that differs nowhere by more than compression."""
        small, size = thumbnail(picture), Size(*picture.shape[:2])
        for key, entry in reversed(self._entries.items()):
            if entry.size == size and np.abs(entry.thumbnail - small).max() <= NEAR:
                return key
        return None

    def _shrink(self) -> None:
        while self.used > self.limit:
            self._drop(next(iter(self._entries)))

    def _drop(self, key: str) -> None:
        if key in self._entries:
            self.used -= self._entries.pop(key).nbytes


def thumbnail(picture: np.ndarray) -> np.ndarray:
    """Means over areas of a picture (h w 3), float32 (16 16 3)."""
    from ldznet_ext.masks.imaging import stretch

    return stretch(picture.astype(np.float32), Size(SIDE, SIDE))


def unet_key(backbone: "Backbone") -> Hashable:
    """What stands for the checkpoint that is loaded: another one's layers know nothing of what this one's left.

    Its file where there is one: hosts drop a checkpoint (for a refiner, for another picture) and load it again.
    """
    return backbone.name, getattr(backbone, "file_key", None) or id(backbone.unet)


def _own(made: Made, *, on_cpu: bool) -> Made:
    """The same with tensors of its own: a row of a batch would keep the whole batch alive."""
    return replace(
        made,
        latent=None if made.latent is None else _alone(made.latent, on_cpu),
        kept=tuple(
            replace(
                kept,
                features={tap: _alone(tensor, on_cpu) for tap, tensor in kept.features.items()},
                latent=_alone(kept.latent, on_cpu),
            )
            for kept in made.kept
        ),
    )


def _alone(tensor: "Tensor", on_cpu: bool) -> "Tensor":
    from ldznet_ext.harvest.hooks import pick

    whole = tensor.untyped_storage().nbytes() == tensor.nbytes
    return pick(tensor, device="cpu" if on_cpu else None, clone=not whole)
