"""Captions: every thing is mentioned truly, wording varies, nothing awkward is left."""

import re

import numpy as np
import pytest

from ldznet_ext.world.captions import article, caption, plural, relation_between
from ldznet_ext.world.concepts import named, singular
from ldznet_ext.world.scenes import SceneObject, scene

pytestmark = pytest.mark.usefixtures("world")
VARIANTS = 4


def names_of(concept):
    return (*concept.words, plural(concept.name), *map(singular, concept.groups))


def all_captions(count=60, **settings):
    for index in range(count):
        painted = scene(5, index, size=64, **settings)
        for variant in range(VARIANTS):
            yield painted, caption(painted, variant)


def test_everything_in_the_scene_is_mentioned():
    for painted, text in all_captions():
        for thing in painted.objects:
            assert any(word in text for word in names_of(thing.concept)), (thing.concept.name, text)


def test_no_named_object_is_mentioned_that_is_not_there():
    for painted, text in all_captions():
        words = {word for thing in painted.objects for word in names_of(thing.concept)}
        words |= {w for region in (painted.ground, painted.sky) if region for w in (region.name, *region.synonyms)}
        left = text
        for word in sorted(words, key=len, reverse=True):
            left = left.replace(word, "*")
        for concept in named():
            assert not re.search(rf"\b{re.escape(concept.name)}\b", left), (concept.name, text)


def test_the_ground_is_true():
    grounds = 0
    for painted, text in all_captions():
        if painted.plain is not None:
            assert f"plain {painted.plain} background" in text
            grounds += 1
            continue
        shown = [w for region in (painted.ground, painted.sky) for w in (region.name, *region.synonyms)]
        assert any(word in text for word in shown), text
    assert grounds > 5


def test_a_colour_is_only_said_of_what_was_repainted_so():
    said = 0
    for painted, text in all_captions(120):
        for thing in painted.objects:
            for colour in ("red", "yellow", "green", "blue", "purple"):
                if f"{colour} {thing.concept.name}" in text:
                    twins = [o.colour for o in painted.objects if o.concept == thing.concept]
                    assert colour in twins
                    said += 1
    assert said > 5


def test_big_and_small_are_said_of_twins_of_two_sizes():
    said = 0
    for painted, text in all_captions(150):
        found = re.search(r"a big (.+?) and a small", text)
        if found:
            sizes = sorted(o.extent for o in painted.objects if o.concept.name == found.group(1))
            assert len(sizes) == 2 and sizes[1] > 1.3 * sizes[0]
            said += 1
    assert said > 0


def test_the_same_words_for_the_same_scene_and_others_for_another_variant():
    painted = scene(5, 1, size=64)
    assert caption(painted, 2) == caption(scene(5, 1, size=64), 2)
    differing = sum(len({caption(scene(5, n, size=64), v) for v in range(VARIANTS)}) > 1 for n in range(20))
    assert differing >= 18


def test_captions_do_not_depend_on_the_size():
    alike = [caption(scene(5, n, size=128), 1) == caption(scene(5, n, size=256), 1) for n in range(12)]
    assert sum(alike) >= 11


def test_captions_read_well():
    for _, text in all_captions():
        assert text == text.strip() and text
        assert "nothing" not in text and "  " not in text and " ," not in text
        assert not re.search(r"\ba [aei]", text), text


@pytest.mark.parametrize(
    "words, expected",
    [("owl", "an owl"), ("fox", "a fox"), ("grapes", "grapes"), ("cactus", "a cactus"), ("unicorn", "a unicorn"),
     ("octopus", "an octopus"), ("red umbrella", "a red umbrella"), ("orange sky", "an orange sky")],
)  # fmt: skip
def test_articles(words, expected):
    assert article(words) == expected


@pytest.mark.parametrize(
    "words, expected",
    [("fox", "foxes"), ("butterfly", "butterflies"), ("key", "keys"), ("bus", "buses"), ("books", "books"),
     ("wrench", "wrenches"), ("house", "houses")],
)  # fmt: skip
def test_plurals(words, expected):
    assert plural(words) == expected


def thing(y, x):
    mask = np.zeros((20, 30), bool)
    mask[y : y + 2, x : x + 2] = True
    return SceneObject(concept=named()[0], colour=None, mask=mask, extent=0.1)


def test_relations():
    middle = thing(9, 14)
    assert relation_between(thing(9, 2), middle) == "left of"
    assert relation_between(thing(9, 26), middle) == "right of"
    assert relation_between(thing(1, 14), middle) == "above"
    assert relation_between(thing(17, 14), middle) == "below"
    assert relation_between(thing(10, 15), middle) == "next to"
