"""SDXL's two text towers side by side, and the vector it is told beside them (arXiv 2307.01952, 2.1-2.2).

Follows Stability-AI/generative-models `sgm/modules/encoders/modules.py`: of both towers the layer before the last, without a
norm; of the second one also the last layer's end token, projected.
"""

import torch
from torch import Tensor, nn

from ldznet_ext.geometry import Size
from ldznet_ext.hosts.clip_text import ClipText, TextConfig
from ldznet_ext.nets.unet import timestep_embedding
from ldznet_ext.shapes import Float, Int

SIZE_WIDTH = 256
"""Channels that each of the six numbers of sizes becomes."""


class DualText(nn.Module):
    """CLIP L and OpenCLIP bigG. Each has its own token ids: they pad with different tokens."""

    def __init__(self, first: TextConfig, second: TextConfig, projection: int) -> None:
        super().__init__()
        self.first = ClipText(first)
        self.second = ClipText(second)
        self.text_projection = nn.Linear(second.hidden_size, projection, bias=False)

    @property
    def width(self) -> int:
        """Channels of the text states: those of both towers, one after the other."""
        return self.first.width + self.second.width

    def forward(
        self, first: Int[Tensor, "b tokens"], second: Int[Tensor, "b tokens"], end: int
    ) -> tuple[Float[Tensor, "b tokens c"], Float[Tensor, "b p"]]:
        """Text states, and the pooled text. end: the place of the end token, behind the last word."""
        states, _ = self.first.last_two(first)
        more, last = self.second.last_two(second)
        return torch.cat([states, more], dim=-1), self.text_projection(last[:, end])


def size_vector(pooled: Float[Tensor, "b p"], size: Size) -> Float[Tensor, "b v"]:
    """What SDXL adds to the time: the pooled text, and that the picture is whole and of this size in pixels."""
    numbers = [*size, 0, 0, *size]  # of the original, of the crop's upper left corner, of what is wanted
    told = timestep_embedding(torch.tensor(numbers, device=pooled.device), SIZE_WIDTH).flatten()
    return torch.cat([pooled, told.to(pooled.dtype).expand(len(pooled), -1)], dim=-1)
