"""The report's section on methods without a head, on fakes: what is measured and kept, and what the page says."""

import json
from dataclasses import replace

import numpy as np
import pytest

from ldznet_ext.eval import classes, gallery, like, pages, plots
from ldznet_ext.eval.classes import Named
from ldznet_ext.eval.example import Example
from ldznet_ext.eval.like import ACROSS, TWINS, Case
from ldznet_ext.eval.pages_untrained import untrained_lines
from ldznet_ext.eval.plan import Budget
from ldznet_ext.eval.report import Tools, report
from ldznet_ext.eval.toolbox import Untrained
from ldznet_ext.geometry import Size
from ldznet_ext.result import FOUND, NOT_FOUND, ClassResult, Labelling, PhraseResult, Segmentation

SHAPE = (24, 36)
FOX = np.zeros(SHAPE, bool)
FOX[4:16, 6:18] = True
TWIN = np.zeros(SHAPE, bool)
TWIN[4:16, 20:32] = True
PICTURE = np.zeros((*SHAPE, 3), np.uint8)
SHIFT = {"attention": 3, "maskdiffusion": 1, "noise_difference": 6, "ldznet": 0}
"""How far, in pixels, each fake misses."""


def found(mask, status=FOUND):
    answer = PhraseResult(text="", status=status, score=0.9 if status == FOUND else 0.1, prob=mask.astype(np.float32),
                          box=None, area=0)  # fmt: skip
    return Segmentation(size=Size(*SHAPE), method="fake", model="fake", familiar=None, phrases=(answer,),
                        prob=answer.prob, mask=mask, seconds={}, unet_calls=1)  # fmt: skip


class Kit:
    """Fake methods that count what they are asked."""

    def __init__(self):
        self.asked = []

    def segment(self, name):
        def run(picture, phrases):
            self.asked.append(("segment", name))
            there = [phrase != "owl" for phrase in phrases]
            each = [found(np.roll(FOX, SHIFT[name], 1) & yes, FOUND if yes else NOT_FOUND).phrases[0] for yes in there]
            return replace(
                found(FOX), phrases=tuple(replace(one, text=p) for one, p in zip(each, phrases, strict=True))
            )

        return run

    def label(self, name):
        def run(picture, names):
            self.asked.append(("label", name))
            labels = np.where(np.roll(FOX, SHIFT[name], 1), names.index("fox"), names.index("snow"))
            each = tuple(
                ClassResult(
                    name=one,
                    label=k,
                    status=FOUND if one in ("fox", "snow") else NOT_FOUND,
                    score=0.5,
                    box=None,
                    area=0,
                )
                for k, one in enumerate(names)
            )
            return Labelling(size=Size(*SHAPE), method=name, model="fake", familiar=None, classes=each, labels=labels,
                             seconds={}, unet_calls=1)  # fmt: skip

        return run

    def search(self, picture, example, other):
        self.asked.append(("search", other is None))
        return found(example | TWIN if other is None else TWIN)

    def trial(self, score):
        def run(pictures):
            self.asked.append(("trial", len(pictures)))
            return {"n": len(pictures), "miou": score, "each": [score] * len(pictures)}

        return run

    def costs(self):
        self.asked.append(("costs", 1))
        parts = {"encode": 1116.7, "text": 26.6, "unet": 408.6, "head": 0.0, "total": 1551.9}
        return [{"method": "attention", "unet_calls": 1, "unet_rows": 1, "gflop": parts, "seconds": None}]

    def untrained(self, **changes):
        names = ("attention", "maskdiffusion", "noise_difference", "ldznet")
        given = {
            "segment": {name: self.segment(name) for name in names},
            "label": {name: self.label(name) for name in names if name != "noise_difference"},
            "search": {"mask": self.search, "click": self.search},
            "trials": {"as set": self.trial(0.5), "t = 1": self.trial(0.3)},
            "costs": self.costs,
            "marks": dict.fromkeys((*names, "example", "trials", "costs", "seconds"), "1"),
            "calibrated": {"attention": True},
            "settings": "t = 300",
        }
        return Untrained(**{**given, **changes})


