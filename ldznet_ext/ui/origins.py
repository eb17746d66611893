"""Which pictures in a gallery are none: our overlays and masks, and the host's grids, known again by their pixels."""

import threading
from collections import OrderedDict

import numpy as np
from PIL import Image

from ldznet_ext.caches import digest
from ldznet_ext.errors import PictureError

MOST = 512
"""Pictures that are known again; each costs a digest."""


class Origins:
    """The latest overlays, masks and grids, by digest."""

    def __init__(self, most: int = MOST) -> None:
        self.most = most
        self._kept: OrderedDict[str, str] = OrderedDict()
        self._lock = threading.Lock()

    def note(self, picture: Image.Image, what: str) -> None:
        """Remember what a picture in the gallery is, such as "a mask"."""
        key = _key(picture)
        with self._lock:
            self._kept[key] = what
            self._kept.move_to_end(key)
            while len(self._kept) > self.most:
                self._kept.popitem(last=False)

    def check(self, picture: Image.Image) -> None:
        """Refuse what is no painted picture; PictureError says what it is."""
        if what := self._kept.get(_key(picture)):
            raise PictureError(
                f"This is {what}; expected a picture as it was painted, so choose that one in the gallery."
            )


ORIGINS = Origins()


def _key(picture: Image.Image) -> str:
    return digest(np.asarray(picture.convert("RGB")))
