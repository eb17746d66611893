"""One map, mask and score of many: by hand on a row of pixels, and as laws on any expression and any maps."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ldznet_ext.answers import SHAPES
from ldznet_ext.masks.shape import grown
from ldznet_ext.prompt.evaluate import bend, mask_of, prob_of, score_of
from ldznet_ext.prompt.parse import parse
from ldznet_ext.prompt.tree import Grow, Instance, Not, Phrase, Threshold
from tests.unit.prompt.trees import trees

A, B = np.float32([[0, 0.25, 0.5, 0.75, 1]]), np.float32([[1, 0.75, 0.5, 0.25, 0.5]])
LEVELS = st.sampled_from([0.0, 0.2, 0.25, 0.3, 0.5, 0.7, 0.75, 0.9, 1.0])
MAPS = st.fixed_dictionaries(dict.fromkeys("ab", arrays(np.float32, (4, 6), elements=LEVELS.map(np.float32))))
TREES = trees(st.sampled_from([Phrase("a"), Phrase("b")]), most=5)
DEFAULTS = st.sampled_from([0.5, 0.3, 0.2, 0.7, 0.9])


def prob(text: str, default: float = 0.5) -> list[float]:
    return prob_of(parse(text), {"a": A, "b": B}, default, SHAPES)[0].tolist()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a & b", [0, 0.25, 0.5, 0.25, 0.5]),
        ("a | b", [1, 0.75, 0.5, 0.75, 1]),
        ("!a", [1, 0.75, 0.5, 0.25, 0]),
        ("a*1.5", [0, 0.375, 0.75, 1, 1]),
        ("a*0.5", [0, 0.125, 0.25, 0.375, 0.5]),
        ("a +1", [0.25, 0.5, 0.75, 1, 1]),
        ("a -1", [0, 0, 0.25, 0.5, 0.75]),
        ("a@0.25", [0, 0.5, 2 / 3, 5 / 6, 1]),
        ("a@0.75", [0, 1 / 6, 1 / 3, 0.5, 1]),
        ("!(a & b) | a", [1, 0.75, 0.5, 0.75, 1]),
        ("!a +1", [0.75, 0.5, 0.25, 0, 0]),
        ("(!a) +1", [1, 1, 0.75, 0.5, 0.25]),
        ("b#1", [1, 0.75, 0.5, 0.25, 0.5]),
        ("b#2", [0, 0, 0, 0, 0]),
        ("b@0.4#1", [1, 19 / 24, 7 / 12, 0.3125, 0]),
        ("b@0.4#2", [0, 0, 0, 0, 7 / 12]),
        ("b@0.4#2 | a", [0, 0.25, 0.5, 0.75, 1]),
        ("b & !b@0.4#1", [0, 5 / 24, 5 / 12, 0.25, 0.5]),
        ("(b@0.4#1)*0.5", [0.5, 19 / 48, 7 / 24, 0.15625, 0]),
        ("b@0.4#2 +1", [0, 0, 0, 7 / 12, 7 / 12]),
    ],
)
def test_maps_by_hand(text, expected):
    assert prob(text) == pytest.approx(expected)


def test_not_about_another_default_threshold():
    assert prob("!a", 0.25) == pytest.approx([1, 0.25, 1 / 6, 1 / 12, 0])
    assert prob("a*2", 0.25) == pytest.approx([0, 0.5, 1, 1, 1])


@given(TREES, MAPS, DEFAULTS)
def test_x_and_not_x_are_complements_at_the_default_threshold(tree, maps, default):
    x, rest = (mask_of(one, maps, default, default, SHAPES) for one in (tree, Not(tree)))
    np.testing.assert_array_equal(rest, ~x)


@given(TREES, MAPS, DEFAULTS, st.floats(0.02, 0.98))
def test_the_mask_is_the_map_above_the_threshold_but_for_rounding(tree, maps, default, threshold):
    whole = prob_of(tree, maps, default, SHAPES)
    assert whole.dtype == np.float32 and whole.min() >= 0 and whole.max() <= 1
    clear = np.abs(whole - threshold) > 1e-5
    np.testing.assert_array_equal(mask_of(tree, maps, threshold, default, SHAPES)[clear], (whole > threshold)[clear])


def test_a_pixel_exactly_at_the_threshold_belongs_to_the_negation_alone_by_default():
    maps = {"a": np.float32([[0, 0.5, 1]])}
    for text, threshold, expected in (
        ("a", 0.5, [0, 0, 1]),
        ("!a", 0.5, [1, 1, 0]),
        ("!!a", 0.5, [0, 0, 1]),
        ("(!a)*0.5", 0.5, [0, 0, 0]),
        ("!((!a)*0.5)", 0.5, [1, 1, 1]),
        ("(!a)*0.5*0.5", 0.5, [0, 0, 0]),
        ("!(a*3)", 0.25, [1, 0, 0]),
    ):
        assert mask_of(parse(text), maps, threshold, 0.5, SHAPES)[0].tolist() == expected, text


@given(MAPS, DEFAULTS, LEVELS.filter(lambda value: 0 < value < 1))
def test_a_terms_threshold_acts_like_the_default_one(maps, default, value):
    mask = mask_of(Threshold(Phrase("a"), value), maps, default, default, SHAPES)
    np.testing.assert_array_equal(mask, maps["a"] > value)


@given(TREES, MAPS, DEFAULTS, st.integers(-5, 5))
def test_a_grown_expression_has_the_grown_mask(tree, maps, default, pixels):
    mask = mask_of(tree, maps, default, default, SHAPES)
    np.testing.assert_array_equal(mask_of(Grow(tree, pixels), maps, default, default, SHAPES), grown(mask, pixels))


@given(TREES, MAPS, DEFAULTS, st.floats(0.05, 0.95), st.floats(0.05, 0.95))
def test_a_higher_threshold_never_adds_a_pixel(tree, maps, default, one, other):
    low, high = (mask_of(tree, maps, threshold, default, SHAPES) for threshold in sorted((one, other)))
    assert not (high & ~low).any()


@given(MAPS)
def test_de_morgan(maps):
    for one, other in (("!(a & b)", "!a | !b"), ("!(a | b)", "!a & !b"), ("!!a", "a")):
        left, right = (mask_of(parse(text), maps, 0.5, 0.5, SHAPES) for text in (one, other))
        np.testing.assert_array_equal(left, right)


@given(
    trees(st.sampled_from([Phrase("a"), Phrase("b")]), bent=False), st.floats(0, 1), st.floats(0, 1), st.floats(0.01, 1)
)
def test_what_does_not_score_has_an_empty_map(tree, a, b, enough):
    """A phrase that is not found is 0 everywhere; an expression that is not found is 0 everywhere too."""
    scores = {"a": a, "b": b}
    maps = {name: np.full((3, 4), float(score >= enough), np.float32) for name, score in scores.items()}
    if score_of(tree, scores) < enough:
        assert not prob_of(tree, maps, 0.5, SHAPES).any() and not mask_of(tree, maps, 0.5, 0.5, SHAPES).any()


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ("a & b", 0.2),
        ("a | b", 0.9),
        ("!b", 1),
        ("!a", 1),
        ("a & !b", 0.9),
        ("b & !a", 0.2),
        ("!!b", 0.2),
        ("!(a & b)", 1),
        ("!(!a | b)", 0.9),
        ("(a*3 & b +4)@0.2", 0.2),
    ],
)
def test_scores_by_hand(text, score):
    assert score_of(parse(text), {"a": 0.9, "b": 0.2}) == score


def test_an_instance_that_is_absent_scores_nothing_and_its_negation_all():
    scores, absent = {"a": 0.9, "b": 0.8}, {Instance(Phrase("a"), 3)}
    said = {"a#3": 0, "a#2": 0.9, "!a#3": 1, "a & !a#3": 0.9, "a#3 | b": 0.8, "a#3 & b": 0, "!!a#3": 0, "b#3": 0.8}
    assert {text: score_of(parse(text), scores, absent) for text in said} == said


@given(MAPS, DEFAULTS, st.floats(0.05, 0.95))
def test_instances_share_the_whole_at_any_threshold(maps, default, threshold):
    """No pixel is of two, and none is lost; a threshold gives none another number."""
    whole = mask_of(Phrase("a"), maps, threshold, default, SHAPES)
    count = next(n for n in range(26) if not prob_of(Instance(Phrase("a"), n + 1), maps, default, SHAPES).any())
    parts = [mask_of(Instance(Phrase("a"), n + 1), maps, threshold, default, SHAPES) for n in range(count)]
    if count:
        np.testing.assert_array_equal(np.sum(parts, axis=0), whole)
    areas = [mask_of(Instance(Phrase("a"), n + 1), maps, default, default, SHAPES).sum() for n in range(count)]
    assert areas == sorted(areas, reverse=True) and all(areas)


@given(st.floats(0, 1), st.floats(0.01, 0.99), st.floats(0.01, 0.99))
def test_bending_there_and_back(value, knot, onto):
    assert bend(bend(value, knot, onto), onto, knot) == pytest.approx(value, abs=1e-9)
    assert bend(knot, knot, onto) == onto and 0 <= bend(value, knot, onto) <= 1
