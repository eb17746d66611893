"""What every page begins with: a picture that comes with the app, what is in it, and the mask of one word.

It is found while the server starts, so that the first screen shows it at once and the first click costs one answer.
"""

import logging
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ldznet_ext.app import strings
from ldznet_ext.app.work import Moment, Work
from ldznet_ext.errors import LdznetError
from ldznet_ext.masks.loading import load_picture
from ldznet_ext.request import MaskSettings
from ldznet_ext.watch import Watch

if TYPE_CHECKING:
    from ldznet_ext.hosts.desk import StandaloneDesk

PICTURE = Path(__file__).parent / "assets" / "example.webp"
PROMPT = "a fox in the sea, sunset, night, snow"
WORDS = "fox"
LOOK = 0.1
"""Seconds between two looks at whether somebody who waits was cancelled."""
log = logging.getLogger(__name__)


class Example:
    """The work that pages begin with. It is made once, in a thread of its own; until then they begin with the picture alone."""

    def __init__(self, desk: "StandaloneDesk") -> None:
        self.desk = desk
        self.ready = threading.Event()
        self._work = Work(moments=(plain(),))

    def start(self) -> None:
        """Load the model and find what is in the picture, without keeping anybody waiting."""
        threading.Thread(target=self.make, name="ldznet-example", daemon=True).start()

    def make(self) -> None:
        """The same, now."""
        try:
            self._work = Work(moments=(answered(self.desk),))
        except LdznetError as error:
            log.warning("The example was not masked: %s", error)
        except Exception:
            log.exception("The example was not masked.")
        finally:
            self.ready.set()

    def work(self) -> Work:
        """What a page begins with now."""
        return self._work

    def wait(self, watch: Watch) -> Work:
        """The same once it is made, or could not be; told and cancelled like any other work."""
        watch.tell(0.3, strings.PREPARING)
        while not self.ready.wait(LOOK):
            watch.check()
        return self._work


def plain() -> Moment:
    """The picture alone."""
    return Moment(label=strings.DONE["begin"], picture=load_picture(PICTURE), name=PICTURE.stem, prompt=PROMPT)


def answered(desk: "StandaloneDesk") -> Moment:
    """The picture, everything its prompt names, and the mask of one of them."""
    moment, settings = plain(), MaskSettings(words=WORDS)
    scene = desk.regions(moment.picture, PROMPT, MaskSettings())
    # asked by itself, so that the time it says is what a click costs once the model is warm
    return replace(moment, scene=scene, result=desk.mask(moment.picture, settings), settings=settings)
