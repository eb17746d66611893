"""One line of a test set: a phrase on a picture and its true mask, read when asked for."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Example:
    """One line of a test set. `source` is the same for all phrases of one picture; `where` names the line in errors."""

    source: str
    phrase: str
    kind: str
    where: str
    read_picture: Callable[[], np.ndarray]
    read_mask: Callable[[], np.ndarray | None]
    read_caption: Callable[[], str] | None = None

    @property
    def picture(self) -> np.ndarray:
        """The picture, uint8 (h w 3) RGB, upright."""
        return self.read_picture()

    @property
    def mask(self) -> np.ndarray | None:
        """The true mask, bool (h w) at the picture's own size; None when the phrase is absent."""
        return self.read_mask()

    @property
    def caption(self) -> str:
        """Words for the whole picture, empty where there are none."""
        return self.read_caption() if self.read_caption is not None else ""
