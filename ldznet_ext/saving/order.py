"""What is to be saved of each of many pictures: one frozen order, checked once."""

from dataclasses import dataclass, field
from typing import Any

from ldznet_ext import __version__
from ldznet_ext.errors import OptionError
from ldznet_ext.request import MaskSettings
from ldznet_ext.saving.kinds import KINDS, USUAL
from ldznet_ext.saving.names import DEFAULT, check_pattern

EMPTY, SKIP, FAIL = "empty", "skip", "fail"
NOT_FOUND = (EMPTY, SKIP, FAIL)
"""What becomes of a picture in which nothing is found: an empty mask; no file; no file, and the run counts as failed."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is to be saved of every picture, checked. words: expressions, each with its own score. save: names of `KINDS`."""

    words: tuple[str, ...]
    settings: MaskSettings = field(default_factory=MaskSettings)
    save: tuple[str, ...] = USUAL
    pattern: str = DEFAULT
    not_found: str = EMPTY
    overwrite: bool = False

    def __post_init__(self) -> None:
        check_pattern(self.pattern)
        if self.not_found not in NOT_FOUND:
            known = ", ".join(NOT_FOUND)
            raise OptionError(
                f'The choice for what is not found is "{self.not_found:.40}"; expected {known}, so take one.'
            )
        if not self.save or not set(self.save) <= set(KINDS):
            raise OptionError(
                f"What to save is {self.save!r:.80}; expected some of {', '.join(KINDS)}, so choose some."
            )

    def asked(self) -> dict[str, Any]:
        """What decides the results, for the journal."""
        settings = {name: value for name, value in self.settings.to_mapping().items() if name != "words"}
        rest = {"save": list(self.save), "pattern": self.pattern, "not-found": self.not_found}
        return {"words": list(self.words), "settings": settings, **rest, "version": __version__}
