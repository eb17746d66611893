"""Noise of a training step: drawn where it is needed, from the step's own generator."""

import torch
from torch import Tensor

SEEDS = 2**62


def gaussian(shape: tuple[int, ...] | torch.Size, noise: torch.Generator, device: torch.device) -> Tensor:
    """Standard normal float32 on `device`; `noise` is the step's CPU generator, which elsewhere gives the seed alone."""
    if device.type == "cpu":
        return torch.randn(shape, generator=noise)
    seed = int(torch.randint(SEEDS, (1,), generator=noise))
    return torch.randn(shape, generator=torch.Generator(device).manual_seed(seed), device=device)
