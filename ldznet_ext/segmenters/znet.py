"""ZNet: the latent and the words, without diffusion features (arXiv 2303.12343, section 3.2)."""

from typing import ClassVar

from ldznet_ext.segmenters.base import register
from ldznet_ext.segmenters.heads import HeadSegmenter


@register("znet")
class ZNetSegmenter(HeadSegmenter):
    """ZNet as a method."""

    kind: ClassVar[str] = "znet"
    rank: ClassVar[int] = 20
