"""Phrases: every one is true of just what its mask shows, absent ones of nothing."""

import re

import numpy as np
import pytest

from ldznet_ext.world import scenes
from ldznet_ext.world.captions import plural
from ldznet_ext.world.concepts import concept, held_out, means, named, singular
from ldznet_ext.world.phrases import (
    ABSENT,
    ABSENT_SAME_GROUP,
    GROUP,
    KINDS,
    MIN_REGION,
    OBJECT,
    REFERRING,
    STUFF,
    SYNONYM,
    phrases,
)
from ldznet_ext.world.scenes import SceneObject, scene

pytestmark = pytest.mark.usefixtures("world")


@pytest.fixture(scope="module")
def everything(pack):
    """(scene, phrase) of many scenes, painted once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LDZNET_ART", str(pack))
        scenes._sprite.cache_clear()
        scenes.vocabulary.cache_clear()
        return [
            (painted, phrase) for painted in (scene(3, n, size=64) for n in range(220)) for phrase in phrases(painted)
        ]


def of_kind(everything, *kinds):
    found = [(painted, phrase) for painted, phrase in everything if phrase.kind in kinds]
    assert len(found) > 20
    return found


def union(things):
    return np.logical_or.reduce([thing.mask for thing in things])


def named_by(words):
    """The named object of exactly this name or plural."""
    return next((c for c in named() if words in (c.name, plural(c.name))), None)


def test_every_kind_occurs_and_only_absent_ones_have_no_mask(everything):
    assert {phrase.kind for _, phrase in everything} == set(KINDS)
    for _, phrase in everything:
        assert (phrase.mask is None) == (phrase.kind in (ABSENT, ABSENT_SAME_GROUP))
        assert phrase.mask is None or phrase.mask.any()


def test_a_name_means_all_things_of_that_name(everything):
    for painted, phrase in of_kind(everything, OBJECT, SYNONYM):
        things = [thing for thing in painted.objects if phrase.text in thing.concept.words]
        assert np.array_equal(phrase.mask, union(things))


def test_a_group_means_all_its_members(everything):
    for painted, phrase in of_kind(everything, GROUP):
        members = [
            thing
            for thing in painted.objects
            if phrase.text in thing.concept.groups or phrase.text in map(singular, thing.concept.groups)
        ]
        assert np.array_equal(phrase.mask, union(members))


def test_a_region_is_named_only_where_enough_of_it_shows(everything):
    for painted, phrase in of_kind(everything, STUFF):
        region = painted.ground if phrase.text == painted.ground.name else painted.sky
        assert phrase.text == region.name
        shown = painted.ground_mask if region is painted.ground else painted.sky_mask
        assert np.array_equal(phrase.mask, shown)
        assert shown.mean() >= MIN_REGION


def owner(painted, phrase) -> SceneObject:
    (thing,) = [thing for thing in painted.objects if np.array_equal(thing.mask, phrase.mask)]
    return thing


def test_referring_phrases_mean_one_thing_in_four_to_nine_words(everything):
    for painted, phrase in of_kind(everything, REFERRING):
        assert 4 <= len(phrase.text.split()) <= 9, phrase.text
        assert (
            owner(painted, phrase).concept.name in phrase.text
            or plural(owner(painted, phrase).concept.name) in phrase.text
        )


def test_bigger_and_smaller_are_true(everything):
    said = 0
    for painted, phrase in of_kind(everything, REFERRING):
        found = re.fullmatch(r"the (bigger|smaller) of the two (.+)", phrase.text)
        found = found or re.fullmatch(r"the (big|small) (.+), not the (?:small|big) one", phrase.text)
        if found:
            twins = [thing for thing in painted.objects if thing.concept == named_by(found.group(2))]
            assert len(twins) == 2
            choose = max if found.group(1).startswith("big") else min
            assert owner(painted, phrase) is choose(twins, key=lambda thing: thing.extent)
            said += 1
    assert said > 5


def test_left_and_right_are_true(everything):
    said = 0
    for painted, phrase in of_kind(everything, REFERRING):
        found = re.fullmatch(r"the (.+) on the (left|right)", phrase.text)
        if found:
            twins = [thing for thing in painted.objects if thing.concept == named_by(found.group(1))]
            choose = min if found.group(2) == "left" else max
            assert owner(painted, phrase) is choose(twins, key=lambda thing: thing.centre[1])
            said += 1
    assert said > 2


def test_relations_are_true(everything):
    said = 0
    for painted, phrase in of_kind(everything, REFERRING):
        found = re.fullmatch(r"the (.+) (left of|right of|above|below) the (.+)", phrase.text)
        if found:
            (mark,) = [thing for thing in painted.objects if thing.concept == named_by(found.group(3))]
            (y, x), (v, u) = owner(painted, phrase).centre, mark.centre
            assert {"left of": x < u, "right of": x > u, "above": y < v, "below": y > v}[found.group(2)]
            said += 1
    assert said > 10


def test_a_colour_tells_twins_apart(everything):
    said = 0
    for painted, phrase in of_kind(everything, REFERRING):
        found = re.match(r"the (red|yellow|green|blue|purple) (.+?) (?:on the|in the) ", phrase.text)
        if found and (meant := named_by(found.group(2))):
            colours = [thing.colour for thing in painted.objects if thing.concept == meant]
            assert colours.count(found.group(1)) == 1
            assert owner(painted, phrase).colour == found.group(1)
            said += 1
    assert said > 0


def test_absent_things_are_absent(everything):
    for painted, phrase in of_kind(everything, ABSENT, ABSENT_SAME_GROUP):
        regions = [region.name for region in (painted.ground, painted.sky) if region is not None]
        assert phrase.text not in regions
        assert not any(means(phrase.text, thing.concept) for thing in painted.objects)


def test_half_of_the_absent_come_from_a_group_that_is_there(everything):
    near = of_kind(everything, ABSENT_SAME_GROUP)
    for painted, phrase in near:
        assert concept(phrase.text).group in {thing.concept.group for thing in painted.objects}
    far = of_kind(everything, ABSENT)
    assert 0.7 < len(near) / len(far) <= 1


def test_phrases_are_the_same_each_time_and_ask_for_more_absent_ones_on_demand():
    painted = scene(3, 5, size=64)
    one, two = phrases(painted), phrases(scene(3, 5, size=64))
    assert [(p.text, p.kind) for p in one] == [(p.text, p.kind) for p in two]
    more = phrases(painted, absent=6)
    assert [p.text for p in more[: len(one) - 2]] == [p.text for p in one[:-2]]
    assert sum(p.mask is None for p in more) == 6


def test_absent_names_come_from_the_vocabulary_asked_for():
    words = {w for n in range(20) for p in phrases(scene(3, n, concepts="held_out", size=64), concepts="held_out")
             if p.kind == ABSENT_SAME_GROUP for w in [p.text]}  # fmt: skip
    assert words
    assert words <= {c.name for c in held_out()}
