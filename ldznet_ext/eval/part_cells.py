"""The report's parts at work: each measured once, kept as a small file, and gathered for the page."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ldznet_ext.eval.cells import Cell, cell, kept
from ldznet_ext.eval.parts import Part, parts
from ldznet_ext.eval.plan import UNTRAINED, Plan
from ldznet_ext.eval.run import Progress
from ldznet_ext.eval.untrained import about, untrained_parts

if TYPE_CHECKING:
    from ldznet_ext.eval.toolbox import Tools


def measure_parts(plan: Plan, tools: "Tools", work: Path, plots: Path, say: Callable[[str], None]) -> None:
    """Measure the model itself, the edits and what needs no head, as far as they are asked for and can be."""
    for part in _all(plan, tools, work, plots):
        if part.section in plan.only and not part.missing:
            cell(_path(work, part), part.stamp, partial(part.compute, _teller(part.title, say)))


def gathered(plan: Plan, tools: "Tools", work: Path, plots: Path) -> tuple[dict[str, Cell], dict[str, object]]:
    """What is kept of the parts, and why the others have no numbers: of the model itself, and of what needs no head."""
    own: dict[str, Cell] = {}
    untrained: dict[str, object] = about(plan, tools)
    for part in _all(plan, tools, work, plots):
        reason = part.missing or ("" if part.section in plan.only else "not asked for")
        found = kept(_path(work, part), part.stamp)
        place = untrained if part.section == UNTRAINED else own
        place[part.name] = {**found, "plan": None} if found is not None else {"not_run": reason}
    return own, untrained


def _all(plan: Plan, tools: "Tools", work: Path, plots: Path) -> Iterator[Part]:
    yield from parts(plan, tools, work, plots)
    yield from untrained_parts(plan, tools)


def _path(work: Path, part: Part) -> Path:
    return work / "cells" / f"{part.name.replace(' ', '-')}.model.json"


def _teller(title: str, say: Callable[[str], None]) -> Progress:
    """Says every eighth of the way where a long measurement stands."""

    def tell(done: int, total: int) -> None:
        if done * 8 // total != (done - 1) * 8 // total:
            say(f"{title}: {done} of {total}")

    return tell
