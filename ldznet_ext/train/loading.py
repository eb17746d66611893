"""From painting processes to the device: samples travel as bytes, a quarter of their size, and arrive as the floats they were."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

LEVELS = {"pixels": (127.5, -1.0), "masks": (1.0, 0.0), "areas": (64.0, 0.0)}
"""By name: bytes a unit, and the value of byte 0. Pictures are of 256 levels, masks of two, and a latent cell has 64 pixels."""


class Packed(Dataset):
    """The samples of another dataset with what LEVELS names as bytes."""

    def __init__(self, samples: Dataset) -> None:
        self.samples = samples

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {
            name: _bytes(value, *LEVELS[name]) if name in LEVELS else value
            for name, value in self.samples[index].items()
        }


def unpacked(batch: dict[str, Any], device: torch.device | str) -> dict[str, Any]:
    """A batch on its device, its bytes floats again, bit for bit those that were packed."""
    moved = {k: v.to(device, non_blocking=True) if isinstance(v, Tensor) else v for k, v in batch.items()}
    return {k: _floats(v, *LEVELS[k]) if k in LEVELS and v.dtype == torch.uint8 else v for k, v in moved.items()}


def loader(samples: Dataset, *, workers: int, pinned: bool = False, **how: Any) -> DataLoader:
    """A DataLoader whose processes paint with one thread each."""
    return DataLoader(
        samples,
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=pinned,
        worker_init_fn=_alone if workers else None,
        **how,
    )


def rounds(indices: range, size: int) -> Iterable[range]:
    """`indices` in turns of `size`, the last one shorter."""
    return (indices[start : start + size] for start in range(0, len(indices), size))


def _alone(worker: int) -> None:
    import cv2

    cv2.setNumThreads(0)


def _bytes(value: Tensor, levels: float, lowest: float) -> Tensor:
    return ((value - lowest) * levels).round().to(torch.uint8)


def _floats(value: Tensor, levels: float, lowest: float) -> Tensor:
    return value.float() / levels + lowest
