"""Asking for words under the right networks (LoRA), within a hook of a generation or in a turn of our own.

Exactly those are active that the words name. Only what the attentions left of a picture is asked under the networks that
painted it: their queries and our keys must come of the same weights. Where those are not active any more, a pass is made.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ldznet_ext.geometry import Size
from ldznet_ext.hosts.answer import answer, reads_attentions, serves, wanted_for
from ldznet_ext.hosts.webui.networks import AS_THEY_ARE, Networks

if TYPE_CHECKING:
    import numpy as np

    from ldznet_ext.hosts.memory import Made
    from ldznet_ext.hosts.webui.host import Host
    from ldznet_ext.prompt.tree import Tree
    from ldznet_ext.request import MaskSettings
    from ldznet_ext.result import Segmentation


def ask(
    host: "Host",
    picture: "np.ndarray",
    phrases: "str | Sequence[str | Tree]",
    settings: "MaskSettings",
    made: "Made | None",
    asked: Networks | None = None,
) -> "Segmentation":
    """What the phrases name in a picture, uint8 (h w 3). made: what its generation left; asked: the networks the words name."""
    left, under = _under_which(host, Size(*picture.shape[:2]), settings, made, asked or Networks())
    with host.inside(under):
        return answer(picture, phrases, settings, host.borrow(host.loaded()), left)


def _under_which(
    host: "Host", size: Size, settings: "MaskSettings", made: "Made | None", asked: Networks
) -> "tuple[Made | None, Networks]":
    """What of a generation may be used, and the networks to ask under; without anything left it is a pass of our own."""
    if made is None or asked.asked:
        return None, asked  # it was painted with other networks than the words ask for
    if not made.networks:
        return made, asked
    backbone = host.borrow(host.loaded())
    wanted = wanted_for(settings, backbone)
    if not reads_attentions(wanted):
        return made, asked  # a head's words are always the checkpoint's own
    if made.networks == host.active() and serves(made, wanted, size, backbone):
        return made, AS_THEY_ARE
    return None, asked
