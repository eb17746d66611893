"""What the demo's page and sheet show: commands of the command line, run with `--json`, and what they wrote and printed."""

import contextlib
import io
import json
import shlex
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ldznet_ext.bootstrap import CHECKOUT
from ldznet_ext.cli.main import main
from ldznet_ext.errors import DataError
from ldznet_ext.eval.annotations import read_lines, read_mask
from ldznet_ext.eval.example import Example
from ldznet_ext.result import FOUND

SCENES = CHECKOUT / "tests" / "data" / "sticker_test"
CANDIDATES = 12
"""Test scenes that are tried for the failure: the first object of each."""


class Stopped(Exception):
    """A command of the demo ended with a sentence, which it has printed, and this code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, kw_only=True)
class Step:
    """One command of the demo: the folder it wrote to (within the demo's), its arguments, the object it printed."""

    name: str
    command: tuple[str, ...]
    answer: dict[str, Any]
    seconds: float

    @property
    def shell(self) -> str:
        """The command as it is typed."""
        return "ldznet " + shlex.join(self.command)

    def file(self, name: str | None) -> str | None:
        """A file the answer names, seen from the demo's folder."""
        return f"{self.name}/{name}" if name else None

    @property
    def mask(self) -> dict[str, Any]:
        """The mask object: `generate` has one a picture."""
        return self.answer["images"][0] if "images" in self.answer else self.answer

    def picture(self, kind: str) -> str | None:
        """One of the mask object's files, "mask", "prob" or "overlay", or its "image"."""
        return self.file(self.mask["image"] if kind == "image" else self.mask["files"][kind])


@dataclass(frozen=True, kw_only=True)
class Failure:
    """The worst mask of something that was found in a test scene: its truth, its IoU, and all that were tried."""

    step: Step
    source: str
    phrase: str
    truth: str
    iou: float
    tried: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Story:
    """All that the page and the sheet show; files are relative to `folder`."""

    folder: Path
    generate: Step
    edit: Step
    absent: Step
    failure: Failure | None
    seconds: float

    @property
    def prompt(self) -> str:
        """What was painted."""
        return self.generate.answer["prompt"]

    @property
    def new(self) -> str:
        """What was painted over what was found."""
        return self.edit.answer["prompt"]


def tell(folder: Path, *, prompt: str, words: str, new: str, absent: str, seed: int) -> Story:
    """Run the commands."""
    start, seeded = time.monotonic(), ("--seed", str(seed))
    # a folder for each: the mask files of one picture have the same names whatever the words are
    generated = _step(folder, "generate", "generate", prompt, "--mask", words, *seeded)
    picture = str(folder / str(generated.picture("image")))
    edited = _step(folder, "edit", "edit", picture, "--mask-prompt", words, "--prompt", new, *seeded)
    missed = _step(folder, "absent", "mask", picture, absent)
    failure = worst(folder) if SCENES.is_dir() else None
    seconds = time.monotonic() - start
    return Story(folder=folder, generate=generated, edit=edited, absent=missed, failure=failure, seconds=seconds)


def worst(folder: Path) -> Failure:
    """The worst mask among some shipped test scenes, of objects that were found; of all where nothing was.

    What was not found has an empty mask and IoU 0, which shows nothing: it is in the table.
    """
    tried: list[tuple[float, np.ndarray, Example, Step]] = []
    for example in candidates():
        with _quiet():
            step = _step(folder, "failure", "mask", example.source, example.phrase)
        mask, truth = read_mask(folder / str(step.picture("mask")), example.where), example.mask
        if truth is not None:
            tried.append((iou(mask, truth), truth, example, step))
    if not tried:
        raise DataError(f"{SCENES} has no objects; expected the shipped test scenes, so restore tests/data.")
    found = [entry for entry in tried if _status(entry[3]) == FOUND]
    score, true_mask, example, step = min(found or tried, key=lambda entry: entry[0])
    _say(f"· the worst of {len(tried)} test scenes: {example.phrase}, IoU {score:.2f}")
    _keep_only(folder / "failure", step)
    source = Path(example.source)
    shutil.copyfile(source, folder / "failure" / source.name)
    truth = f"{source.stem}_truth.png"
    Image.fromarray(true_mask.astype(np.uint8) * 255).save(folder / "failure" / truth)
    rows = [
        {"picture": Path(row.source).name, "phrase": row.phrase, "status": _status(done), "iou": round(value, 4)}
        for value, _, row, done in tried
    ]
    return Failure(
        step=step,
        source=f"failure/{source.name}",
        phrase=example.phrase,
        truth=f"failure/{truth}",
        iou=score,
        tried=rows,
    )


def candidates() -> list[Example]:
    """The first object phrase of each of the first test scenes."""
    chosen: dict[str, Example] = {}
    for example in read_lines(SCENES):
        if example.kind == "object":
            chosen.setdefault(example.source, example)
    return list(chosen.values())[:CANDIDATES]


def iou(mask: np.ndarray, truth: np.ndarray) -> float:
    """Intersection over union of two bool (h w) masks; two empty ones agree."""
    union = int((mask | truth).sum())
    return int((mask & truth).sum()) / union if union else 1.0


def save_answers(story: Story) -> None:
    """Write each step's JSON object beside its pictures."""
    objects = {step.name: step.answer for step in (story.generate, story.edit, story.absent)}
    if story.failure:
        facts = {"phrase": story.failure.phrase, "truth": Path(story.failure.truth).name, "iou": story.failure.iou}
        objects["failure"] = {**facts, "mask": story.failure.step.answer, "tried": story.failure.tried}
    for name, value in objects.items():
        text = json.dumps(value, indent=2, ensure_ascii=False)
        (story.folder / name / f"{name}.json").write_text(text, encoding="utf-8")


def _step(folder: Path, name: str, *command: str) -> Step:
    """Run one command of the command line in this process, so that the model is loaded once."""
    typed = (*command, "-o", str(folder / name), "--json")
    start, printed = time.monotonic(), io.StringIO()
    with contextlib.redirect_stdout(printed):
        code = main(list(typed))
    seconds = time.monotonic() - start
    if code:
        raise Stopped(code)
    step = Step(name=name, command=typed, answer=json.loads(printed.getvalue()), seconds=seconds)
    _say(f"· {step.shell}  {seconds:.1f} s")
    return step


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep what commands say to themselves, unless one stops."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            yield
    except Stopped:
        sys.stderr.write(said.getvalue())
        raise


def _status(step: Step) -> str:
    return step.mask["phrases"][0]["status"]


def _keep_only(folder: Path, step: Step) -> None:
    """Remove the mask files of the scenes that are not shown."""
    kept = set(step.mask["files"].values())
    for path in folder.glob("*.png"):
        if path.name not in kept:
            path.unlink()


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
