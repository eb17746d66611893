"""The desk: what a panel or a route asks for a mask, whatever host answers.

A web UI's desk borrows the loaded checkpoint; the stand-alone app's loads its own. Whoever asks knows neither.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from ldznet_ext.errors import LdznetError

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

    from ldznet_ext.request import MaskSettings
    from ldznet_ext.result import Segmentation
    from ldznet_ext.watch import Watch

AUTO = "auto"


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A method a person may choose: `why_not` is empty, or says in a sentence why it cannot be chosen now."""

    name: str
    label: str
    why_not: str = ""


@dataclass(frozen=True, kw_only=True)
class About:
    """What is at the desk now.

    model, family: of the loaded checkpoint, empty where none is loaded. methods: all, those that fit first. heads: names of
    the trained heads of this family. message: a sentence a person should read, or empty. convertible: files in the model
    folders that are heads in the authors' layout, to be converted once.
    """

    model: str = ""
    family: str = ""
    methods: tuple[Choice, ...] = ()
    heads: tuple[str, ...] = ()
    message: str = ""
    convertible: tuple[str, ...] = ()


class Desk(Protocol):
    """Answers for one host. Every refusal is an LdznetError of one sentence.

    name: for people, such as "A1111 v1.10.1" or "pocket host, not A1111".
    """

    @property
    def name(self) -> str:
        """What people call the host."""
        ...

    def about(self) -> About:
        """What is loaded and what it can do: cheap, loads no model, waits for no queue."""
        ...

    def mask(
        self, picture: "Image.Image | np.ndarray", settings: "MaskSettings", watch: "Watch" = ...
    ) -> "Segmentation":
        """Find what the words name, in the host's queue.

        picture: PIL of any mode, or uint8 (h w 3) RGB. watch: told how far it is, and asked whether to stop. A picture just
        generated, recognised by its pixels, is answered from the features kept then (`unet_calls` 0).
        """
        ...

    def regions(
        self, picture: "Image.Image | np.ndarray", prompt: str, settings: "MaskSettings", watch: "Watch" = ...
    ) -> "Segmentation":
        """One answer for each thing the prompt names, ranked by score, absent ones last."""
        ...

    def heads_refresh(self) -> About:
        """Look into the model folders again."""
        ...

    def convert(self, name: str) -> str:
        """Convert a head of the authors' layout; the answer is a sentence that says what was written."""
        ...


def about_of(desk: Desk) -> About:
    """What is at the desk; its refusal as the message."""
    try:
        return desk.about()
    except LdznetError as error:
        return About(message=str(error))


def methods_of(about: About) -> list[tuple[str, str]]:
    """Labels and names of the methods that can work now, "auto" first."""
    labels = {choice.name: choice.label for choice in about.methods}
    fit = [choice.name for choice in about.methods if not choice.why_not and choice.name != AUTO]
    return [(labels.get(name, "Automatic"), name) for name in (AUTO, *fit)]


def fitting(about: About, chosen: str) -> str:
    """The method that was chosen; "auto" where it cannot work now."""
    return chosen if chosen in [name for _, name in methods_of(about)] else AUTO
