"""Mask by example, measured: which cases scenes make, and what a perfect, a blind and a greedy search score."""

import importlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from ldznet_ext.eval import like
from ldznet_ext.eval.like import ABSENT, ACROSS, TWINS, Case, cases, clicked_search, deepest, evaluate_like, like_search
from ldznet_ext.result import FOUND, NOT_FOUND, PhraseResult, Segmentation
from ldznet_ext.world.concepts import concepts
from ldznet_ext.world.scenes import Scene, SceneObject

FOX, OWL, KEY = concepts("named")[:3]


def painted(index: int, things: Sequence[Any], style: str = "fluent") -> Scene:
    """A scene (6 10) with a column two wide for each thing, each scene of its own grey."""
    masks = [np.zeros((6, 10), bool) for _ in things]
    for number, mask in enumerate(masks):
        mask[1:5, 3 * number : 3 * number + 2] = True
    nothing = np.zeros((6, 10), bool)
    return Scene(
        picture=np.full((6, 10, 3), 10 * index, np.uint8), ground=None, sky=None, plain="white", ground_mask=nothing,
        sky_mask=nothing, style=style, split="test", seed=0, index=index,
        objects=tuple(
            SceneObject(concept=thing, colour=None, mask=mask, extent=0.4)
            for thing, mask in zip(things, masks, strict=True)
        ),
    )  # fmt: skip


WORLD = [[FOX, FOX, OWL], [OWL], [KEY], [FOX, OWL, OWL]]


@pytest.fixture
def chosen(monkeypatch: pytest.MonkeyPatch) -> list[Case]:
    """The cases of the small world."""
    monkeypatch.setattr(like, "scene", lambda seed, index, **settings: painted(index, WORLD[index]))
    return list(cases("val", scenes=len(WORLD)))


def answer(mask: np.ndarray, score: float) -> Segmentation:
    """A result that found this mask, surely or not."""
    phrase = PhraseResult(
        text="example", status=FOUND if score >= 0.5 else NOT_FOUND, score=score, prob=mask * 1.0, box=None, area=0
    )
    return Segmentation(
        size=mask.shape, method="fake", model="fake", familiar=None, phrases=(phrase,), prob=mask * 1.0, mask=mask,
        seconds={}, unet_calls=0,
    )  # fmt: skip


def test_twins_are_sought_both_ways_and_others_in_the_next_scenes(chosen: list[Case]) -> None:
    found = [(case.kind, case.name, int(case.picture[0, 0, 0]), case.other is not None) for case in chosen]
    assert found == [
        (TWINS, FOX.name, 0, False),
        (TWINS, FOX.name, 0, False),
        (TWINS, OWL.name, 30, False),
        (TWINS, OWL.name, 30, False),
        (ACROSS, OWL.name, 0, True),  # the foxes of scene 0 are two: no single example
        (ABSENT, OWL.name, 0, True),
        (ACROSS, OWL.name, 10, True),
        (ABSENT, OWL.name, 10, True),
        (ABSENT, KEY.name, 20, True),
    ]
    first = chosen[0]
    assert not (first.example & first.truth).any() and first.truth.sum() == 8
    assert int(chosen[4].other[0, 0, 0]) == 10 and chosen[6].truth.sum() == 16  # both owls of the last scene
    assert int(chosen[5].other[0, 0, 0]) == 20 and not chosen[5].truth.any()


def test_scenes_of_other_styles_are_not_paired(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(like, "scene", lambda seed, index, **_: painted(index, [OWL], "flat" if index else "noto"))
    assert not list(cases(scenes=2))


def test_a_perfect_search_scores_everything(chosen: list[Case]) -> None:
    truths = {(case.kind, case.name, case.example.tobytes(), case.picture.tobytes()): case for case in chosen}

    def perfect(picture: np.ndarray, example: np.ndarray, other: np.ndarray | None) -> Segmentation:
        case = next(
            case
            for (_, _, marked, shown), case in truths.items()
            if (marked, shown) == (example.tobytes(), picture.tobytes()) and (case.other is other or other is None)
        )
        truth = case.truth | example if other is None else case.truth
        return answer(truth, 0.9 if case.truth.any() else 0.1)

    ticks: list[tuple[int, int]] = []
    found = evaluate_like(perfect, chosen, progress=lambda done, total: ticks.append((done, total)))
    assert found["twins"] == {"n": 4, "iou": 1.0, "median": 1.0}
    assert found["across"] == {"n": 2, "iou": 1.0, "median": 1.0}
    assert (found["auroc"], found["recall_found"], found["false_found"], found["absent"]) == (1.0, 1.0, 0.0, 3)
    assert ticks[-1] == (9, 9) and len(found["cases"]) == 9


def test_finding_the_example_alone_or_everything_is_worth_little(chosen: list[Case]) -> None:
    alone = evaluate_like(lambda picture, example, other: answer(example, 0.6), chosen)
    assert alone["twins"]["iou"] == 0 and alone["auroc"] == 0.5 and alone["false_found"] == 1
    greedy = evaluate_like(lambda picture, example, other: answer(np.ones((6, 10), bool), 0.6), chosen)
    assert greedy["twins"]["iou"] == pytest.approx(8 / 52, abs=1e-4)  # the example's own pixels count neither way


def test_the_limit_is_by_kind_and_nothing_is_nothing(chosen: list[Case]) -> None:
    found = evaluate_like(lambda picture, example, other: answer(example, 0.6), chosen, limit=1)
    assert [one["kind"] for one in found["cases"]] == [TWINS, ACROSS, ABSENT]
    empty = evaluate_like(lambda picture, example, other: answer(example, 0.6), [])
    assert empty["twins"] == {"n": 0, "iou": None, "median": None} and empty["auroc"] is None


def test_the_real_searches_hand_on_mask_or_click(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Any, dict[str, Any]]] = []
    module = importlib.import_module("ldznet_ext.like")  # the attribute of that name is the function
    monkeypatch.setattr(module, "like", lambda picture, example, **settings: asked.append((example, settings)))
    example = np.zeros((6, 10), bool)
    example[1:6, 0:5] = True
    picture = np.zeros((6, 10, 3), np.uint8)
    like_search("model", refine=False)(picture, example, None)
    clicked_search("model")(picture, example, picture)
    assert asked[0][0] is example and asked[0][1] == {"search": None, "backbone": "model", "refine": False}
    assert asked[1][0] == [(2, 3)] and asked[1][1]["search"] is picture


def test_the_deepest_pixel_lies_in_the_middle_also_at_the_edge() -> None:
    mask = np.zeros((5, 9), bool)
    mask[:, 4:] = True
    assert deepest(mask) == (6, 2)
