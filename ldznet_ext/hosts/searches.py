"""What a desk looks for beyond words: a name for every pixel, and what looks like a marked example. The same for every desk.

Always called with the model at hand.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ldznet_ext.request import LOOKED, OF_WORDS
from ldznet_ext.watch import UNWATCHED, Watch

if TYPE_CHECKING:
    import numpy as np

    from ldznet_ext.backbone import Backbone
    from ldznet_ext.hosts.memory import Made
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
    made: "Made | None" = None,
    *,
    keep_absent: bool = False,
) -> "Labelling":
    """Every pixel with one of the names, or with none. made: what the picture's generation left; then no pass is made."""
    from ldznet_ext.classes import label as walk
    from ldznet_ext.classes import pick_labeller
    from ldznet_ext.hosts.answer import look_at
    from ldznet_ext.masks.imaging import load_picture
    from ldznet_ext.pipeline import as_request
    from ldznet_ext.segmenters.base import Clock

    segmenter, clock = pick_labeller(settings.method, backbone), Clock()
    request = as_request(names, settings.method, exclusive=True, **_asked(settings))
    with clock("encode"):
        view = look_at(load_picture(picture), made, segmenter, settings, backbone)
    return walk(view, request, backbone, segmenter, clock, keep_absent=keep_absent)


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
    return {name: getattr(settings, name) for name in LOOKED if name not in OF_WORDS}