@pytest.fixture
def kit():
    return Kit()


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """No art is needed, and no plot is drawn."""
    drawn = []

    def write(path, *_):
        drawn.append(path.name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"png")

    for name in ("bars", "precision_recall", "miou_by_threshold", "ranking"):
        monkeypatch.setattr(plots, name, write)
    monkeypatch.setattr(gallery, "grid", write)

    def scenes(split="test", *, absent=0, styles=None, limit=256):
        names = ("owl", "fox", "snow")[not absent :]
        truth = np.where(FOX, names.index("fox"), names.index("snow"))
        return iter([Named(where="", picture=PICTURE, names=names, truth=truth)] * limit)

    across = Case(kind=ACROSS, name="fox", picture=PICTURE, example=FOX, other=PICTURE, truth=TWIN)
    gone = replace(across, kind="absent", truth=np.zeros(SHAPE, bool))
    monkeypatch.setattr(classes, "scenes", scenes)
    twins = replace(across, kind=TWINS, other=None)
    monkeypatch.setattr(like, "cases", lambda: iter([*[twins] * 3, *[across] * 3, gone]))
    return drawn


def lines(spec, limit):
    def line(number, phrase, kind, mask):
        return Example(source=f"scene {number}", phrase=phrase, kind=kind, where="", read_picture=lambda: PICTURE,
                       read_mask=lambda: mask)  # fmt: skip

    every = [("fox", "object", FOX), ("snow", "stuff", ~FOX), ("owl", "absent", None)]
    return [line(number, *one) for number in range(3) for one in every][:limit]


def run(kit, tmp_path, only=("untrained",), limit=None, model="weights 1", **changes):
    def refuse(*args):
        raise AssertionError("no head is to be trained or opened here")

    tools = Tools(train=refuse, open=refuse, model=model, load=lines, untrained=kit.untrained(**changes))
    settings = {"budget": Budget(minutes=1), "limit": limit, "only": only, "work": tmp_path / "work"}
    return report(tmp_path / "docs", tools=tools, **settings)


def numbers(tmp_path):
    return json.loads((tmp_path / "docs" / "results.json").read_text())


def test_the_whole_section(kit, tmp_path, small):
    text = run(kit, tmp_path).read_text()
    rows = numbers(tmp_path)["sweeps"]["shipped"]["views"]["objects"]["rows"]
    assert set(rows) == {"attention", "MaskDiffusion", "noise difference", "colour threshold", "position prior"}
    order = [rows[name]["miou"] for name in ("noise difference", "attention", "MaskDiffusion")]
    assert order == sorted(order) and order[2] == pytest.approx(11 / 13, abs=0.01)
    assert rows["MaskDiffusion"]["false_found"] == 0 and rows["MaskDiffusion"]["auroc"] == 1
    assert "best of the methods by words | 0.60 | 0.841 | MaskDiffusion | reached |" in text
    assert "every pixel by name, names given | 0.70 | 0.907 | MaskDiffusion | reached |" in text
    assert "the other in the same picture | 0.70 | 1.000 | example | reached |" in text
    assert "| given | shipped LD-ZNet | 256 | 1.000 |" in text
    assert "| 20 absent mixed in | attention | 256 |" in text
    assert "| by one click | same object, another picture | 3 | 1.000 | 1.000 … 1.000 | 1.000 |" in text
    assert "| t = 1 | 0.300 | 0.300 … 0.300 | -0.200 |" in text
    assert "| attention | 1 | 1 | 1117 | 27 | 409 | 0 | 1552 |" in text
    assert "calibrated for attention; not calibrated, and cut at 0.5, for MaskDiffusion, noise difference" in text
    for name in ("untrained.png", "untrained_words.png", "untrained_classes.png", "untrained_ablations.png"):
        assert name in small and f"results/{name}" in text


