"""A room with a desk of known answers on pictures of 6x8: a fox in two pieces, snow below; no model, no Gradio."""

import io
import threading
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ldznet_ext.app.room import Room
from ldznet_ext.app.work import Moment, Work
from ldznet_ext.errors import LdznetError
from ldznet_ext.geometry import Size
from ldznet_ext.hosts.library import Loadable
from ldznet_ext.pipeline import rethreshold
from ldznet_ext.request import MaskSettings
from ldznet_ext.result import FOUND, NOT_FOUND, PhraseResult, Segmentation
from ldznet_ext.ui.desk import About, Choice
from ldznet_ext.watch import UNWATCHED, Watch

SIZE = (6, 8)
FOX = np.zeros(SIZE, np.float32)
FOX[0:2, 0:3] = 0.9
FOX[3:5, 5:7] = 0.6
SNOW = np.zeros(SIZE, np.float32)
SNOW[5] = 0.8
MAPS = {"fox": FOX, "snow": SNOW, "example": SNOW}
"""What this desk can see."""


def segmentation(*texts: str, size: tuple[int, int] = SIZE, familiar: bool | None = True) -> Segmentation:
    """All of them in one answer."""
    phrases = []
    for text in texts:
        there = text in MAPS and familiar is not False
        prob = MAPS.get(text, np.full(SIZE, 0.1, np.float32))[: size[0], : size[1]]
        status = FOUND if there else NOT_FOUND
        phrases.append(
            PhraseResult(text=text, status=status, score=0.9 if text in MAPS else 0.1, prob=prob, box=None, area=0)
        )
    whole = Segmentation(
        size=Size(*size),
        method="ldznet",
        model="tiny",
        familiar=familiar,
        phrases=tuple(phrases),
        prob=np.maximum.reduce([one.prob for one in phrases]),
        mask=np.zeros(size, bool),
        seconds={"total": 0.25},
        unet_calls=1,
        provenance={"mask_threshold": 0.5},
    )
    return rethreshold(whole, None)


@dataclass
class FakeDesk:
    """Answers by `segmentation`, notes what it was asked. slow: it waits for `go`, telling and listening for a cancel."""

    familiar: bool | None = True
    refuse: Exception | None = None
    slow: bool = False
    model: str = "tiny"
    asked: list[Any] = field(default_factory=list)
    go: threading.Event = field(default_factory=threading.Event)

    name = "a desk"

    def about(self) -> About:
        return About(model=self.model, family="sticker", methods=(Choice(name="ldznet", label="LD-ZNet"),))

    def models(self) -> tuple[Loadable, ...]:
        return (Loadable(name="tiny", family="sticker", bytes=3_000_000), Loadable(name="other", family="", bytes=7))

    def load(self, name: str, watch: Watch = UNWATCHED) -> About:
        self._work("load", name, watch)
        self.model = name
        return self.about()

    def mask(self, picture: Any, settings: MaskSettings, watch: Watch = UNWATCHED) -> Segmentation:
        self._work("mask", settings, watch)
        return segmentation(settings.words, size=picture.shape[:2], familiar=self.familiar)

    def regions(self, picture: Any, prompt: str, settings: MaskSettings, watch: Watch = UNWATCHED) -> Segmentation:
        self._work("regions", prompt, watch)
        texts = [word for word in prompt.replace(",", " ").split() if len(word) > 2]
        ranked = sorted(texts, key=lambda text: text not in MAPS)
        return segmentation(*ranked, size=picture.shape[:2], familiar=self.familiar)

    def like(self, picture: Any, example: Any, others: Any, settings: MaskSettings, watch: Watch = UNWATCHED) -> Any:
        self._work("like", example, watch)
        results = [segmentation("example", size=one.shape[:2]) for one in (others or [picture])]
        for number, result in enumerate(results):
            results[number] = replace(result, phrases=(replace(result.phrases[0], score=0.5 + 0.1 * (number == 1)),))
        return results

    def generate(self, prompt: str, settings: Any = None, *, watch: Watch = UNWATCHED, **sampling: Any) -> Any:
        from ldznet_ext.hosts.desk import Painted

        self._work("generate", (prompt, sampling), watch)
        return Painted(picture=np.full((*SIZE, 3), 60, np.uint8))

    def edit(self, picture: Any, mask: Any, prompt: str, *, watch: Watch = UNWATCHED, **sampling: Any) -> np.ndarray:
        self._work("edit", (prompt, mask, sampling), watch)
        out = picture.copy()
        out[mask] = 255
        return out

    def _work(self, what: str, given: Any, watch: Watch) -> None:
        self.asked.append((what, given))
        if self.refuse:
            raise self.refuse
        watch.tell(0.5, "looking")
        while self.slow and not self.go.wait(0.01):
            watch.check()


@pytest.fixture
def desk() -> FakeDesk:
    """Fresh."""
    return FakeDesk()


@pytest.fixture
def room(desk: FakeDesk) -> Room:
    """Nobody in it yet."""
    return Room(desk)  # type: ignore[arg-type]


@pytest.fixture
def picture() -> np.ndarray:
    """Grey, uint8 (6 8 3)."""
    return np.full((*SIZE, 3), 128, np.uint8)


@pytest.fixture
def page(room: Room, picture: np.ndarray) -> str:
    """The handle of somebody's page."""
    return room.open(Work(moments=(Moment(label="Example", picture=picture, name="photo"),)))


def moment(room: Room, page: str) -> Moment:
    """What a page shows."""
    return room.works.get(page).now


def png(array: np.ndarray) -> bytes:
    """A file as a browser sends it."""
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, "PNG")
    return stream.getvalue()


class Refused(LdznetError):
    """A refusal of this desk."""
