"""LD-ZNet's variant that joins the features by concatenation (arXiv 2303.12343, Table 4)."""

from typing import ClassVar

from ldznet_ext.segmenters.base import register
from ldznet_ext.segmenters.heads import HeadSegmenter


@register("concat")
class ConcatSegmenter(HeadSegmenter):
    """Concatenation as a method."""

    kind: ClassVar[str] = "concat"
    rank: ClassVar[int] = 30
