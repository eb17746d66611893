"""One run of a web UI's `process_images` while it lasts: what it is asked for, what is attached, what it has given so far.

Runs may be nested (ADetailer repaints faces from within another's hooks): each has its own session, kept on its processing
object, and only the outermost of a job reads anything.
"""

import logging
import re
import sys
import weakref
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ldznet_ext.geometry import Box, Size
from ldznet_ext.job import Job

if TYPE_CHECKING:
    from collections.abc import Hashable

    from PIL import Image
    from torch import Tensor

    from ldznet_ext.harvest.sampling import Kept
    from ldznet_ext.hosts.memory import Made
    from ldznet_ext.hosts.webui.harvest import Attachment

logger = logging.getLogger("ldznet")
NAME = "_ldznet_session"
INNER = "_ldznet_inner"
"""A mark of ours on the processing objects of automatic inpainting."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Mask:
    """One mask of a picture: uint8 (h w) of the whole picture, and the words it is of."""

    words: str
    grey: np.ndarray


@dataclass(kw_only=True, eq=False)
class Outcome:
    """What became of one picture. `found`: whether anything was; `masks` are of the whole picture once it is complete."""

    index: int
    seed: int
    prompt: str
    iteration: int
    batch_index: int
    made: "Made | None"
    box: Box | None = None
    masks: list[Mask] = field(default_factory=list)
    picture: "Image.Image | None" = None

    @property
    def found(self) -> bool:
        """Whether any of the masks has anything in it."""
        return any(mask.grey.any() for mask in self.masks)


SAID = "LD-ZNet said"
"""Where sentences stand: in the API's `info` among `extra_generation_params`, and in the infotext of img2img Batch's files."""


@dataclass(kw_only=True, eq=False)
class Session:
    """One run. `active` is False for nested runs, without a job, and once something of ours has failed."""

    job: Job
    owner: "weakref.ref[Any] | None" = None
    """The processing object it belongs to: other extensions copy one, and what hangs on it, within a hook."""
    active: bool = True
    attachment: "Attachment | None" = None
    fault: str = ""
    """Why reading was given up; what failed once would fail in each batch."""
    model: "Hashable" = None
    networks: "Hashable" = ()
    latents: "Tensor | None" = None
    kept: "tuple[tuple[Kept, ...], ...]" = ()
    outcomes: list[Outcome] = field(default_factory=list)
    sentences: dict[str, None] = field(default_factory=dict)
    unchanged: "Image.Image | None" = None
    changed: dict[str, Any] = field(default_factory=dict)
    """What we set on the processing object, as it was before; img2img Batch uses one for all its files."""

    file: str = ""
    """img2img Batch: which file this is. The host shows the remarks of the first one alone, so all are logged under its name."""

    def say(self, sentence: str) -> None:
        """Something a person should read under the pictures; each once."""
        if not sentence or sentence in self.sentences:
            return
        self.sentences[sentence] = None
        if self.file:
            logger.warning("LD-ZNet masks: %s: %s", self.file, sentence)  # what is less the hosts' consoles do not show

    def note(self, p: Any) -> None:
        """What was said of a file of img2img Batch so far, into its infotext."""
        if self.file and self.sentences:
            p.extra_generation_params[SAID] = f"{self.file}: {' '.join(self.sentences)}"

    def set(self, p: Any, **values: Any) -> None:
        """Set attributes of the processing object until the run ends."""
        for name, value in values.items():
            self.changed.setdefault(name, getattr(p, name, None))
            setattr(p, name, value)

    def restore(self, p: Any) -> None:
        """As it was before."""
        for name, value in self.changed.items():
            setattr(p, name, value)
        self.changed.clear()

    def is_of(self, p: Any) -> bool:
        """Whether it belongs to this processing object, and not to the one this was copied from."""
        return self.owner is not None and self.owner() is p

    def detach(self) -> None:
        """Take the hooks off and remember what they read."""
        if self.attachment is None:
            return
        self.attachment.detach()
        self.kept = self.attachment.kept
        self.fault = self.attachment.fault
        self.say(self.fault)
        self.attachment = None


def file_of(p: Any) -> str:
    """Which file img2img Batch is at: its name where the results bear it, else its number ("3 out of 50"); else empty."""
    pattern = str((getattr(p, "override_settings", None) or {}).get("samples_filename_pattern", ""))
    state = getattr(sys.modules.get("modules.shared"), "state", None)
    job = str(getattr(state, "job", ""))
    if re.fullmatch(r"\d+ out of \d+", job) is None:
        return ""
    return pattern.removesuffix("-[generation_number]") or job


def session_of(p: Any) -> Session | None:
    """The active session of a run, or None."""
    session = vars(p).get(NAME)
    return session if isinstance(session, Session) and session.active else None


class Runs:
    """The runs that have begun and not ended, of all tabs, to tell nested ones from those that an exception ended."""

    def __init__(self) -> None:
        self._open: list[tuple[weakref.ref[Any], object]] = []

    def begin(self, p: Any, job: object) -> bool:
        """A run begins in a job of the host (`state.time_start`); whether it is the outermost one.

        A run whose job is over, or whose processing object is gone, ended in an exception: the host tells nobody. Where jobs
        cannot be told apart every run counts as the outermost: none must ever be passed over for good.
        """
        self._open = [(ref, of) for ref, of in self._others(p) if of == job]
        outermost = not self._open or job is None
        self._open.append((weakref.ref(p), job))
        return outermost

    def end(self, p: Any) -> None:
        """A run ends."""
        self._open = self._others(p)

    def _others(self, p: Any) -> "list[tuple[weakref.ref[Any], object]]":
        # by identity: processing objects compare by what they hold, tensors among it
        return [(ref, of) for ref, of in self._open if (one := ref()) is not None and one is not p]

    def __len__(self) -> int:
        return sum(ref() is not None for ref, _ in self._open)


def size_of(picture: "Image.Image") -> Size:
    """A PIL picture's size, the right way round."""
    return Size(picture.height, picture.width)
