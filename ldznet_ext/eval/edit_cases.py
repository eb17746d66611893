"""What is to be edited: pictures painted from one object's name, and test scenes with their exact masks."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from ldznet_ext.eval.cells import kept_picture
from ldznet_ext.eval.generation import prompt_of
from ldznet_ext.eval.toolbox import Generate
from ldznet_ext.world.concepts import Concept, named

SEED = 5
"""Of the choice of pairs and scenes."""
_FIRST_SEED = 1000
"""Pictures to edit are not those the generator itself is judged by."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One edit to be made: `old` repainted as `new`. `truth` is the exact mask, None on a generated picture."""

    name: str
    old: str
    new: str
    seed: int
    read: Callable[[], np.ndarray]
    truth: Callable[[], np.ndarray] | None = None


def pairs(count: int) -> Iterator[tuple[str, str]]:
    """`count` pairs (old, new) of named objects: every object in turn, the new one drawn from those unlike it."""
    things = named()
    for number in range(count):
        old = things[number % len(things)]
        yield old.name, _other(np.random.default_rng([SEED, number]), [old]).name


def generated_cases(generate: Generate, count: int, folder: Path) -> list[Case]:
    """Pictures of one object each, painted when they are read and kept in `folder`."""
    cases = []
    for number, (old, new) in enumerate(pairs(count)):
        seed = _FIRST_SEED + number
        read = partial(_painted, generate, folder / f"{number:04d}-before.png", prompt_of(old, number), seed)
        cases.append(Case(name=f"generated {number}", old=old, new=new, seed=seed, read=read))
    return cases


def scene_cases(count: int) -> list[Case]:
    """Test scenes with a named object that occurs once, and its exact mask."""
    from ldznet_ext.world.scenes import scene

    cases: list[Case] = []
    for index in range(20 * count):
        if len(cases) == count:
            break
        things = scene(SEED, index, split="test").objects
        single = [n for n, t in enumerate(things) if sum(o.concept == t.concept for o in things) == 1]
        if not single:
            continue
        new = _other(np.random.default_rng([SEED, index, 1]), [thing.concept for thing in things])
        cases.append(
            Case(
                name=f"scene {index}",
                old=things[single[0]].concept.name,
                new=new.name,
                seed=index,
                read=lambda index=index: scene(SEED, index, split="test").picture,
                truth=lambda index=index, n=single[0]: scene(SEED, index, split="test").objects[n].mask,
            )
        )
    return cases


def _other(rng: np.random.Generator, present: Sequence[Concept]) -> Concept:
    """A named object of which no word is true of anything present."""
    taken = {word for concept in present for word in (*concept.words, *concept.groups)}
    free = [concept for concept in named() if not taken & {*concept.words, *concept.groups}]
    return free[int(rng.integers(len(free)))]


def _painted(generate: Generate, path: Path, prompt: str, seed: int) -> np.ndarray:
    return kept_picture(path, lambda: generate([prompt], [seed])[0])
