"""Word-pixel contrast: in the text attentions of a head every cell learns which of all names is its own.

One binary mask per phrase is a weak lesson: a network first learns what an object looks like at all, and stays there. Here
the queries of the text attentions (`attn2`) are compared, cell by cell, with the keys of every name that Sticker World has;
so words and pixels meet in the very space in which the attention compares them. After LSeg (Li et al., 2022, arXiv
2201.03546), where pixels are compared with all labels' texts; inside attention after TokenCompose (Wang et al., CVPR 2024).

Only the descending side of a head is taught, and under words drawn blindly: a phrase that is asked for is mostly in the
picture, and cells would learn to repeat it. Nothing is added to the head.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

from ldznet_ext.nets.attention import CrossAttention, TransformerBlock
from ldznet_ext.nets.blocks import SpatialTransformer
from ldznet_ext.nets.znet import ZNet
from ldznet_ext.train.latents import CELL
from ldznet_ext.train.tokenizer import POSITIONS
from ldznet_ext.world.concepts import named
from ldznet_ext.world.grounds import GROUNDS, SKIES
from ldznet_ext.world.scenes import Scene

PLACES = (4, 5, 7, 8)
"""Input blocks whose text attention is taught; before the second level a cell sees too little of an object."""
WORD_SHARE = 1 / 3
"""How often a name is taken at its last word; else at the end of the text or at a padding, which tell it too."""
SHARPNESS = 4.0
"""Factor on the mean of the heads' logits: the heads share the work."""
WRONG_NAMES = 12.0
"""So many wrong names count as much as the right one, when each is asked for alone."""
OBJECTS_COUNT = 3.0
"""How much more a cell of an object counts than one of a region."""


@lru_cache(maxsize=1)
def names() -> tuple[tuple[str, ...], ...]:
    """What a cell may show: the 64 named objects and the regions, each with its synonyms."""
    regions = (*GROUNDS, *SKIES)
    return (*(concept.words for concept in named()), *((region.name, *region.synonyms) for region in regions))


@lru_cache(maxsize=1)
def numbers() -> dict[str, int]:
    """First word of each of `names()` -> its place there."""
    return {words[0]: number for number, words in enumerate(names())}


def shares(mask: np.ndarray) -> np.ndarray:
    """Part of every latent cell that a mask (bool h w) covers: float32 (h/8 w/8), 0..1."""
    return rearrange(mask, "(h a) (w b) -> h w a b", a=CELL, b=CELL).mean((2, 3), dtype=np.float32)


def shown_in(painted: Scene) -> list[tuple[str, np.ndarray]]:
    """Names and masks (bool h w) of all objects and regions of a scene."""
    regions = ((painted.ground, painted.ground_mask), (painted.sky, painted.sky_mask))
    things = [(thing.concept.name, thing.mask) for thing in painted.objects]
    return things + [(region.name, mask) for region, mask in regions if region is not None]


