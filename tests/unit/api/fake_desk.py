"""A desk that answers at once, without a model: for tests of what is around the answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ldznet_ext.classes import as_names
from ldznet_ext.errors import MethodError
from ldznet_ext.geometry import Box, Size
from ldznet_ext.hosts.library import Loadable
from ldznet_ext.masks.given import read_mask
from ldznet_ext.prompt.parse import parse
from ldznet_ext.prompt.tree import phrases_of
from ldznet_ext.request import MaskSettings
from ldznet_ext.result import FOUND, ClassResult, Labelling, PhraseResult, Segmentation
from ldznet_ext.sampling import Sampling
from ldznet_ext.segmenters.methods import check_method
from ldznet_ext.ui.desk import About, Choice
from ldznet_ext.watch import UNWATCHED, Watch
from ldznet_ext.words import check_prompt

SECONDS = dict.fromkeys(("encode", "text", "unet", "head", "post", "total"), 0.0)


@dataclass(frozen=True)
class Painted:
    """A grey picture."""

    picture: np.ndarray
    result: None = None


class FakeDesk:
    """Everything is in the left half of every picture."""

    name = "a desk without a model"

    def about(self) -> About:
        """As a real one's."""
        return About(
            model="none",
            family="sticker",
            methods=(Choice(name="auto", label="Automatic"),),
            heads=("none.safetensors",),
        )

    def models(self) -> tuple[Loadable, ...]:
        """One."""
        return (Loadable(name="none", family="sticker", bytes=1, loaded=True),)

    def mask(self, picture: np.ndarray, settings: MaskSettings, watch: Watch = UNWATCHED) -> Segmentation:
        """The left half."""
        check_method(settings.method)
        if settings.method == "example":
            raise MethodError("The method 'example' takes no words; expected another, so choose one.")
        return _half(picture, settings.words, watch)

    def classes(
        self,
        picture: np.ndarray,
        names: Sequence[str],
        settings: MaskSettings,
        watch: Watch = UNWATCHED,
        *,
        keep_absent: bool = False,
    ) -> Labelling:
        """The first name on the left."""
        check_method(settings.method)
        labels = np.where(_left(picture), 0, -1).astype(np.int16)
        box = Box(0, 0, picture.shape[1] // 2, picture.shape[0])
        answers = [
            ClassResult(name=name, label=number, status=FOUND, score=0.5, box=None if number else box, area=0)
            for number, name in enumerate(as_names(names))
        ]
        return Labelling(
            size=Size(*labels.shape),
            method="fake",
            model="none",
            familiar=None,
            classes=tuple(answers),
            labels=labels,
            seconds=SECONDS,
            unet_calls=1,
        )

    def like(
        self, picture: Any, example: Any, others: Sequence[Any], settings: MaskSettings, watch: Watch = UNWATCHED
    ) -> list[Segmentation]:
        """The left half of each."""
        return [_half(one, "example", watch, parsed=False) for one in (others or (picture,))]

    def generate(
        self,
        prompt: str,
        settings: Any = None,
        *,
        size: Any = None,
        seed: int = 0,
        watch: Watch = UNWATCHED,
        **sampling: Any,
    ) -> Painted:
        """A grey picture, of a tenth of the size: nobody looks at it."""
        check_prompt(prompt)
        Sampling(**sampling)
        return Painted(np.full((32, 32, 3), 128, np.uint8))

    def edit(
        self, picture: np.ndarray, mask: np.ndarray, prompt: str, *, watch: Watch = UNWATCHED, **rest: Any
    ) -> np.ndarray:
        """The picture as it was."""
        read_mask(mask, Size(*picture.shape[:2]))
        return picture


def _left(picture: np.ndarray) -> np.ndarray:
    left = np.zeros(picture.shape[:2], bool)
    left[:, : max(1, picture.shape[1] // 2)] = True
    return left


def _half(picture: np.ndarray, words: str, watch: Watch, *, parsed: bool = True) -> Segmentation:
    watch.tell(0.5, "looking")
    left = _left(picture)
    prob = np.where(left, 0.9, 0.1).astype(np.float32)
    phrases = phrases_of(parse(words)) if parsed else ()
    terms = tuple(PhraseResult(text=phrase, status=FOUND, score=0.9, prob=prob, box=None, area=0) for phrase in phrases)
    box = Box(0, 0, int(left[0].sum()), left.shape[0])
    whole = PhraseResult(
        text=words,
        status=FOUND,
        score=0.9,
        prob=prob,
        box=box,
        area=int(left.sum()),
        terms=terms if len(terms) > 1 or (terms and terms[0].text != words) else (),
    )
    return Segmentation(
        size=Size(*left.shape),
        method="fake",
        model="none",
        familiar=True,
        phrases=(whole,),
        prob=prob,
        mask=left,
        seconds=SECONDS,
        unet_calls=1,
        provenance={"own_picture": False},
    )
