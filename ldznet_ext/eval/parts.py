"""The report's parts about the model itself: its autoencoder, what it paints, and what becomes of edits by words.

Each part is measured once and kept like a cell; it says why where it cannot be measured.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ldznet_ext.eval import edit_cases, editing
from ldznet_ext.eval.autoencoder import SCENES, judge_autoencoder
from ldznet_ext.eval.generation import SEEDS, draw_sheet, judge_generation
from ldznet_ext.eval.plan import EDITING, MODEL, Plan
from ldznet_ext.eval.run import Progress
from ldznet_ext.world.concepts import named

if TYPE_CHECKING:
    from ldznet_ext.eval.toolbox import Tools

SHEET, EDITS = "samples.png", "edits.png"
NO_JUDGE = "There is no classifier; run `ldznet train classifier`, or name its file with --classifier."
NO_GENERATOR = "There is no generator; expected Sticker-SD in models/."
NO_HEAD = "There is no LD-ZNet head in models/ to find words by."

Measured = dict[str, object]


@dataclass(frozen=True, kw_only=True)
class Part:
    """One measurement. `missing`: why it cannot be made, empty when it can. `stamp`: what its numbers depend on."""

    name: str
    section: str
    title: str
    stamp: dict[str, object]
    missing: str
    compute: Callable[[Progress], Measured]


def parts(plan: Plan, tools: "Tools", work: Path, plots: Path) -> Iterator[Part]:
    """The four parts, cheap ones first; pictures are kept below `work`, sheets drawn into `plots`."""
    judge = tools.judge
    marks = {"model": tools.model, "limit": plan.limit}
    judged = {**marks, "judge": judge.mark if judge is not None else None}
    yield Part(
        name="autoencoder",
        section=MODEL,
        title="the autoencoder on test scenes",
        stamp=marks,
        missing="" if tools.reconstruct is not None else NO_GENERATOR,
        compute=partial(_autoencoder, plan, tools),
    )
    lacking = NO_GENERATOR if tools.paint is None else NO_JUDGE if judge is None else ""
    yield Part(
        name="generation",
        section=MODEL,
        title="named objects, painted and judged",
        stamp=judged,
        missing=lacking,
        compute=partial(_generation, plan, tools, work, plots),
    )
    lacking = lacking or (NO_HEAD if tools.find is None or tools.repaint is None else "")
    stamp = {**judged, "head": editing_mark(tools)}
    for name, title, cases in (
        ("editing_scenes", "edits of test scenes", _scene_cases),
        ("editing", "edits of generated pictures", _generated_cases),
    ):
        yield Part(
            name=name,
            section=EDITING,
            title=title,
            stamp=stamp,
            missing=lacking,
            compute=partial(_editing, plan, tools, work, plots / EDITS if name == "editing" else None, cases),
        )


def editing_mark(tools: "Tools") -> str | None:
    """A mark of the shipped head."""
    from ldznet_ext.weights import sha256_of

    return sha256_of(tools.shipped)[:16] if tools.shipped is not None else None


def _few(plan: Plan, count: int) -> int:
    return count if plan.limit is None else min(plan.limit, count)


def _autoencoder(plan: Plan, tools: "Tools", progress: Progress) -> Measured:
    return judge_autoencoder(tools.reconstruct, scenes=_few(plan, SCENES), progress=progress)


def _generation(plan: Plan, tools: "Tools", work: Path, plots: Path, progress: Progress) -> Measured:
    names = [concept.name for concept in named()]
    names = names[: _few(plan, len(names))]
    folder = work / "generated" / _mark(tools.model)
    found = judge_generation(tools.paint, tools.judge, objects=names, folder=folder, progress=progress)
    draw_sheet(plots / SHEET, tools.paint, names, SEEDS, folder)
    return found


def _scene_cases(plan: Plan, tools: "Tools", folder: Path) -> list[edit_cases.Case]:
    return edit_cases.scene_cases(_few(plan, editing.SCENES))


def _generated_cases(plan: Plan, tools: "Tools", folder: Path) -> list[edit_cases.Case]:
    return edit_cases.generated_cases(tools.paint, _few(plan, editing.GENERATED), folder / "pictures")


def _editing(
    plan: Plan, tools: "Tools", work: Path, sheet: Path | None, make: Callable, progress: Progress
) -> Measured:
    folder = work / "editing" / _mark(f"{tools.model} {editing_mark(tools)} {tools.judge.mark}")
    cases = make(plan, tools, folder)
    settings = {"find": tools.find, "repaint": tools.repaint, "folder": folder, "progress": progress}
    found = editing.judge_editing(cases, tools.judge, **settings)
    if sheet is not None:
        editing.draw_rows(sheet, cases, folder)
    return found


def _mark(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
