"""Mask by example, measured: mark one of two alike objects and find the other, or find the object in another picture.

The scenes are Sticker World's; the search is handed in, so this works for the method, a floor or a fake alike.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ldznet_ext.eval.metrics import auroc
from ldznet_ext.eval.run import Progress
from ldznet_ext.result import FOUND, Segmentation
from ldznet_ext.world.scenes import Scene, scene

TWINS, ACROSS, ABSENT = "twins", "across", "absent"
SEED = 0
"""Of evaluation scenes, as everywhere."""
SCENES = 256
"""How many scenes are looked through for cases."""


class Search(Protocol):
    """What looks like the example (bool h w, in `picture`) in `other`, or in the picture itself where that is None."""

    def __call__(self, picture: np.ndarray, example: np.ndarray, other: np.ndarray | None) -> Segmentation: ...


@dataclass(frozen=True, kw_only=True, eq=False)
class Case:
    """One example and what is to be found by it.

    `truth` (bool h w): the other instances in the example's own picture (`other` None), or all of them in another picture;
    empty where there is none. `name`: the object's.
    """

    kind: str
    name: str
    picture: np.ndarray
    example: np.ndarray
    other: np.ndarray | None
    truth: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a case: IoU of the mask with the truth, the example itself left out (None where nothing is there)."""

    kind: str
    name: str
    iou: float | None
    score: float
    found: bool


def cases(
    split: str = "test", *, scenes: int = SCENES, styles: Sequence[str] | None = None, concepts: str = "named"
) -> Iterator[Case]:
    """All cases of the first so many scenes: twins both ways round, then each object's next appearance and next absence."""
    painted = [scene(SEED, index, split=split, styles=styles, concepts=concepts) for index in range(scenes)]
    for one in painted:
        yield from _twins(one)
    yield from _pairs(painted)


def judge(case: Case, search: Search) -> Outcome:
    """Search, and score what is found outside the example."""
    result = search(case.picture, case.example, case.other)
    mask = result.mask if case.other is not None else result.mask & ~case.example
    there = bool(case.truth.any())
    return Outcome(
        kind=case.kind,
        name=case.name,
        iou=float((mask & case.truth).sum() / (mask | case.truth).sum()) if there else None,
        score=result.phrases[0].score,
        found=result.phrases[0].status == FOUND,
    )


def evaluate_like(
    search: Search, chosen: Iterable[Case], *, limit: int | None = None, progress: Progress | None = None
) -> dict[str, object]:
    """Judge cases, the first `limit` of each kind: what the report's table of the method shows, fractions and counts."""
    picked = _first(chosen, limit)
    outcomes: list[Outcome] = []
    for case in picked:
        outcomes.append(judge(case, search))
        if progress is not None:
            progress(len(outcomes), len(picked))
    return summarise(outcomes)


def summarise(outcomes: Sequence[Outcome]) -> dict[str, object]:
    """n, mean and median IoU by kind; how well scores tell pictures with such an object from those without."""
    there = [one for one in outcomes if one.kind == ACROSS]
    gone = [one for one in outcomes if one.kind == ABSENT]
    return {
        **{kind: _ious([one for one in outcomes if one.kind == kind]) for kind in (TWINS, ACROSS)},
        "auroc": _rounded(auroc([one.score for one in there], [one.score for one in gone])),
        "recall_found": _mean([one.found for one in there]),
        "false_found": _mean([one.found for one in gone]),
        "absent": len(gone),
        "cases": [
            {
                "kind": one.kind,
                "name": one.name,
                "iou": _rounded(one.iou),
                "score": _rounded(one.score),
                "found": one.found,
            }
            for one in outcomes
        ],
    }


def like_search(backbone: object, *, refine: bool = True) -> Search:
    """`ldznet_ext.like` as a search."""
    from ldznet_ext.like import like

    def search(picture: np.ndarray, example: np.ndarray, other: np.ndarray | None) -> Segmentation:
        return like(picture, example, search=other, backbone=backbone, refine=refine)

    return search


def clicked_search(backbone: object, *, refine: bool = True) -> Search:
    """The same with one click, on the pixel of the example that lies deepest in it."""
    from ldznet_ext.like import like

    def search(picture: np.ndarray, example: np.ndarray, other: np.ndarray | None) -> Segmentation:
        return like(picture, [deepest(example)], search=other, backbone=backbone, refine=refine)

    return search


def deepest(mask: np.ndarray) -> tuple[int, int]:
    """The pixel (x, y) of a mask that is farthest from its edge: where a person clicks."""
    import cv2

    depth = cv2.distanceTransform(np.pad(mask, 1).astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
    y, x = np.unravel_index(int(depth.argmax()), depth.shape)
    return int(x), int(y)


def _twins(one: Scene) -> Iterator[Case]:
    """Each of the objects that are there twice, as the example for the other."""
    names = [thing.concept.name for thing in one.objects]
    for number, thing in enumerate(one.objects):
        others = [other.mask for k, other in enumerate(one.objects) if k != number and names[k] == names[number]]
        if others:
            yield Case(
                kind=TWINS, name=names[number], picture=one.picture, example=thing.mask, other=None,
                truth=np.logical_or.reduce(others),
            )  # fmt: skip


def _pairs(painted: Sequence[Scene]) -> Iterator[Case]:
    """Each object that a scene holds once, sought in the next scene that has it and in the next that has not."""
    for start, one in enumerate(painted):
        names = [thing.concept.name for thing in one.objects]
        for thing, name in zip(one.objects, names, strict=True):
            if names.count(name) > 1:
                continue
            later = [other for other in painted[start + 1 :] if other.style == one.style]
            for kind, has in ((ACROSS, True), (ABSENT, False)):
                other = next((each for each in later if (_all_of(each, name).any()) == has), None)
                if other is not None:
                    yield Case(
                        kind=kind, name=name, picture=one.picture, example=thing.mask, other=other.picture,
                        truth=_all_of(other, name),
                    )  # fmt: skip


def _all_of(one: Scene, name: str) -> np.ndarray:
    """Bool (h w): every object of a name."""
    masks = [thing.mask for thing in one.objects if thing.concept.name == name]
    return np.logical_or.reduce([np.zeros(one.picture.shape[:2], bool), *masks])


def _first(chosen: Iterable[Case], limit: int | None) -> list[Case]:
    """The first `limit` cases of each kind, kind after kind."""
    kinds: dict[str, list[Case]] = {TWINS: [], ACROSS: [], ABSENT: []}
    for case in chosen:
        if limit is None or len(kinds[case.kind]) < limit:
            kinds[case.kind].append(case)
    return [case for group in kinds.values() for case in group]


def _ious(outcomes: Sequence[Outcome]) -> dict[str, object]:
    ious = [one.iou for one in outcomes if one.iou is not None]
    return {"n": len(ious), "iou": _mean(ious), "median": _rounded(float(np.median(ious))) if ious else None}


def _mean(values: Sequence[float]) -> float | None:
    return _rounded(float(np.mean(values))) if len(values) else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