def areas(painted: Scene) -> Tensor:
    """Part of every latent cell that each of `names()` fills: float32 (names h/8 w/8), 0..1."""
    height, width = painted.ground_mask.shape
    filled = np.zeros((len(names()), height // CELL, width // CELL), np.float32)
    for name, mask in shown_in(painted):
        filled[numbers()[name]] += shares(mask)
    return torch.from_numpy(filled)


@dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """Text states of every word of every name.

    states: (words 77 d); of: which name each word stands for (words,); last: where its last token is (words,).
    """

    states: Tensor
    of: Tensor
    last: Tensor

    @classmethod
    def read(cls, encode: Callable[[list[str]], Tensor], tokens: Callable[[list[str]], Tensor]) -> "Vocabulary":
        """From a text encoder (texts -> states b 77 d) and its tokenizer (texts -> ids b 77)."""
        words = [word for group in names() for word in group]
        of = [number for number, group in enumerate(names()) for _ in group]
        ends = tokens(words).argmax(dim=1)  # the end's id is the greatest of all, and its first place is found
        return cls(states=encode(words).cpu(), of=torch.tensor(of), last=ends - 1)

    def texts(self, count: int, noise: torch.Generator) -> Tensor:
        """States (count 77 d) of words drawn blindly."""
        return self.states[torch.randint(len(self.of), (count,), generator=noise)]

    def draw(self, noise: torch.Generator) -> tuple[Tensor, Tensor]:
        """One state of one word of each name (names d), and the state that every text begins with (d,)."""
        order = torch.randperm(len(self.of), generator=noise)
        chosen = torch.empty(int(self.of.max()) + 1, dtype=torch.long)
        chosen[self.of[order]] = order  # one of several words for a name stays
        last, length = self.last[chosen], self.states.shape[1]
        at_word, late = torch.rand(2, len(chosen), generator=noise)
        place = torch.where(at_word < WORD_SHARE, last, last + 1 + (late * (length - 1 - last)).long())
        return self.states[chosen, place], self.states[0, 0]


def descend(head: ZNet, source: Tensor, context: Tensor) -> dict[int, Tensor]:
    """Queries (b cells c) of the text attentions at PLACES, the cheap half of a pass.

    The one place that takes a feature in does so after its text attention, so nothing of the diffusion model is needed.
    """
    seen: dict[int, Tensor] = {}
    hooks = [
        text_attention(head, place).to_q.register_forward_hook(
            lambda module, inputs, output, place=place: seen.update({place: output})
        )
        for place in PLACES
    ]
    try:
        emb, (x, _) = head.embed(torch.zeros(1, device=source.device)), head.enter(source)
        for index, block in enumerate(head.input_blocks[: PLACES[-1] + 1]):
            channels = head.tap_channels.get(f"in.{index}")
            blank = None if channels is None else x.new_zeros(1, channels, *x.shape[-2:])
            x = block(x, emb, context, blank)
    finally:
        for hook in hooks:
            hook.remove()
    return seen


def text_attention(head: ZNet, place: int) -> CrossAttention:
    """The attention to the text in an input block."""
    layer = next(layer for layer in head.input_blocks[place].children() if isinstance(layer, SpatialTransformer))
    block = layer.transformer_blocks[0]
    assert isinstance(block, TransformerBlock)
    return block.attn2


def contrast(
    head: ZNet, queries: dict[int, Tensor], drawn: tuple[Tensor, Tensor], filled: Tensor
) -> tuple[Tensor, Tensor]:
    """The loss, a mean over places, and the part of the objects' cells that find their name, at the last place.

    queries: of `descend`; drawn: of `Vocabulary.draw`; filled: `areas` of every row (b names h w).
    """
    losses, right, states = [], torch.zeros(()), [part.to(filled.device) for part in drawn]
    for place, query in queries.items():
        match = matches(text_attention(head, place), query, *states)
        truth = shrunk(filled, query.shape[1])
        losses.append(one_of_all(match, truth) + each_alone(match / SHARPNESS, truth))
        right = named_right(match.detach(), truth)
    return torch.stack(losses).mean(), right


def matches(attention: CrossAttention, query: Tensor, states: Tensor, begin: Tensor) -> Tensor:
    """How much more a cell attends to a name than to the text's beginning, where what matches nothing looks.

    (b cells names): SHARPNESS times the attention's own logits, a mean over its heads.
    """
    keys = attention.to_k(states) - attention.to_k(begin)
    width = query.shape[-1] // attention.heads
    return (query @ keys.T.to(query.dtype)).float() * (SHARPNESS / attention.heads / math.sqrt(width))


def shrunk(filled: Tensor, cells: int) -> Tensor:
    """(b names h w) averaged down to that many cells: (b cells names)."""
    factor = math.isqrt(filled.shape[-2] * filled.shape[-1] // cells)
    return rearrange(F.avg_pool2d(filled, factor), "b n h w -> b (h w) n")


def one_of_all(match: Tensor, truth: Tensor) -> Tensor:
    """Cross-entropy of a cell's names by the area they fill; what has no name looks at the beginning."""
    nothing = (1 - truth.sum(-1, keepdim=True)).clamp(min=0)
    logits = torch.cat([torch.zeros_like(match[..., :1]), match], dim=-1)
    wrong = -(torch.cat([nothing, truth], dim=-1) * logits.log_softmax(-1)).sum(-1)
    weight = 1 + OBJECTS_COUNT * truth[..., : len(named())].sum(-1)
    return (wrong * weight).sum() / weight.sum()


def each_alone(match: Tensor, truth: Tensor) -> Tensor:
    """Whether the attention to a text of this name alone leaves its beginning where, and only where, a cell shows it.

    Otherwise nearly all attention stays with the padding, which tells the name as well and weighs as its number; a right and
    a wrong word would then bring the same. match: the attention's own logits (b cells names).
    """
    logits = match + math.log(POSITIONS - 1)
    right = (F.softplus(-logits) * truth).sum(-1)
    wrong = (F.softplus(logits) * (1 - truth)).sum(-1) / WRONG_NAMES
    weight = 1 + OBJECTS_COUNT * truth[..., : len(named())].sum(-1)
    return ((right + wrong) * weight).sum() / weight.sum()


def named_right(match: Tensor, truth: Tensor) -> Tensor:
    """Part of the cells that show one object whose strongest object's name is right."""
    objects = len(named())
    sure = truth[..., :objects].amax(-1) > 0.6
    hits = match[..., :objects].argmax(-1) == truth[..., :objects].argmax(-1)
    return (hits & sure).sum() / sure.sum().clamp(min=1)