def test_a_second_run_asks_nothing_and_says_the_same(kit, tmp_path):
    text = run(kit, tmp_path, limit=4).read_text()
    kit.asked = []
    assert run(kit, tmp_path, limit=4).read_text() == text
    assert kit.asked == []


def test_the_limit_is_obeyed(kit, tmp_path):
    run(kit, tmp_path, limit=2)
    assert {count for kind, count in kit.asked if kind == "trial"} == {2}
    assert kit.asked.count(("label", "attention")) == 2 * 2  # names given and mixed
    own = numbers(tmp_path)["untrained"]
    assert (own["classes.ldznet.0"]["n"], own["example.mask"]["twins"]["n"], own["seconds"]["pictures"]) == (2, 2, 2)


def test_changed_settings_are_measured_again_and_alone(kit, tmp_path):
    run(kit, tmp_path, limit=3)
    kit.asked = []
    marks = {**kit.untrained().marks, "attention": "2"}
    run(kit, tmp_path, limit=3, marks=marks)
    asked = {name for kind, name in kit.asked if kind == "label"}
    assert asked == {"attention"} and ("trial", 3) not in kit.asked and ("costs", 1) not in kit.asked
    kit.asked = []
    run(kit, tmp_path, limit=3, marks=marks, model="weights 2")
    assert ("trial", 3) in kit.asked and ("costs", 1) not in kit.asked  # operations are those of SD 1.5


def test_a_killed_report_goes_on(kit, tmp_path):
    def killed(pictures):
        raise KeyboardInterrupt

    trials = {**kit.untrained().trials, "t = 500": killed}
    with pytest.raises(KeyboardInterrupt):
        run(kit, tmp_path, limit=3, trials=trials)
    text = (tmp_path / "docs" / "results.md").read_text()
    assert "| t = 1 | 0.300 |" in text and "Not run (t = 500): not measured." in text
    kit.asked = []
    text = run(kit, tmp_path, limit=3, trials={**trials, "t = 500": kit.trial(0.1)}).read_text()
    assert kit.asked == [("trial", 3)]
    assert "| t = 500 | 0.100 |" in text


def test_what_is_missing_is_said(kit, tmp_path):
    text = run(kit, tmp_path, limit=3, label={"attention": kit.label("attention")}).read_text()
    assert "Not run (shipped LD-ZNet, given; shipped LD-ZNet, 20 absent mixed in): There is no LD-ZNet head" in text
    bare = run(kit, tmp_path / "bare", segment={}, label={}, search={}, trials={}, costs=None).read_text()
    assert "Not run (test scenes): There is no diffusion" in bare
    assert "Not run (ablations): There is no diffusion model to read" in bare
    assert "Not run (costs; seconds): There is no diffusion model" in bare
    assert "untrained_words.png" not in bare


def test_a_section_that_is_not_asked_for_says_so_and_keeps_what_there_is(kit, tmp_path):
    other = run(kit, tmp_path / "other", only=("shipped",)).read_text()
    assert "Not run (test scenes): not asked for." in other and "Not run (ablations): not asked for." in other
    assert kit.asked == []
    run(kit, tmp_path, limit=3)
    kit.asked = []
    kept = run(kit, tmp_path, limit=3, only=("shipped",)).read_text()
    assert "| t = 1 | 0.300 |" in kept and "| objects | attention |" in kept
    assert kit.asked == []


def test_the_page_needs_the_numbers_alone(kit, tmp_path):
    run(kit, tmp_path, limit=3)
    bare = tmp_path / "bare"
    bare.mkdir()
    (bare / "results.json").write_text(json.dumps(numbers(tmp_path)))
    text = pages.render(bare).read_text()
    assert "| t = 1 | 0.300 |" in text and "untrained.png" not in text
    older = {"sweeps": {}}  # of a report that knew no such section
    assert "Not run (test scenes): not measured." in "\n".join(untrained_lines(older, "results", grid=False))
