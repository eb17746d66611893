"""What a desk looks for beyond words: a name for every pixel, and what looks like a marked example. The same for every desk.

Always called with the model at hand.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ldznet_ext.request import LOOKED
from ldznet_ext.watch import UNWATCHED, Watch

if TYPE_CHECKING:
    import numpy as np

    from ldznet_ext.backbone import Backbone
    from ldznet_ext.like import Clicks
    from ldznet_ext.masks.imaging import Picture
    from ldznet_ext.request import MaskSettings
    from ldznet_ext.result import Labelling, Segmentation
    from ldznet_ext.segmenters.example import ExampleSegmenter


def label(
    picture: "Picture",
    names: Sequence[str],
    settings: "MaskSettings",
    backbone: "Backbone",
    watch: Watch = UNWATCHED,
    *,
    keep_absent: bool = False,
) -> "Labelling":
    """Every pixel with one of the names, or with none."""
    from ldznet_ext.classes import classes

    watch.tell(0.1, "labelling")
    return classes(
        picture, names, backbone=backbone, method=settings.method, keep_absent=keep_absent, **_asked(settings)
    )


def marked(picture: "Picture", example: "np.ndarray | Clicks") -> "ExampleSegmenter":
    """The example, checked before anybody waits: its mask, bool (h w) or uint8, or clicks (x, y) on it."""
    from ldznet_ext.like import mark
    from ldznet_ext.segmenters.example import ExampleSegmenter

    return ExampleSegmenter(mark(picture, example))


def seek(
    example: "ExampleSegmenter",
    others: "Sequence[Picture]",
    settings: "MaskSettings",
    backbone: "Backbone",
    watch: Watch = UNWATCHED,
) -> "list[Segmentation]":
    """What looks like the example in each of the others, or in its own picture without any."""
    from ldznet_ext.like import seek as look

    searched = list(others) or [example.marked.picture]
    results = []
    for number, one in enumerate(searched):
        watch.tell(number / len(searched), f"searching picture {number + 1} of {len(searched)}")
        results.append(look(example, one, backbone, **_asked(settings)))
    return results


def _asked(settings: "MaskSettings") -> dict[str, Any]:
    """What of the settings concerns the model's answer; the rest shapes the mask that is cut of it."""
    return {name: getattr(settings, name) for name in LOOKED if name != "sam"}  # it outlines words
