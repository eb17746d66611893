"""What a page may ask of the model: find, look for all parts, paint, repaint, mask by example, load another one.

Each waits for its turn, tells how far it is, and can be cancelled; see `actions` for the rest of what they have in common.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ldznet_ext.app import strings
from ldznet_ext.app.actions import Answer, Step, change, excuse, now, read_picture, show
from ldznet_ext.app.drawing import mask_of
from ldznet_ext.app.example import Example
from ldznet_ext.app.room import Room
from ldznet_ext.app.work import Moment, Work
from ldznet_ext.errors import LdznetError, OptionError
from ldznet_ext.masks.edits import Edits
from ldznet_ext.ui.messages import remark
from ldznet_ext.watch import Watch

if TYPE_CHECKING:
    from ldznet_ext.result import Segmentation

Ask = Callable[[Watch], Step]
MOST_PICTURES = 24
"""Other pictures that are looked in at once: each is a step of the history."""


def begin(room: Room, handle: str, example: Example) -> Answer:
    """The example with its mask, for a page that was opened before there was one; nothing where somebody went on meanwhile."""

    def ask(watch: Watch) -> Step:
        ready = example.wait(watch)
        return lambda work: work if len(work.moments) > 1 else replace(ready, revision=work.revision + 1)

    return _watched(room, handle, ask)


def find(room: Room, handle: str, words: str) -> Answer:
    """The words' mask; what was drawn by hand before is gone, for it belonged to another mask."""

    def ask(watch: Watch) -> Step:
        moment, text = now(room, handle), words.strip()
        if not text:
            raise OptionError(
                f'There are no words; expected what to mask, such as "{strings.WORDS_EXAMPLE}", so type some.'
            )
        settings = replace(moment.settings, words=text)
        result = room.desk.mask(moment.picture, settings, watch)
        return _answered(moment, replace(moment, label=text, result=result, settings=settings))

    return _watched(room, handle, ask)


def parts(room: Room, handle: str, prompt: str) -> Answer:
    """Every thing the prompt names, ranked; the mask stays as it is."""

    def ask(watch: Watch) -> Step:
        moment = now(room, handle)
        if not prompt.strip():
            raise OptionError("There is no prompt; expected what the picture shows, so write it, or a list of things.")
        settings = replace(moment.settings, words="")
        scene = room.desk.regions(moment.picture, prompt, settings, watch)
        return _then(moment, replace(moment, label=strings.DONE["things"], scene=scene, prompt=prompt))

    return _watched(room, handle, ask)


def generate(
    room: Room, handle: str, prompt: str, *, negative: str = "", seed: int = 0, steps: int = 20, guidance: float = 5.0
) -> Answer:
    """A picture painted from words, and every thing they name in it, read from what the painting left."""

    def ask(watch: Watch) -> Step:
        moment = now(room, handle)
        painted = room.desk.generate(
            prompt, None, steps=steps, seed=seed, guidance=guidance, negative=negative, watch=watch.part(0, 0.9)
        )
        fresh = Moment(
            label=strings.DONE["generate"],
            picture=painted.picture,
            name=_slug(prompt),
            prompt=prompt,
            settings=moment.settings,
            scene=_scene(room, painted.picture, prompt, moment, watch.part(0.9, 1)),
        )
        return lambda work: work.then(fresh)

    return _watched(room, handle, ask)


def repaint(
    room: Room,
    handle: str,
    prompt: str,
    *,
    negative: str = "",
    seed: int = 0,
    steps: int = 20,
    strength: float = 1.0,
) -> Answer:
    """The picture with what the mask covers repainted; the old one stays to be compared with."""

    def ask(watch: Watch) -> Step:
        moment = now(room, handle)
        # once more of the same: from the picture as it was, not from what was painted over it
        picture = moment.picture if moment.before is None else moment.before
        mask = mask_of(moment)
        if not (mask > 127).any():
            raise OptionError("The mask is empty; expected something to repaint, so find or draw it first.")
        painted = room.desk.edit(
            picture, mask > 127, prompt, negative=negative, seed=seed, steps=steps, strength=strength, watch=watch
        )
        fresh = replace(moment, label=strings.DONE["repaint"], picture=np.asarray(painted), before=picture)
        return _then(moment, fresh)

    return _watched(room, handle, ask)


