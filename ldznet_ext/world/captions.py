"""Captions of a scene: what the diffusion model reads. Their wording varies; what they say is true.

The same helpers name things for `phrases.py`, so that every word a phrase uses can occur in a caption.
"""

import numpy as np

from ldznet_ext.world.concepts import Concept, singular
from ldznet_ext.world.scenes import Scene, SceneObject, generator

STYLE_WORDS = {"fluent": "3d render", "noto": "cartoon", "flat": "flat", "twemoji": "sticker"}
OPENINGS = ("", "", "", "", "a picture of ", "an image of ", "a photo of ", "a scene with ")
COUNTS = {2: "two", 3: "three", 4: "four"}


def article(words: str) -> str:
    """Prefix "a" or "an"; plurals and mass words such as "books" stay bare.

    >>> article("owl"), article("fox"), article("grapes")
    ('an owl', 'a fox', 'grapes')
    """
    last = words.split()[-1]
    if last.endswith("s") and not last.endswith(("ss", "us", "cactus", "octopus")):
        return words
    return ("an " if words[0] in "aeiou" and not words.startswith(("uni", "one")) else "a ") + words


def plural(words: str) -> str:
    """Plural of a name.

    >>> plural("fox"), plural("butterfly"), plural("house")
    ('foxes', 'butterflies', 'houses')
    """
    if words.endswith(("s", "x", "sh", "ch")):
        return words if words in ("books", "grapes", "cherries", "scissors") else words + "es"
    if words.endswith("y") and words[-2] not in "aeiou":
        return words[:-1] + "ies"
    return words + "s"


def name_of(thing: SceneObject, rng: np.random.Generator) -> str:
    """A name: the plain one mostly, a synonym or its group sometimes, its colour where it was repainted."""
    concept = thing.concept
    draw = rng.random()
    if draw < 0.12 and concept.synonyms:
        words = str(rng.choice(concept.synonyms))
    elif draw < 0.15:
        words = singular(str(rng.choice(concept.groups)))
    else:
        words = concept.name
    return f"{thing.colour} {words}" if thing.colour and rng.random() < 0.8 else words


def caption(scene: Scene, variant: int = 0) -> str:
    """One caption; `variant` words it differently."""
    rng = generator(scene.split, scene.seed, scene.index, 1 + 16 * (variant + 1))
    things = _things(scene, rng)
    text = str(rng.choice(OPENINGS)) + (things or "nothing") + _place(scene, rng)
    if rng.random() < (0.25 if scene.style == "fluent" else 0.85):
        text += f", {STYLE_WORDS.get(scene.style, scene.style)}" + (" style" if rng.random() < 0.5 else "")
    return text.replace("nothing on ", "").replace("nothing, ", "").replace("nothing under ", "")


def _things(scene: Scene, rng: np.random.Generator) -> str:
    by_concept: dict[Concept, list[SceneObject]] = {}
    for thing in scene.objects:
        by_concept.setdefault(thing.concept, []).append(thing)
    parts = []
    for concept, members in by_concept.items():
        if len(members) == 1:
            parts.append(article(name_of(members[0], rng)))
        else:
            parts.append(_twins(concept, members, rng))
    parts = [parts[i] for i in rng.permutation(len(parts))]
    if len(scene.objects) == 2 and len(by_concept) == 2 and rng.random() < 0.25:
        return _related(*scene.objects, rng)
    if len(parts) > 1:
        return ", ".join(parts[:-1]) + " and " + parts[-1]
    return "".join(parts)


def _twins(concept: Concept, members: list[SceneObject], rng: np.random.Generator) -> str:
    if len(members) == 2 and rng.random() < 0.6:
        first, second = members
        if first.colour != second.colour and first.colour and second.colour:
            return f"{article(f'{first.colour} {concept.name}')} and {article(f'{second.colour} {concept.name}')}"
        big, small = sorted(members, key=lambda m: -m.extent)
        if big.extent > 1.3 * small.extent:
            return f"a big {concept.name} and a small {concept.name}"
    return f"{COUNTS[len(members)]} {plural(concept.name)}"


def _related(first: SceneObject, second: SceneObject, rng: np.random.Generator) -> str:
    relation = relation_between(first, second)
    return f"{article(name_of(first, rng))} {relation} {article(name_of(second, rng))}"


def relation_between(first: SceneObject, second: SceneObject) -> str:
    """Where `first` is, seen from `second`."""
    dy, dx = first.centre[0] - second.centre[0], first.centre[1] - second.centre[1]
    if abs(dx) < 0.1 and abs(dy) < 0.1:
        return "next to"
    if abs(dx) >= abs(dy):
        return "left of" if dx < 0 else "right of"
    return "above" if dy < 0 else "below"


def _place(scene: Scene, rng: np.random.Generator) -> str:
    if scene.plain is not None:
        return f", plain {scene.plain} background"
    if scene.ground is None or scene.sky is None:  # a cut-out may show one of them alone, or neither
        region = scene.ground or scene.sky
        return f" on {_region(region, rng)}" if scene.ground else f", {_region(region, rng)}" if region else ""
    ground = _region(scene.ground, rng)
    sky = _region(scene.sky, rng)
    form = int(rng.integers(5))
    if form == 0:
        return f" on {ground}, {sky}"
    if form == 1:
        return f" on {ground} under {article(sky) if sky != 'night' else 'the night'}"
    if form == 2:
        return f" on the {ground}, {sky} in the background"
    if form == 3:
        return f", {ground}, {sky}"
    return f" on {ground}" if rng.random() < 0.5 else f", {sky}"


def _region(region, rng: np.random.Generator) -> str:
    return str(rng.choice(region.synonyms)) if rng.random() < 0.15 else region.name
