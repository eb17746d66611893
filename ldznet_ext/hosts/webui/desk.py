"""The desk inside a web UI: what is loaded and what it can do, masks by the loaded checkpoint, and from what it has painted.

What is at hand is told without loading anything and without the queue; masks wait for the host's turn.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from ldznet_ext.convertible import convert
from ldznet_ext.errors import LdznetError, PhraseError
from ldznet_ext.hosts.about import about_model
from ldznet_ext.hosts.regions import named, ranked
from ldznet_ext.hosts.webui import settings as webui_settings
from ldznet_ext.hosts.webui.networks import Networks, split_networks
from ldznet_ext.ui.desk import About
from ldznet_ext.watch import UNWATCHED, Watch

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

    from ldznet_ext.backbone import Backbone
    from ldznet_ext.hosts.memory import Made, Memory
    from ldznet_ext.hosts.webui.host import Host
    from ldznet_ext.like import Clicks
    from ldznet_ext.prompt.tree import Tree
    from ldznet_ext.request import MaskSettings
    from ldznet_ext.result import Labelling, Segmentation

Answer = TypeVar("Answer")


class WebuiDesk:
    """The loaded checkpoint's desk; `memory` holds what generations left."""

    def __init__(self, host: "Host", memory: "Memory") -> None:
        self.host, self.memory = host, memory

    @property
    def name(self) -> str:
        """What people call the host."""
        return self.host.name

    def about(self) -> About:
        """What is loaded and what it can do."""
        webui_settings.share_folders()
        model = self.host.loaded()
        if model is None:
            return about_model(
                message=f"{self.name} has no checkpoint loaded; the first mask or picture loads the one you chose."
            )
        try:
            backbone = self.host.borrow(model)
        except LdznetError as error:
            return about_model(refusal=str(error), message=str(error))
        return about_model(backbone.name, backbone.family)

    def mask(
        self, picture: "Image.Image | np.ndarray", settings: "MaskSettings", watch: Watch = UNWATCHED
    ) -> "Segmentation":
        """Find what the words name; `<lora:name:1>` among them is active for it, and no other."""
        words, networks = split_networks(settings.words)
        if not words.strip():
            raise PhraseError('No words were given; expected what to look for, so give some, for example "fox".')
        return self._find(picture, words, settings, networks, watch)

    def regions(
        self, picture: "Image.Image | np.ndarray", prompt: str, settings: "MaskSettings", watch: Watch = UNWATCHED
    ) -> "Segmentation":
        """One answer for each thing the prompt names: found ones first, the likeliest before the others."""
        return ranked(self._find(picture, named(prompt), settings, Networks(), watch))

    def classes(
        self,
        picture: "Image.Image | np.ndarray",
        names: "str | Sequence[str]",
        settings: "MaskSettings",
        watch: Watch = UNWATCHED,
        *,
        keep_absent: bool = False,
    ) -> "Labelling":
        """Every pixel with one of the names, or with none."""
        from ldznet_ext.classes import as_names
        from ldznet_ext.hosts.searches import label

        listed = as_names(names)
        return self._turn(watch, lambda backbone: label(picture, listed, settings, backbone, keep_absent=keep_absent))

    def like(
        self,
        picture: "Image.Image | np.ndarray",
        example: "np.ndarray | Clicks",
        others: "Sequence[Image.Image | np.ndarray]",
        settings: "MaskSettings",
        watch: Watch = UNWATCHED,
    ) -> "list[Segmentation]":
        """What looks like an example (its mask, or clicks on it): in the others, or in its own picture without any."""
        from ldznet_ext.hosts.searches import marked, seek

        segmenter = marked(picture, example)
        return self._turn(watch, lambda backbone: seek(segmenter, others, settings, backbone, watch))

    def heads_refresh(self) -> About:
        """Look into the model folders again, those of the settings too."""
        return self.about()

    def convert(self, name: str) -> str:
        """Convert a head of the authors' layout."""
        webui_settings.share_folders()
        return convert(name)

    def _find(
        self,
        picture: "Image.Image | np.ndarray",
        words: "str | Sequence[Tree]",
        settings: "MaskSettings",
        networks: Networks,
        watch: Watch,
    ) -> "Segmentation":
        from ldznet_ext.masks.imaging import load_picture

        webui_settings.share_folders()
        pixels = load_picture(picture)
        made = None if networks.asked else self.memory.get(pixels)
        watch.tell(0.0, f"waiting for {self.name}")
        return self.host.turn(self._answer, pixels, words, settings, made, networks, watch)

    def _answer(
        self,
        pixels: "np.ndarray",
        words: "str | Sequence[Tree]",
        settings: "MaskSettings",
        made: "Made | None",
        networks: Networks,
        watch: Watch,
    ) -> "Segmentation":
        """In the host's turn, whatever it has loaded or loads now; nothing of it where it was cancelled while it waited."""
        from ldznet_ext.hosts.webui.ask import ask

        watch.tell(0.1, "looking")
        try:
            self.host.backbone()
            return ask(self.host, pixels, words, settings, made, networks)
        finally:
            webui_settings.put_heads_away()

    def _turn(self, watch: Watch, work: "Callable[[Backbone], Answer]") -> "Answer":
        """A piece of work with the model at hand, in the host's turn; none of it where it was cancelled while it waited."""

        def turned() -> "Answer":
            watch.tell(0.1, "looking")
            try:
                return work(self.host.backbone())
            finally:
                webui_settings.put_heads_away()

        webui_settings.share_folders()
        watch.tell(0.0, f"waiting for {self.name}")
        return self.host.run(turned)
