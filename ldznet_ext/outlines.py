"""What was found, in the outlines of Segment Anything, where that is asked for and its weights are there."""

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ldznet_ext.errors import ModelError
from ldznet_ext.prompt.evaluate import bent

if TYPE_CHECKING:
    import torch

    from ldznet_ext.masks.prompted import Ask

HALF = 0.5
"""Where SAM's own maps are cut."""


class Outlines:
    """One picture, uint8 (h w 3), that SAM reads once for all phrases, and not before the first.

    device: where SAM runs, by default the CPU. remarks: what is to be said.
    """

    def __init__(self, picture: np.ndarray, device: "torch.device | None" = None) -> None:
        self.picture, self.device = picture, device
        self.remarks: list[str] = []

    def __call__(self, prob: np.ndarray, threshold: float) -> np.ndarray:
        """A map, float32 (h w) 0..1, with each piece above the threshold in SAM's outline; as it is where SAM cannot be asked."""
        if self._ask is None:
            return prob
        from ldznet_ext.masks.prompted import improved

        answer = improved(bent(prob, threshold, HALF), self._ask)
        self._say(answer.message)
        return bent(answer.prob, HALF, threshold)

    @cached_property
    def _ask(self) -> "Ask | None":
        from ldznet_ext.sam import load_sam

        try:
            return load_sam(device=self.device).look(self.picture)
        except ModelError as error:  # masks are there without it too
            self._say(str(error))
            return None

    def _say(self, sentence: str) -> None:
        if sentence and sentence not in self.remarks:
            self.remarks.append(sentence)
