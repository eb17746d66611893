"""RGBNet: the baseline over pixels and words (arXiv 2303.12343, section 4)."""

from typing import ClassVar

from ldznet_ext.segmenters.base import register
from ldznet_ext.segmenters.heads import HeadSegmenter


@register("rgbnet")
class RGBNetSegmenter(HeadSegmenter):
    """RGBNet as a method."""

    kind: ClassVar[str] = "rgbnet"
    rank: ClassVar[int] = 10
