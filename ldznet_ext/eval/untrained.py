"""The report's parts about methods without a head: naming every pixel, mask by example, the papers' ablations, costs.

Each part is measured once and kept like a cell; it says why where it cannot be measured. Masks by words are cells of sweeps.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from ldznet_ext.eval import classes, like
from ldznet_ext.eval.classes import Named
from ldznet_ext.eval.metrics import bootstrap
from ldznet_ext.eval.parts import NO_HEAD, Part
from ldznet_ext.eval.plan import LABELLERS, UNTRAINED, Plan
from ldznet_ext.eval.run import Progress, Segment

if TYPE_CHECKING:
    from ldznet_ext.eval.toolbox import Measured, Tools, Trial, Untrained

UNTRAINED_GRID = "untrained.png"
NO_METHOD = "There is no diffusion model to read; expected Sticker-SD in models/."

EXAMPLES = {"mask": "by its mask", "click": "by one click"}
CASES = 128
"""Of each kind of example, at most."""
TRIED = 32
"""Validation scenes that every variant labels; settings are chosen on these, so test scenes stay unseen."""
TIMED = 12
"""Pictures that seconds are the median of."""


def untrained_parts(plan: Plan, tools: "Tools") -> Iterator[Part]:
    """All parts, the quick ones first."""
    kit = tools.untrained
    make = partial(_part, plan, tools)
    lacking = "" if kit.costs is not None else NO_METHOD
    yield make("costs", "operations at SD 1.5's size", "costs", lacking, partial(_costs, kit))
    lacking = "" if kit.segment else NO_METHOD
    yield make("seconds", "seconds a picture", "seconds", lacking, partial(_seconds, plan, kit))
    for absent in (0, classes.ABSENT):
        for kind, name in LABELLERS.items():
            lacking = "" if kind in kit.label else NO_HEAD if kind == "ldznet" else NO_METHOD
            title = f"{name}: every pixel by name, {absent} absent names"
            yield make(f"classes.{kind}.{absent}", title, kind, lacking, partial(_labelled, plan, kit, kind, absent))
    for kind, words in EXAMPLES.items():
        lacking = "" if kind in kit.search else NO_METHOD
        yield make(f"example.{kind}", f"an example {words}", "example", lacking, partial(_found, plan, kit, kind))
    for name, trial in kit.trials.items():
        yield make(f"ablation.{name}", f"MaskDiffusion, {name}", "trials", "", partial(_tried, plan, trial))


def about(plan: Plan, tools: "Tools") -> dict[str, object]:
    """What the page says beside the numbers: how much was looked at, whose scores are calibrated, what the trials change."""
    kit = tools.untrained
    return {
        "scenes": few(plan, classes.SCENES),
        "absent_names": classes.ABSENT,
        "tried": few(plan, TRIED),
        "calibrated": dict(kit.calibrated),
        "settings": kit.settings,
    }


def few(plan: Plan, count: int) -> int:
    """So many, or as few as the limit says."""
    return count if plan.limit is None else min(plan.limit, count)


def _part(
    plan: Plan,
    tools: "Tools",
    name: str,
    title: str,
    kind: str,
    missing: str,
    compute: "Callable[[Progress], Measured]",
) -> Part:
    """A part whose numbers depend on the model, the limit and the method of this kind; costs on settings alone."""
    mark = tools.untrained.marks.get(kind, "")
    stamp = {"method": mark} if name == "costs" else {"model": tools.model, "limit": plan.limit, "method": mark}
    return Part(name=name, section=UNTRAINED, title=title, stamp=stamp, missing=missing, compute=compute)


def _costs(kit: "Untrained", progress: Progress) -> "Measured":
    return {"rows": [dict(row) for row in kit.costs()]}


def _seconds(plan: Plan, kit: "Untrained", progress: Progress) -> "Measured":
    """Median seconds of one phrase, or one example, on a picture never seen before."""
    from ldznet_ext.eval.costs import seconds

    pictures = [one.picture for one in classes.scenes("test", limit=few(plan, TIMED))]
    asks = {name: partial(_ask, segment) for name, segment in kit.segment.items()}
    if "mask" in kit.search:
        asks["example"] = lambda picture: kit.search["mask"](picture, _middle(picture), None)
    found = {}
    for done, (name, ask) in enumerate(asks.items()):
        found[name] = seconds(ask, pictures)
        progress(done + 1, len(asks))
    return {"pictures": len(pictures), "seconds": found}


def _ask(segment: Segment, picture: np.ndarray) -> object:
    return segment(picture, ["fox"])


def _middle(picture: np.ndarray) -> np.ndarray:
    """Bool (h w): the middle quarter, an example for the clock."""
    height, width = picture.shape[:2]
    mask = np.zeros((height, width), bool)
    mask[height // 4 : -height // 4, width // 4 : -width // 4] = True
    return mask


def _labelled(plan: Plan, kit: "Untrained", kind: str, absent: int, progress: Progress) -> "Measured":
    count = few(plan, classes.SCENES)
    pictures = classes.scenes("test", absent=absent, limit=count)
    found = classes.evaluate_classes(_counted(pictures, count, progress), kit.label[kind])
    return _with_interval(found)


def _tried(plan: Plan, trial: "Trial", progress: Progress) -> "Measured":
    count = few(plan, TRIED)
    found = trial(list(classes.scenes("val", limit=count)))
    progress(count, count)
    return _with_interval(found)


def _found(plan: Plan, kit: "Untrained", kind: str, progress: Progress) -> "Measured":
    found = like.evaluate_like(kit.search[kind], like.cases(), limit=few(plan, CASES), progress=progress)
    ious = {kind: [one["iou"] for one in found["cases"] if one["kind"] == kind] for kind in (like.TWINS, like.ACROSS)}
    return {**found, **{kind: {**found[kind], "interval": _interval(values)} for kind, values in ious.items()}}


def _with_interval(found: "Measured") -> "Measured":
    """Scores of labels with the ends of their interval over pictures."""
    each = found["each"]
    return {**found, "each": [round(value, 4) for value in each], "interval": _interval(each)}


def _interval(values: Sequence[float]) -> list[float] | None:
    return [round(end, 4) for end in bootstrap(values, range(len(values)))] if values else None


def _counted(pictures: Iterable[Named], count: int, progress: Progress) -> Iterator[Named]:
    for done, one in enumerate(pictures):
        yield one
        progress(done + 1, count)
