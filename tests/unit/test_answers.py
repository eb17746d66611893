"""Expressions through the whole walk: statuses, scores, masks, thresholds, what is asked of the model and how often."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ldznet_ext.answers import Measure, answer, mask_at
from ldznet_ext.errors import ExpressionError, PhraseError
from ldznet_ext.hosts.standalone import StandaloneBackbone
from ldznet_ext.masks.components import components
from ldznet_ext.masks.shape import grown
from ldznet_ext.pipeline import apply, rethreshold, segment
from ldznet_ext.prompt.tree import And, Not, Or, Phrase, Tree
from ldznet_ext.prompt.write import write
from ldznet_ext.request import MaskSettings, SegmentRequest
from ldznet_ext.result import FOUND, NOT_FOUND, UNKNOWN, PhraseResult, Segmentation
from ldznet_ext.segmenters.base import Clock, Evidence
from ldznet_ext.segmenters.view import View
from tests.tiny import picture
from tests.unit.prompt.trees import trees

SCORES = {"fox": 0.9, "snow": 0.8, "owl": 0.1, "balloon": 0.2}
LEVELS = st.sampled_from([0.0, 0.25, 0.3, 0.5, 0.75, 1.0])
WORDS = st.sampled_from([Phrase("fox"), Phrase("snow"), Phrase("owl")])


class Painted:
    """A method that finds each word by its score, and sees it as a map of its own; `t` is where half of the map lies."""

    name = "painted"
    needs: frozenset[str] = frozenset()
    rank: ClassVar[int] = 0

    def __init__(self, **evidence: object) -> None:
        self.settings, self.asked = {"calibrated": True, "familiar": True, **evidence}, []

    def evidence(
        self, backbone: object, view: View, phrases: Sequence[str], request: SegmentRequest, clock: Clock
    ) -> Evidence:
        self.asked.append(tuple(phrases))
        logits = [np.random.default_rng(len(phrase)).normal(0, 2, view.fit.network) for phrase in phrases]
        scores = np.array([SCORES[phrase] for phrase in phrases], np.float32)
        return Evidence(logits=np.array(logits, np.float32), scores=scores, **self.settings)


def find(backbone: StandaloneBackbone, words: object, method: Painted | None = None, **more: object) -> Segmentation:
    return segment(picture(64, 128), words, backbone=backbone, method=method or Painted(), refine=False, **more)


def test_all_phrases_of_all_expressions_are_asked_for_once(backbone: StandaloneBackbone) -> None:
    method = Painted()
    result = find(backbone, ["fox & !owl", "owl | snow", "fox", "cat & fox"], method)
    assert method.asked == [("fox", "owl", "snow")]
    assert [answer.text for answer in result.phrases] == ["fox & !owl", "owl | snow", "fox", "cat & fox"]
    assert [[term.text for term in answer.terms] for answer in result.phrases] == [
        ["fox", "owl"],
        ["owl", "snow"],
        [],
        ["cat", "fox"],
    ]


@pytest.mark.parametrize("text", ["fox", "owl", " fox ", '"fox"', "(fox)"])
def test_a_bare_phrase_is_what_it_was(backbone: StandaloneBackbone, text: str) -> None:
    bare, plain = find(backbone, text), find(backbone, "fox" if "fox" in text else "owl")
    answer, own = bare.phrases[0], plain.phrases[0]
    assert (answer.text, answer.terms) == (text, ())
    assert (answer.status, answer.score, answer.box, answer.area) == (own.status, own.score, own.box, own.area)
    np.testing.assert_array_equal(answer.prob, own.prob)
    np.testing.assert_array_equal(bare.mask, plain.mask)
    assert own.prob.max() > 0.9  # also of what is not found


@pytest.mark.parametrize(
    ("text", "status", "score"),
    [
        ("fox & snow", FOUND, 0.8),
        ("fox & owl", NOT_FOUND, 0.1),
        ("fox | owl", FOUND, 0.9),
        ("owl | balloon", NOT_FOUND, 0.2),
        ("fox & !owl", FOUND, 0.9),
        ("!owl", FOUND, 1.0),
        ("!fox", FOUND, 1.0),
        ("!!owl", NOT_FOUND, 0.1),
        ("owl*9 +9", NOT_FOUND, 0.1),
        ("fox | cat", UNKNOWN, 0.0),
        ("fox & !cat", UNKNOWN, 0.0),
    ],
)
def test_the_status_of_an_expression(backbone: StandaloneBackbone, text: str, status: str, score: float) -> None:
    result = find(backbone, text)
    answer = result.phrases[0]
    assert (answer.status, answer.score) == (status, pytest.approx(score))
    if status != FOUND:
        assert answer.box is None and answer.area == 0 and not result.mask.any() and not answer.prob.any()


class Blobs(Painted):
    """Sees a large thing, a smaller one, another that is less sure, and a speck."""

    def evidence(
        self, backbone: object, view: View, phrases: Sequence[str], request: SegmentRequest, clock: Clock
    ) -> Evidence:
        found = super().evidence(backbone, view, phrases, request, clock)
        found.logits[:] = -2
        found.logits[:, 10:50, 8:40] = 2
        found.logits[:, 20:40, 60:70] = 2
        found.logits[:, 30:42, 100:112] = 0.5
        found.logits[:, 5, 126] = 2
        return found


def test_instances_are_pieces_of_the_phrases_own_mask(backbone: StandaloneBackbone) -> None:
    whole = find(backbone, "fox", Blobs())
    pieces = components(whole.mask)
    assert [piece.area for piece in pieces] == [1280, 200, 144, 1]
    for number, piece in enumerate(pieces[:3], start=1):
        one = find(backbone, f"fox#{number}", Blobs())
        assert (one.phrases[0].status, one.phrases[0].score) == (FOUND, whole.phrases[0].score)
        np.testing.assert_array_equal(one.mask[piece.box.slices], piece.mask)
        assert one.mask.sum() == piece.area + (number == 3) and not one.message, "the speck goes with the nearest"
    assert find(backbone, "fox & !fox#1", Blobs()).mask.sum() == 345
    assert find(backbone, "fox#1 +2 | fox#2", Blobs()).mask.sum() > 1480
    assert "fox has 3 pieces, #1 to #3" in find(backbone, "fox#4", Blobs()).message


def test_a_slider_gives_no_instance_another_number(backbone: StandaloneBackbone) -> None:
    """At 0.7 the third is gone, at 0.1 all is one."""
    places = (slice(10, 50), slice(8, 40)), (slice(20, 40), slice(60, 70)), (slice(30, 42), slice(100, 112))
    whole = find(backbone, "fox", Blobs())
    for number, place in enumerate(places, start=1):
        one = find(backbone, f"fox#{number}", Blobs())
        for threshold, there in ((0.1, True), (0.3, True), (0.7, number < 3)):
            again = rethreshold(one, threshold)
            assert again.mask[place].all() == again.mask[place].any() == there
            assert not any(again.mask[other].any() for other in places if other is not place)
            np.testing.assert_array_equal(again.mask, (one.prob > threshold))
            asked = find(backbone, f"fox#{number}", Blobs(), threshold=threshold)
            np.testing.assert_array_equal(asked.mask, again.mask)
    together = rethreshold(find(backbone, "fox#1 | fox#2 | fox#3", Blobs()), 0.1)
    np.testing.assert_array_equal(together.mask, rethreshold(whole, 0.1).mask)
    assert together.mask.all()


@pytest.mark.parametrize(
    ("text", "status", "says"),
    [
        ("fox#999", NOT_FOUND, "fox#999 was asked for, and fox has"),
        ("fox#999 & snow", NOT_FOUND, "fox#999 was asked for"),
        ("fox#999 | snow", FOUND, "fox#999 was asked for"),
        ("fox & !fox#999", FOUND, "fox#999 was asked for"),
        ("fox#1#2", NOT_FOUND, "fox#1#2 was asked for, and fox#1 has one piece, #1; so ask for one that is there."),
        ("(fox & !fox)#1", NOT_FOUND, "fox & !fox has no piece"),
        ("owl#1", NOT_FOUND, ""),
        ("owl#1 | fox", FOUND, ""),
        ("cat#1", UNKNOWN, "never saw"),
    ],
)
def test_an_instance_that_is_not_there_is_said(backbone: StandaloneBackbone, text: str, status: str, says: str) -> None:
    result = find(backbone, text)
    assert result.phrases[0].status == status
    assert says in result.message and bool(says) == bool(result.message)
    assert result.mask.any() == (status == FOUND)


def test_a_phrase_not_found_counts_as_nothing(backbone: StandaloneBackbone) -> None:
    fox = find(backbone, "fox").mask
    for text in ("fox & !owl", "fox | owl", "fox & !(owl +30)"):
        np.testing.assert_array_equal(find(backbone, text).mask, fox)
    assert find(backbone, "!owl").mask.all()


def test_masks_join_as_they_should(backbone: StandaloneBackbone) -> None:
    fox, snow = find(backbone, "fox").mask, find(backbone, "snow").mask
    for text, expected in {
        "fox & snow": fox & snow,
        "fox | snow": fox | snow,
        "fox & !snow": fox & ~snow,
        "!fox": ~fox,
        "fox +3": grown(fox, 3),
        "fox -2 | snow": grown(fox, -2) | snow,
        "fox@0.8": find(backbone, "fox", threshold=0.8).mask,
    }.items():
        result = find(backbone, text)
        np.testing.assert_array_equal(result.mask, expected, err_msg=text)
        assert result.phrases[0].area == expected.sum()


@given(
    trees(WORDS, most=5),
    st.fixed_dictionaries(
        dict.fromkeys(("fox", "snow", "owl"), arrays(np.float32, (3, 5), elements=LEVELS.map(np.float32)))
    ),
    st.sampled_from([0.5, 0.25, 0.75]),
)
def test_x_and_not_x_are_complements(tree: Tree, maps: dict[str, np.ndarray], default: float) -> None:
    """Whatever is found: here fox and snow are, and the owl is not."""
    measure = Measure(found=0.5, default=default, threshold=default, familiar=True)
    known = {
        name: PhraseResult(
            text=name, status=measure.status(SCORES[name]), score=SCORES[name], prob=prob, box=None, area=0
        )
        for name, prob in maps.items()
    }
    both = [answer(write(one), one, known, measure) for one in (tree, Not(tree))]
    x, rest = (mask_at(one, default, default) for one in both)
    np.testing.assert_array_equal(rest, ~x)
    assert [one.status for one in both if one.area] == [FOUND] * sum(one.area > 0 for one in both)


def test_they_are_in_the_whole_walk_too(backbone: StandaloneBackbone) -> None:
    for text in ("fox", "owl", "fox & !owl +3", "(snow | owl)*2@0.3", "(!owl)*0.5"):
        x, rest = (find(backbone, one, Painted(mask_threshold=0.3)).mask for one in (text, f"!({text})"))
        np.testing.assert_array_equal(rest, ~x, err_msg=text)


def test_an_unfamiliar_picture_has_an_empty_mask_whatever_is_asked(backbone: StandaloneBackbone) -> None:
    result = find(backbone, ["!fox", "fox | snow"], Painted(familiar=False))
    assert [answer.status for answer in result.phrases] == [NOT_FOUND, NOT_FOUND] and not result.mask.any()
    assert result.phrases[0].prob.min() < 0.1 < 0.9 < result.phrases[0].prob.max()  # what was seen is still there
    assert not apply(result, MaskSettings(invert=True)).any()


def test_an_unknown_word_is_said_and_empties_its_own_expression_alone(backbone: StandaloneBackbone) -> None:
    result = find(backbone, ["fox & !cat", "fox"])
    assert 'never saw "cat" in training' in result.message and result.provenance["unknown_words"] == {"cat": ["cat"]}
    np.testing.assert_array_equal(result.mask, result.phrases[1].prob > 0.5)
    assert [term.status for term in result.phrases[0].terms] == [FOUND, UNKNOWN]


def test_another_threshold_needs_no_model(backbone: StandaloneBackbone) -> None:
    words, method = ["fox@0.7 & !snow", "!owl", "fox | snow -1", "snow"], Painted(mask_threshold=0.4)
    asked = find(backbone, words, method, threshold=0.2)
    for threshold in (0.6, 0.9, None):
        again, expected = rethreshold(asked, threshold), find(backbone, words, method, threshold=threshold)
        np.testing.assert_array_equal(again.mask, expected.mask)
        assert [_facts(answer) for answer in again.phrases] == [_facts(answer) for answer in expected.phrases]
    assert rethreshold(asked, 0.9).phrases[0].area < asked.phrases[0].area


def _facts(answer: object) -> tuple[object, ...]:
    return answer.text, answer.status, answer.score, answer.box, answer.area, tuple(map(_facts, answer.terms))


def test_the_union_is_of_the_answers(backbone: StandaloneBackbone) -> None:
    result = find(backbone, ["fox & snow", "owl"])
    np.testing.assert_array_equal(result.prob, np.maximum(result.phrases[0].prob, result.phrases[1].prob))
    np.testing.assert_array_equal(result.mask, result.phrases[0].prob > 0.5)


def test_trees_are_taken_in_place_of_text(backbone: StandaloneBackbone) -> None:
    tree = And((Phrase("fox"), Not(Or((Phrase("snow"), Phrase("owl"))))))
    result = find(backbone, tree)
    assert result.phrases[0].text == "fox & !(snow | owl)"
    np.testing.assert_array_equal(result.mask, find(backbone, ["fox & !(snow | owl)"]).mask)


def test_the_name_of_an_example_is_no_expression(backbone: StandaloneBackbone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Painted, "needs", frozenset({"example"}))
    monkeypatch.setitem(SCORES, "a & (b", 0.9)
    method = Painted()
    result = rethreshold(find(backbone, "a & (b", method), 0.3)
    assert method.asked == [("a & (b",)] and result.phrases[0].terms == () and result.mask.any()


def test_words_that_cannot_be_read_are_refused_before_anything_is_loaded() -> None:
    with pytest.raises(ExpressionError, match="a phrase there"):
        segment("nowhere.png", ["fox", "fox &"])


def test_too_long_is_a_phrase_not_an_expression(backbone: StandaloneBackbone) -> None:
    long = " & ".join(["fox fox fox fox fox"] * 20)
    assert segment(picture(), long, backbone=backbone).phrases[0].status != UNKNOWN
    with pytest.raises(PhraseError, match="too long for the text encoder"):
        segment(picture(), f"owl & {'fox ' * 76}", backbone=backbone)