def like(room: Room, handle: str, place: tuple[float, float] | None = None) -> Answer:
    """What looks like the present mask, or like what was clicked at `place`, elsewhere in the picture."""

    def ask(watch: Watch) -> Step:
        moment = now(room, handle)
        example = _example(moment, place)
        settings = replace(moment.settings, words="")
        result = room.desk.like(moment.picture, example, (), settings, watch)[0]
        return _answered(moment, replace(moment, label=strings.DONE["like"], result=result, settings=settings))

    return _watched(room, handle, ask)


def like_in(room: Room, handle: str, files: Sequence[tuple[str, bytes]]) -> Answer:
    """What looks like the present mask in other pictures, given by name and content: a moment each, the surest shown."""

    def ask(watch: Watch) -> Step:
        moment = now(room, handle)
        if not files:
            raise OptionError("There are no other pictures; expected some to look in, so choose them.")
        fresh = [read_picture(content, name) for name, content in files[:MOST_PICTURES]]
        settings = replace(moment.settings, words="")
        pictures = [each.picture for each in fresh]
        results = room.desk.like(moment.picture, _example(moment, None), pictures, settings, watch)
        found = [
            replace(each, label=each.name, result=result, settings=settings)
            for each, result in zip(fresh, results, strict=True)
        ]
        return lambda work: _shown_best(work, found)

    return _watched(room, handle, ask)


def load(room: Room, handle: str, name: str) -> Answer:
    """Another model, from now on for everyone at this desk; what was found before stays."""
    try:
        with room.running.watch(handle) as watch:
            about = room.desk.load(name, watch)
    except Exception as error:
        return show(room, handle, excuse(error))
    return show(room, handle, remark(strings.LOADED.format(model=about.model)))


def cancel(room: Room, handle: str) -> None:
    """Stop what a page waits for, at its next step."""
    if (watch := room.running.find(handle)) is not None:
        watch.cancel()


def _watched(room: Room, handle: str, ask: Ask) -> Answer:
    def do() -> Step:
        with room.running.watch(handle) as watch:
            return ask(watch)

    return change(room, handle, do)


def _answered(asked: Moment, fresh: Moment) -> Step:
    """A new answer to the same picture: nothing of it was done by hand, and what was repainted there is settled."""
    return _then(asked, replace(fresh, edits=Edits(), before=None))


def _shown_best(work: Work, found: Sequence[Moment]) -> Work:
    """A moment each, the one with the surest answer shown."""
    best = max(range(len(found)), key=lambda at: found[at].result.phrases[0].score)  # type: ignore[union-attr]
    for moment in found:
        work = work.then(moment)
    return work.go(work.at - len(found) + 1 + best)


def _then(asked: Moment, fresh: Moment) -> Step:
    """The next moment; none where another picture was opened or gone back to while the model worked."""
    return lambda work: work.then(fresh) if work.now.picture is asked.picture else work


def _example(moment: Moment, place: tuple[float, float] | None) -> Any:
    """What is marked: the mask (bool h w), or a click."""
    if place is not None:
        return [place]
    mask = mask_of(moment) > 127
    if not mask.any():
        raise OptionError("There is no example; expected a mask of one thing, so find, draw or click it first.")
    return mask


def _scene(room: Room, picture: np.ndarray, prompt: str, moment: Moment, watch: Watch) -> "Segmentation | None":
    """All that a painted picture's prompt names; None where it names nothing that could be found."""
    try:
        return room.desk.regions(picture, prompt, replace(moment.settings, words=""), watch)
    except LdznetError:
        watch.check()  # cancelled is cancelled
        return None


def _slug(text: str) -> str:
    from ldznet_ext.saving.names import spoken

    return spoken((text,))
