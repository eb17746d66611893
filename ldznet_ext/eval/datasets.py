"""Test sets: a folder with `annotations.jsonl`, or scenes of Sticker World, as one list of lines.

A line is a phrase on a picture with its true mask, or none when the phrase is absent. Pixels are read when asked for.
"""

from collections.abc import Sequence
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from ldznet_ext.errors import DataError, OptionError
from ldznet_ext.eval.annotations import read_lines
from ldznet_ext.eval.example import Example

SCENES = 256
SEED = 0
"""Of evaluation scenes. Splits never meet whatever the seed; see `ldznet_ext.world.scenes.generator`."""


def load(spec: str, limit: int | None = None) -> list[Example]:
    """The lines of `spec`, the first `limit` of them.

    `spec` is a folder with `annotations.jsonl`, or `sticker:SPLIT[:STYLES[:OBJECTS]]`: 256 scenes of Sticker World
    at 256x256, for example `sticker:test`, `sticker:test:emojione`, `sticker:test:noto,flat:held_out`.
    Raises DataError for data that is missing or malformed (naming file and line), OptionError for a bad limit.
    """
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
        raise OptionError(f"The limit is {limit}; expected a whole number of lines, at least 1.")
    examples = _scenes(spec, limit) if spec.startswith("sticker:") else read_lines(Path(spec), limit)
    if not examples:
        raise DataError(f"The data {spec!r} holds no line; expected at least one phrase on one picture.")
    return examples


def _scenes(spec: str, limit: int | None) -> list[Example]:
    from ldznet_ext.world.art import STYLES
    from ldznet_ext.world.scenes import SPLITS, VOCABULARIES

    split, styles, objects, *rest = [*spec.split(":")[1:], "", ""]
    chosen = tuple(styles.split(",")) if styles else None
    if split not in SPLITS or any(rest) or set(chosen or ()) - set(STYLES) or (objects and objects not in VOCABULARIES):
        raise DataError(
            f"The data {spec!r} is not known; expected a folder or sticker:SPLIT[:STYLES[:OBJECTS]] with split "
            f"{', '.join(SPLITS)}, styles {', '.join(STYLES)} and objects {', '.join(VOCABULARIES)}."
        )
    return _scene_lines(split, chosen, objects or "named", limit)


def _scene_lines(split: str, styles: tuple[str, ...] | None, objects: str, limit: int | None) -> list[Example]:
    examples: list[Example] = []
    for index in range(SCENES):
        if limit is not None and len(examples) >= limit:
            break
        paint = partial(_painted, split, styles, objects, index)
        for number, phrase in enumerate(paint()[1]):
            name = f"sticker:{split}:{','.join(styles or ())}:{objects}:{index}"
            examples.append(
                Example(
                    source=name,
                    phrase=phrase.text,
                    kind=phrase.kind,
                    where=f"{name} phrase {number + 1}",
                    read_picture=lambda paint=paint: paint()[0],
                    read_mask=lambda paint=paint, number=number: paint()[1][number].mask,
                    read_caption=lambda paint=paint: paint()[2],
                )
            )
    return examples[:limit]


@lru_cache(maxsize=2)  # a scene is repainted in milliseconds: never hold a whole set
def _painted(split: str, styles: tuple[str, ...] | None, objects: str, index: int) -> tuple[np.ndarray, Sequence, str]:
    from ldznet_ext.world.captions import caption
    from ldznet_ext.world.phrases import phrases
    from ldznet_ext.world.scenes import scene

    painted = scene(SEED, index, split=split, styles=styles, concepts=objects)
    return painted.picture, phrases(painted, concepts=objects), caption(painted)
