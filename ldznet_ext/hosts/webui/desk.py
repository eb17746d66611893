"""The desk inside a web UI: what is loaded and what it can do, masks by the loaded checkpoint, and from what it has painted.

What is at hand is told without loading anything and without the queue; masks wait for the host's turn.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ldznet_ext.convertible import convert, convertible
from ldznet_ext.errors import LdznetError, PhraseError
from ldznet_ext.hosts.webui import settings as webui_settings
from ldznet_ext.hosts.webui.networks import Networks, split_networks
from ldznet_ext.result import FOUND
from ldznet_ext.ui.desk import About, Choice

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

    from ldznet_ext.hosts.webui.host import Host
    from ldznet_ext.hosts.webui.memory import Made, Memory
    from ldznet_ext.prompt.tree import Tree
    from ldznet_ext.request import MaskSettings
    from ldznet_ext.result import Segmentation
    from ldznet_ext.weights import HeadFile

HEADLESS = {
    "attention": "Attention (needs no head)",
    "maskdiffusion": "MaskDiffusion (needs no head)",
    "noise_difference": "Noise difference (needs no head, slow)",
}
TRAINED = {
    "ldznet": "LD-ZNet (trained head)",
    "znet": "ZNet (trained head, latent only)",
    "rgbnet": "RGBNet (trained head, pixels only)",
    "concat": "Concatenation (trained head)",
}
LABELS = {"auto": "Automatic: the best there is for the checkpoint", **TRAINED, **HEADLESS}
"""Every method that takes words, in the order in which "auto" prefers them."""


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
            return _about(
                message=f"{self.name} has no checkpoint loaded; the first mask or picture loads the one you chose."
            )
        try:
            backbone = self.host.borrow(model)
        except LdznetError as error:
            return _about(refusal=str(error), message=str(error))
        return _about(backbone.name, backbone.family)

    def mask(self, picture: "Image.Image | np.ndarray", settings: "MaskSettings") -> "Segmentation":
        """Find what the words name; `<lora:name:1>` among them is active for it, and no other."""
        words, networks = split_networks(settings.words)
        if not words.strip():
            raise PhraseError('No words were given; expected what to look for, so give some, for example "fox".')
        return self._find(picture, words, settings, networks)

    def regions(self, picture: "Image.Image | np.ndarray", prompt: str, settings: "MaskSettings") -> "Segmentation":
        """One answer for each thing the prompt names: found ones first, the likeliest before the others."""
        from ldznet_ext.prompt.nouns import things
        from ldznet_ext.prompt.tree import Phrase

        named = [Phrase(thing) for thing in things(prompt)]
        if not named:
            raise PhraseError(
                f'The prompt "{prompt[:60]}" names no thing; expected some, such as "a fox on snow", so give words yourself.'
            )
        found = self._find(picture, named, settings, Networks())
        ranked = sorted(found.phrases, key=lambda phrase: (phrase.status != FOUND, -phrase.score))
        return replace(found, phrases=tuple(ranked))

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
    ) -> "Segmentation":
        from ldznet_ext.masks.imaging import load_picture

        webui_settings.share_folders()
        pixels = load_picture(picture)
        made = None if networks.asked else self.memory.get(pixels)
        return self.host.turn(self._answer, pixels, words, settings, made, networks)

    def _answer(
        self,
        pixels: "np.ndarray",
        words: "str | Sequence[Tree]",
        settings: "MaskSettings",
        made: "Made | None",
        networks: Networks,
    ) -> "Segmentation":
        """In the host's turn, whatever it has loaded or loads now."""
        from ldznet_ext.hosts.webui.ask import ask

        try:
            self.host.backbone()
            return ask(self.host, pixels, words, settings, made, networks)
        finally:
            webui_settings.put_heads_away()


def _about(model: str = "", family: str = "", *, refusal: str = "", message: str = "") -> About:
    """What a checkpoint of this family can do; with `refusal`, why nothing can be done with it."""
    heads = _heads(family) if family else []
    kinds = [head.info.kind for head in heads if head.info is not None]
    choices = [
        Choice(name=name, label=label, why_not=refusal or _why_not(name, family, kinds))
        for name, label in LABELS.items()
    ]
    return About(
        model=model,
        family=family,
        methods=tuple(sorted(choices, key=lambda choice: bool(choice.why_not))),
        heads=tuple(dict.fromkeys(head.path.name for head in heads)),
        message=message,
        convertible=convertible(),
    )


def _why_not(name: str, family: str, kinds: list[Any]) -> str:
    """A sentence where a method needs a head and there is none; without a checkpoint nobody knows yet."""
    if name not in TRAINED or not family or name in kinds:
        return ""
    return f"There is no trained head of this kind for the family {family}, so put one into models/ldznet and refresh."


def _heads(family: str) -> "list[HeadFile]":
    """Whole heads of the family in the model folders."""
    from ldznet_ext.weights import head_files, model_folders

    return [head for folder in model_folders() for head in head_files(folder) if head.fits(family)]
