"""A large picture through the auto-encoder's encoder in tiles: the numbers of the whole pass, in a fraction of its memory.

Tiles by themselves would differ from the whole, for a group norm looks at all of a picture: colours would jump where tiles meet.
So what each norm has to know is gathered from all tiles first, a level being walked once for each of its norms, up to there:
about 2.3 times the work. The deepest level and the attention in it are small enough to stay whole.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ldznet_ext.shapes import Float

if TYPE_CHECKING:
    from ldznet_ext.hosts.autoencoder import Encoder

TILE = 1 << 23
"""Values that a tile has in its level, without its margin: 256x256 cells of the finest, whose 128 channels they are."""
WHOLE, WHOLE_ON_CPU = 640 * 1024, 1280 * 1024
"""Pixels of the largest picture that is encoded in one piece, which takes 0.84 GB in half precision and 3.4 GB in float32."""

Walk = Generator[tuple[nn.GroupNorm, Tensor], Tensor, Tensor]
"""A pass over a tile: it yields each norm with what that is to normalise, is sent the answer, and returns what comes out."""
Entry = Callable[[Tensor], Tensor]
Level = Any
"""`autoencoder.Level`: torch does not say what a list of modules is of."""


def is_large(pixels: Float[Tensor, "b 3 h w"]) -> bool:
    """Whether a picture is encoded in tiles: over 0.66 megapixels on an accelerator, over 1.3 on a CPU."""
    height, width = pixels.shape[-2:]
    return height * width > (WHOLE_ON_CPU if pixels.device.type == "cpu" else WHOLE)


def encode_in_tiles(
    encoder: "Encoder", pixels: Float[Tensor, "b 3 h w"], tile: int = TILE
) -> Float[Tensor, "b m lh lw"]:
    """What `encoder(pixels)` gives, but for the rounding of its sums. The sides are multiples of the encoder's factor."""
    x, entry = pixels, encoder.conv_in
    for level in encoder.down_blocks[:-1]:
        x, entry = _through(level, x, entry, tile), nn.Identity()
    return encoder.finish(encoder.down_blocks[-1](x))


@dataclass(frozen=True)
class Moments:
    """Mean and variance of every group of channels (b groups), float32."""

    mean: Tensor
    variance: Tensor

    @classmethod
    def of(cls, norm: nn.GroupNorm, tiles: Iterable[Float[Tensor, "b c h w"]]) -> "Moments":
        """Of all tiles together."""
        counts, means, variances = [], [], []
        for tile in tiles:
            grouped = tile.float().reshape(tile.shape[0], norm.num_groups, -1)
            variance, mean = torch.var_mean(grouped, dim=-1, correction=0)
            counts.append(float(grouped.shape[-1]))
            means.append(mean)
            variances.append(variance)
        weights = (torch.tensor(counts, device=means[0].device) / sum(counts))[:, None, None]
        mean = (weights * torch.stack(means)).sum(dim=0)
        spread = (torch.stack(means) - mean).square()
        return cls(mean, (weights * (torch.stack(variances) + spread)).sum(dim=0))

    def normalise(self, norm: nn.GroupNorm, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """What the norm would make of a tile if it saw all of the picture."""
        each = norm.num_channels // norm.num_groups
        scale = (self.variance + norm.eps).rsqrt().repeat_interleave(each, dim=1) * norm.weight.float()
        shift = norm.bias.float() - self.mean.repeat_interleave(each, dim=1) * scale
        wide = x.to(torch.float32, copy=True)
        return wide.mul_(scale[..., None, None]).add_(shift[..., None, None]).to(x.dtype)


Known = Mapping[nn.GroupNorm, Moments]


def _through(level: Level, x: Float[Tensor, "b c h w"], entry: Entry, tile: int) -> Float[Tensor, "b c2 h2 w2"]:
    """A level and its halving of the size; `entry` comes before the level in each tile's pass."""
    side = max(2, int((tile / level.downsamplers[0].conv.in_channels) ** 0.5) // 2 * 2)
    margin = 2 * len(level.resnets) + 2  # as far as the convolutions look, and even
    known: dict[nn.GroupNorm, Moments] = {}
    for block in level.resnets:
        for norm in (block.norm1, block.norm2):
            pieces = _cut(x, side, margin)
            known[norm] = Moments.of(
                norm, (piece.inner(_reach(_walk(level, entry(piece.x)), norm, known)) for piece in pieces)
            )
    joined = None
    for piece in _cut(x, side, margin):
        made = _finish(_walk(level, entry(piece.x)), known)
        if joined is None:
            joined = _room_for(made, x)
        piece.put(made, joined)
    assert joined is not None, "a picture has at least one tile"
    return joined


def _walk(level: Level, x: Tensor) -> Walk:
    """`Level.forward`, which asks for its norms."""
    for block in level.resnets:
        h = block.conv1(F.silu((yield block.norm1, x)))
        h = block.conv2(F.silu((yield block.norm2, h)))
        x = h + (block.conv_shortcut(x) if block.changes else x)
        del h
    return level.downsamplers[0](x)


def _reach(walk: Walk, norm: nn.GroupNorm, known: Known) -> Tensor:
    """Walk as far as a norm: what that is to normalise."""
    asked, x = next(walk)
    while asked is not norm:
        asked, x = walk.send(known[asked].normalise(asked, x))
    return x


def _finish(walk: Walk, known: Known) -> Tensor:
    """Walk to the end."""
    try:
        asked, x = next(walk)
        while True:
            asked, x = walk.send(known[asked].normalise(asked, x))
    except StopIteration as end:
        return end.value


@dataclass(frozen=True)
class _Piece:
    """A tile with its margin, which ends where the picture does."""

    x: Tensor
    rows: range
    columns: range
    above: int
    left: int

    def inner(self, made: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h2 w2"]:
        """Of something of the piece's own size, the tile without its margin."""
        return made[..., self.above :, self.left :][..., : len(self.rows), : len(self.columns)]

    def put(self, made: Float[Tensor, "b c h2 w2"], joined: Tensor) -> None:
        """Of something of half the piece's size, the tile into its place."""
        inner = made[..., self.above // 2 :, self.left // 2 :][..., : len(self.rows) // 2, : len(self.columns) // 2]
        rows, columns = (slice(each.start // 2, each.stop // 2) for each in (self.rows, self.columns))
        joined[..., rows, columns] = inner


def _cut(x: Float[Tensor, "b c h w"], side: int, margin: int) -> Iterator[_Piece]:
    """Tiles, row by row."""
    height, width = x.shape[-2:]
    for top in range(0, height, side):
        for left in range(0, width, side):
            rows, columns = range(top, min(top + side, height)), range(left, min(left + side, width))
            above, before = min(top, margin), min(left, margin)
            part = x[..., top - above : rows.stop + margin, left - before : columns.stop + margin]
            yield _Piece(part, rows, columns, above, before)


def _room_for(made: Tensor, x: Tensor) -> Tensor:
    """Room for all tiles, laid out in memory as one of them is."""
    last = made.is_contiguous(memory_format=torch.channels_last)
    layout = torch.channels_last if last else torch.contiguous_format
    shape = (*made.shape[:2], x.shape[-2] // 2, x.shape[-1] // 2)
    return torch.empty(shape, dtype=made.dtype, device=made.device, memory_format=layout)
