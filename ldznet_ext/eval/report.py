"""`ldznet report`: train four networks alike, run them and two floors over the paper's tables, write the page.

Every step is kept (a head a file, a cell a file), so a killed report goes on where it was. Training, segmenting and
redrawing come in as callables: see `tools.py` for the real ones.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ldznet_ext.errors import DataError, NetworkError
from ldznet_ext.eval.cells import Cell, cell, kept, measure, one_phrase_seconds, read_json, write_json
from ldznet_ext.eval.example import Example
from ldznet_ext.eval.floors import ColourThreshold, PositionPrior
from ldznet_ext.eval.gallery import draw
from ldznet_ext.eval.pages import NUMBERS, PLOTS, render
from ldznet_ext.eval.part_cells import gathered, measure_parts
from ldznet_ext.eval.plan import (
    COMPARISON,
    HEAD,
    NAMES,
    NETWORKS,
    OBJECTS,
    SECTIONS,
    SHIPPED,
    TEXT_METHODS,
    TRAIN_STYLE,
    UNTRAINED,
    Budget,
    Plan,
    Sweep,
)
from ldznet_ext.eval.redrawn import redrawn
from ldznet_ext.eval.run import Segment
from ldznet_ext.eval.summary import summarise
from ldznet_ext.eval.toolbox import Tools
from ldznet_ext.eval.untrained import UNTRAINED_GRID

Say = Callable[[str], None]


def report(
    out: Path,
    *,
    budget: Budget,
    seeds: Sequence[int] = (0,),
    limit: int | None = None,
    networks: Sequence[str] = tuple(NETWORKS),
    only: Sequence[str] = SECTIONS,
    work: Path = Path("runs/report"),
    tools: Tools | None = None,
    say: Say = lambda text: None,
) -> Path:
    """Do what is not done yet, then write `results.json`, `results.md` and the plots to `out`; returns the page.

    `budget` is that of each network and seed, `limit` the lines of each set (None: all), objects
    and edits. Heads and cells are kept in `work`; a head found there is used as it is. `only`: the sections to measure, the
    page shows what is kept of the others. Raises DataError and OptionError.
    """
    if tools is None:
        from ldznet_ext.eval.tools import default_tools

        tools = default_tools()
    plan = Plan(budget=budget, seeds=tuple(seeds), limit=limit, networks=tuple(networks), only=tuple(only))
    bench = _Bench(plan=plan, tools=tools, work=work, say=say)
    try:
        for sweep, method, one in bench.cells():
            bench.done.setdefault((sweep.name, method), []).append(one)
        bench.draw_grid(out / PLOTS / "grid.png")
        bench.draw_untrained(out / PLOTS / UNTRAINED_GRID)
        measure_parts(plan, tools, work, out / PLOTS, say)
    finally:  # also after an interruption: the page then holds all there is
        own, untrained = gathered(plan, tools, work, out / PLOTS)
        numbers = {**summarise(plan, bench.done, bench.not_run), "model": own, "untrained": untrained}
        write_json(out / NUMBERS, numbers)
        page = render(out)
    return page


@dataclass
class _Bench:
    """The report at work: what is loaded, and what is done."""

    plan: Plan
    tools: Tools
    work: Path
    say: Say

    def __post_init__(self) -> None:
        self.done: dict[tuple[str, str], list[Cell]] = {}
        self.not_run: dict[str, str] = {}
        self.sets: dict[str, Sequence[Example]] = {}

    def cells(self) -> Iterator[tuple[Sweep, str, Cell]]:
        """Every cell, cheap ones first: the floors, then a network at a time, then the shipped head."""
        yield from self.floors()
        for seed in self.plan.seeds:
            for kind in self.plan.networks:
                head = self.head(kind, seed)
                if head is None:
                    continue
                start = partial(self.tools.open, head, False)
                yield from self.method(NETWORKS[kind], self.plan.sweeps, start, head, seed, COMPARISON)
        if (head := self.tools.shipped) is not None:
            yield from self.method(SHIPPED, self.plan.goals, partial(self.tools.open, head, True), head, 0, HEAD)
        yield from self.untrained()

    def floors(self) -> Iterator[tuple[Sweep, str, Cell]]:
        """The cells of the two floors: positions from val scenes, colours from train scenes."""
        for floor, split in ((PositionPrior, "val"), (ColourThreshold, "train")):
            source = f"sticker:{split}:{TRAIN_STYLE}"
            learn = partial(self._learnt, floor, source)
            yield from self.method(floor.name, self.plan.sweeps, learn, None, 0, COMPARISON)

    def untrained(self) -> Iterator[tuple[Sweep, str, Cell]]:
        """The cells of the methods without a head, and of the floors, which know the styles that the model knows."""
        kit = self.tools.untrained
        for floor, split in ((PositionPrior, "val"), (ColourThreshold, "train")) if kit.segment else ():
            learn = partial(self._learnt, floor, f"sticker:{split}")
            yield from self.method(floor.name, self.plan.goals, learn, None, 0, UNTRAINED)
        for kind, name in TEXT_METHODS.items():
            if kind in kit.segment:
                start = partial(kit.segment.__getitem__, kind)
                yield from self.method(name, self.plan.goals, start, None, 0, UNTRAINED, kit.marks[kind])

    def method(
        self,
        name: str,
        sweeps: Sequence[Sweep],
        start: Callable[[], Segment],
        head: Path | None,
        seed: int,
        section: str,
        mark: str | None = None,
    ) -> Iterator[tuple[Sweep, str, Cell]]:
        """The cells of one method, its segmenter opened only when a cell must be computed; `mark` is of its settings."""
        opened: list[Segment] = []
        for sweep in sweeps:
            path = self.work / "cells" / f"{sweep.name}.{name.replace(' ', '-')}.seed{seed}.json"
            if section not in self.plan.only:
                if (found := kept(path, self._stamp(sweep, head, mark))) is not None:
                    yield sweep, name, found
                continue
            examples = self.examples(sweep)
            if examples is None:
                continue

            def compute(sweep: Sweep = sweep, examples: Sequence[Example] = examples) -> Cell:
                if not opened:
                    opened.append(start())
                self.say(f"{name}, seed {seed}: {sweep.title}, {len(examples)} lines")
                found = measure(examples, opened[0], sweep.views)
                quick = one_phrase_seconds(examples, opened[0]) if sweep.name == "test" else None
                return {**found, "seconds_one": quick}

            yield sweep, name, cell(path, self._stamp(sweep, head, mark), compute)

    def head(self, kind: str, seed: int) -> Path | None:
        """The trained head, trained now if there is none and the comparison is asked for."""
        path = self.work / "heads" / f"{kind}-seed{seed}.safetensors"
        if not path.is_file():
            if COMPARISON not in self.plan.only:
                return None
            path.parent.mkdir(parents=True, exist_ok=True)
            self.say(f"{NETWORKS[kind]}, seed {seed}: training for {self.plan.budget}")
            self.tools.train(kind, seed, self.plan.budget, path)
        return path

    def examples(self, sweep: Sweep) -> Sequence[Example] | None:
        """The lines of a sweep, or None with the reason noted when they cannot be had."""
        if sweep.name in self.not_run:
            return None
        if sweep.name not in self.sets:
            try:
                self.sets[sweep.name] = self._loaded(sweep)
            except (DataError, NetworkError) as error:
                self.not_run[sweep.name] = str(error)
                self.say(f"{sweep.title}: not run, {error}")
                return None
        return self.sets[sweep.name]

    def draw_grid(self, path: Path) -> None:
        """Eight phrases of the test scenes, picked by LD-ZNet's rank; needs the three networks' first seed."""
        if COMPARISON not in self.plan.only:
            return
        sweep, seed = self.plan.sweeps[0], self.plan.seeds[0]
        cells = {name: self.done[sweep.name, name][0] for name in _shown(self.plan) if (sweep.name, name) in self.done}
        examples = self.examples(sweep)
        if examples is None or len(cells) < 3:
            return
        kinds = {name: kind for kind, name in NETWORKS.items()}
        stamp = {name: self._stamp(sweep, self.head(kinds[name], seed)) for name in cells}
        openers = {name: partial(self.tools.open, self.head(kinds[name], seed), False) for name in cells}
        views = {name: one["views"][NAMES.name] for name, one in cells.items()}
        self._draw(path, self.work / "grid.json", stamp, partial(draw, path, examples, views, openers))

    def draw_untrained(self, path: Path) -> None:
        """Eight objects of the test scenes, picked by the rank of the method that is best at them."""
        sweep, kit = self.plan.goals[0], self.tools.untrained
        kinds = {name: kind for kind, name in TEXT_METHODS.items() if (sweep.name, name) in self.done}
        every = {name: self.done[sweep.name, name][0]["views"][OBJECTS.name] for name in kinds}
        views = {name: view for name, view in every.items() if view["present"]}
        if UNTRAINED not in self.plan.only or not views:
            return
        stamp = {name: self._stamp(sweep, None, kit.marks[kinds[name]]) for name in views}
        openers = {name: partial(kit.segment.__getitem__, kinds[name]) for name in views}
        best = max(views, key=lambda name: views[name]["miou"])
        drawing = partial(draw, path, self.examples(sweep) or (), views, openers, ranked_by=best, view=OBJECTS)
        self._draw(path, self.work / "untrained_grid.json", stamp, drawing)

    def _draw(self, path: Path, note: Path, stamp: dict[str, object], drawing: Callable[[], None]) -> None:
        """Draw a picture unless it is there and made of the same cells, which the note says."""
        if path.is_file() and read_json(note) == stamp:
            return
        self.say(f"drawing {path.name}")
        drawing()
        write_json(note, stamp)

    def _loaded(self, sweep: Sweep) -> Sequence[Example]:
        examples = self.tools.load(sweep.data, self.plan.limit)
        examples[0].picture  # noqa: B018  art that was never fetched is found out here, not in the middle
        if not sweep.redrawn:
            return examples
        if self.tools.redraw is None:
            raise DataError("There is no generator to redraw pictures with; expected Sticker-SD in models/.")
        folder = self.work / "img2img" / _digest(self.tools.model.encode())
        return list(redrawn(examples, self.tools.redraw, folder, self.plan.strengths))

    def _learnt(self, floor: type[PositionPrior] | type[ColourThreshold], source: str) -> Segment:
        self.say(f"{floor.name}: learning from {source}")
        return floor.learn(self.tools.load(source, None))

    def _stamp(self, sweep: Sweep, head: Path | None, mark: str | None = None) -> dict[str, object]:
        """What a cell depends on: when any of it changes, the cell is computed again."""
        stamp: dict[str, object] = {
            "data": sweep.data,
            "limit": self.plan.limit,
            "views": [view.name for view in sweep.views],
            "strengths": list(self.plan.strengths) if sweep.redrawn else None,
            "model": self.tools.model,
            "head": _digest(head.read_bytes()) if head is not None else None,
        }
        return stamp if mark is None else {**stamp, "method": mark}


def _shown(plan: Plan) -> list[str]:
    return [NETWORKS[kind] for kind in ("rgbnet", "znet", "ldznet") if kind in plan.networks]


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
