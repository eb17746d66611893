"""LD-ZNet: the latent, the words and the diffusion model's features (arXiv 2303.12343)."""

from typing import ClassVar

from ldznet_ext.segmenters.base import register
from ldznet_ext.segmenters.heads import HeadSegmenter


@register("ldznet")
class LDZNetSegmenter(HeadSegmenter):
    """LD-ZNet as a method."""

    kind: ClassVar[str] = "ldznet"
    rank: ClassVar[int] = 40
