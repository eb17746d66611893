"""A command line in this process, and an engine that answers at once: the files, the JSON and the exit codes are ours."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ldznet_ext.batch import Finder
from ldznet_ext.cli import engine
from ldznet_ext.cli.main import main
from ldznet_ext.errors import MethodError
from ldznet_ext.geometry import Box, Size
from ldznet_ext.masks.components import box_of
from ldznet_ext.result import FOUND, NOT_FOUND, UNKNOWN, PhraseResult, Segmentation
from ldznet_ext.saving.order import Order

SECONDS = dict.fromkeys(("encode", "text", "unet", "head", "post"), 0.01) | {"total": 0.05}


@dataclass
class FakeEngine:
    """Finds every word in the left half, but not "owl", and does not know "zyx"; counts what it is asked."""

    name: str = "fake-sd"
    score: float = 0.9
    asked: list[tuple[str, Any]] = field(default_factory=list)
    trouble: Exception | None = None

    def overflow(self, phrase: str) -> int:
        return max(0, len(phrase.split()) - 75)

    def segment(self, picture: np.ndarray, words: Any, backbone: Any, **settings: Any) -> Segmentation:
        self.asked.append(("segment", (tuple(words), settings)))
        if self.trouble:
            raise self.trouble
        if settings.get("method", "auto") not in ("auto", "ldznet"):
            raise MethodError(
                f"The method is '{settings['method']}'; expected one of auto, ldznet, so choose one of them."
            )
        print("a library talks on standard output")
        answers = tuple(
            self._answer(word, Size(*picture.shape[:2]), settings.get("threshold") or 0.5) for word in words
        )
        mask = np.logical_or.reduce(
            [a.prob >= 0.5 if a.status == FOUND else np.zeros(a.prob.shape, bool) for a in answers]
        )
        return Segmentation(
            size=Size(*picture.shape[:2]), method="ldznet", model=self.name, familiar=True, phrases=answers,
            prob=np.maximum.reduce([a.prob for a in answers]), mask=mask, seconds=SECONDS, unet_calls=1,
            message="" if any(a.status == FOUND for a in answers) else "Nothing was found.",
        )  # fmt: skip

    def finder(self, order: Order, args: Any) -> Finder:
        """Finds in picture after picture."""
        facts = {"model": self.name}
        return Finder(find=lambda picture: self.segment(picture, order.words, self), backbone=self, facts=facts)

    def _answer(self, word: str, size: Size, threshold: float) -> PhraseResult:
        status = {"owl": NOT_FOUND, "zyx": UNKNOWN}.get(word, FOUND)
        prob = np.full(size, 0.1, np.float32)
        prob[:, : (size.width + 1) // 2] = 0.75 if status == FOUND else 0.3
        mask = (prob >= threshold) & (status == FOUND)
        box, area = box_of(mask), int(mask.sum())
        return PhraseResult(text=word, status=status, score=self.score, prob=prob, box=box and Box(*box), area=area)

    def generate(self, prompt: str, words: Any, backbone: Any, tick: Any, **settings: Any) -> Any:
        self.asked.append(("generate", (prompt, tuple(words), settings)))
        if self.trouble and len(self.asked) > 1:
            raise self.trouble
        tick(1, 2)
        image = Image.new("RGB", (40, 24), (settings["seed"] % 256, 10, 20))
        return image, self.segment(np.asarray(image), words, backbone) if words else None

    def inpaint(
        self, picture: np.ndarray, mask: np.ndarray, prompt: str, backbone: Any, tick: Any, **settings: Any
    ) -> Any:
        self.asked.append(("inpaint", (mask.copy(), prompt, settings)))
        edited = picture.copy()
        edited[mask] = 7
        return Image.fromarray(edited)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    """The engine of every command, faked."""
    made = FakeEngine()
    monkeypatch.setattr(engine, "open_backbone", lambda args: made)
    for name in ("segment", "generate", "inpaint", "finder"):
        monkeypatch.setattr(engine, name, getattr(made, name))
    return made


@dataclass(frozen=True)
class Ran:
    """What a call of the command line left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """Standard output as the one JSON object it must be."""
        assert self.code == 0, self.err
        return json.loads(self.out)

    @property
    def complaint(self) -> str:
        """The one sentence of a refused call."""
        assert (self.code, self.out) == (2, ""), (self.code, self.out, self.err)
        assert self.err.endswith(".\n") and self.err.count("\n") == 1 and "Traceback" not in self.err
        return self.err.strip()


@pytest.fixture
def ldznet(capsys: pytest.CaptureFixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    """Run the command line in `tmp_path`."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: Any) -> Ran:
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return run


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A 12 x 20 picture with a name in two words."""
    pixels = np.random.default_rng(0).integers(0, 256, (12, 20, 3), np.uint8)
    path = tmp_path / "my photo.png"
    Image.fromarray(pixels).save(path)
    return path
