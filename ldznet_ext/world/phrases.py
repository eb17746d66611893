"""Phrases of a scene with their exact masks: names, synonyms, groups, attributes, relations, regions, and absent things."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ldznet_ext.world import grounds, scenes
from ldznet_ext.world.captions import plural, relation_between
from ldznet_ext.world.concepts import Concept, groups, means, singular
from ldznet_ext.world.scenes import Scene, SceneObject, generator

OBJECT, SYNONYM, GROUP, REFERRING, STUFF = "object", "synonym", "group", "referring", "stuff"
ABSENT, ABSENT_SAME_GROUP = "absent", "absent same group"
KINDS = (OBJECT, SYNONYM, GROUP, REFERRING, STUFF, ABSENT, ABSENT_SAME_GROUP)
MIN_REGION = 0.04
"""A region that shows less of itself than this is not asked for."""


@dataclass(frozen=True, kw_only=True)
class Phrase:
    """Words, their kind, and their exact mask (bool h w), or None for what is absent."""

    text: str
    mask: np.ndarray | None
    kind: str


def phrases(scene: Scene, *, absent: int = 2, concepts: str = "named") -> list[Phrase]:
    """Every phrase of a scene in a fixed order, and `absent` absent ones, half from the group of something present.

    `concepts`: the vocabulary that absent names are drawn from.
    """
    rng = generator(scene.split, scene.seed, scene.index, 2)
    present = [*_objects(scene, rng), *_groups(scene, rng), *_referring(scene, rng), *_stuff(scene)]
    return present + list(_absent(scene, rng, absent, concepts))


def _objects(scene: Scene, rng: np.random.Generator) -> Iterator[Phrase]:
    for concept in dict.fromkeys(thing.concept for thing in scene.objects):
        mask = _union(thing for thing in scene.objects if thing.concept == concept)
        yield Phrase(text=concept.name, mask=mask, kind=OBJECT)
        if concept.synonyms:
            yield Phrase(text=str(rng.choice(concept.synonyms)), mask=mask, kind=SYNONYM)


def _groups(scene: Scene, rng: np.random.Generator) -> Iterator[Phrase]:
    words = list(dict.fromkeys(group for thing in scene.objects for group in thing.concept.groups))
    for word in words[:2]:
        mask = _union(thing for thing in scene.objects if word in thing.concept.groups)
        yield Phrase(text=word if rng.random() < 0.7 else singular(word), mask=mask, kind=GROUP)


def _referring(scene: Scene, rng: np.random.Generator) -> Iterator[Phrase]:
    """Phrases of 4-9 words, first of all for things there are two of."""
    for thing in scene.objects:
        twins = [other for other in scene.objects if other.concept == thing.concept and other is not thing]
        if twins:
            options = list(_apart(thing, twins, scene))
            if options:
                yield Phrase(text=str(rng.choice(options)), mask=thing.mask, kind=REFERRING)
    others = [(a, b) for a in scene.objects for b in scene.objects if a.concept != b.concept]
    others = [(a, b) for a, b in others if sum(t.concept in (a.concept, b.concept) for t in scene.objects) == 2]
    if others and rng.random() < 0.5:
        first, second = others[int(rng.integers(len(others)))]
        text = f"the {first.concept.name} {relation_between(first, second)} the {second.concept.name}"
        yield Phrase(text=text, mask=first.mask, kind=REFERRING)


def _apart(thing: SceneObject, twins: list[SceneObject], scene: Scene) -> Iterator[str]:
    """True descriptions that fit `thing` and none of its twins."""
    name = thing.concept.name
    if len(twins) == 1:
        (other,) = twins
        if thing.extent > 1.3 * other.extent:
            yield from (f"the bigger of the two {plural(name)}", f"the big {name}, not the small one")
        if other.extent > 1.3 * thing.extent:
            yield from (f"the smaller of the two {plural(name)}", f"the small {name}, not the big one")
        gap = thing.centre[1] - other.centre[1]
        if abs(gap) > 0.15:
            yield f"the {name} on the {'left' if gap < 0 else 'right'}"
    if thing.colour and all(other.colour != thing.colour for other in twins):
        place = f" on the {scene.ground.name}" if scene.ground is not None else " in the picture"
        yield f"the {thing.colour} {name}{place}"
    for mark in scene.objects:
        if mark.concept != thing.concept and sum(o.concept == mark.concept for o in scene.objects) == 1:
            relation = relation_between(thing, mark)
            if relation != "next to" and all(relation_between(other, mark) != relation for other in twins):
                yield f"the {name} {relation} the {mark.concept.name}"


def _stuff(scene: Scene) -> Iterator[Phrase]:
    for region, mask in ((scene.ground, scene.ground_mask), (scene.sky, scene.sky_mask)):
        if region is not None and mask.mean() >= MIN_REGION:
            yield Phrase(text=region.name, mask=mask, kind=STUFF)


def _absent(scene: Scene, rng: np.random.Generator, count: int, concepts: str) -> Iterator[Phrase]:
    present = [thing.concept for thing in scene.objects]
    pool = [c for c in scenes.vocabulary(scene.style, concepts) if not _clashes(c, present)]
    near = [c for c in pool if any(c.group == other.group for other in present)]
    for number in range(count):
        if number % 2 == 0 and near:
            concept = near[int(rng.integers(len(near)))]
            yield Phrase(text=concept.name, mask=None, kind=ABSENT_SAME_GROUP)
        elif scene.plain is None and rng.random() < 0.15:
            shown = {region.name for region in (scene.ground, scene.sky) if region is not None}
            regions = [r for r in (*grounds.GROUNDS, *grounds.SKIES) if r.name not in shown]
            yield Phrase(text=regions[int(rng.integers(len(regions)))].name, mask=None, kind=ABSENT)
        else:
            far = [c for c in pool if c not in near] or pool
            words = far[int(rng.integers(len(far)))].name
            group = _absent_group(rng, present) if rng.random() < 0.2 else None
            yield Phrase(text=group or words, mask=None, kind=ABSENT)


def _absent_group(rng: np.random.Generator, present: list[Concept]) -> str | None:
    words = [word for word, members in groups("named").items() if len(members) >= 4]
    words = [word for word in words if not any(means(word, concept) for concept in present)]
    return str(rng.choice(words)) if words else None


def _clashes(concept: Concept, present: list[Concept]) -> bool:
    """Whether a name would be true of something present."""
    return any(set(concept.words) & set(other.words) or means(concept.name, other) for other in present)


def _union(things) -> np.ndarray:
    return np.logical_or.reduce([thing.mask for thing in things])
