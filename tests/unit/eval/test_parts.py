"""The report's sections on the model itself: measured once, said plainly, asked for alone."""

import json

import numpy as np
import pytest

from ldznet_ext.errors import OptionError
from ldznet_ext.eval import edit_cases, pages, plots
from ldznet_ext.eval.edit_cases import Case
from ldznet_ext.eval.example import Example
from ldznet_ext.eval.judge import Judge
from ldznet_ext.eval.pages_model import editing_lines, model_lines
from ldznet_ext.eval.plan import Budget
from ldznet_ext.eval.report import Tools, report
from ldznet_ext.world import scenes
from ldznet_ext.world.concepts import named

NAMES = [concept.name for concept in named()]
SIDE = 32


def grey(name):
    return 3 * NAMES.index(name)


class Model:
    """A model that paints plain greys and finds the whole picture; counts what is asked of it."""

    def __init__(self, tmp_path):
        self.calls = dict.fromkeys(("paint", "repaint", "find", "reconstruct", "train"), 0)
        self.head = tmp_path / "head.safetensors"
        self.head.write_text("head")

    def paint(self, prompts, seeds):
        self.calls["paint"] += 1
        return np.stack([self.picture(prompt) for prompt in prompts])

    def picture(self, prompt):
        name = max((name for name in NAMES if name in prompt), key=len)
        return np.full((SIDE, SIDE, 3), grey(name), np.uint8)

    def repaint(self, picture, mask, prompt, seed):
        self.calls["repaint"] += 1
        return self.picture(prompt)

    def find(self, picture, words):
        self.calls["find"] += 1
        return np.ones(picture.shape[:2], bool)

    def reconstruct(self, picture):
        self.calls["reconstruct"] += 1
        return picture ^ 1

    def look(self, pictures):
        distance = np.abs(pictures.mean((1, 2, 3))[:, None] - 3 * np.arange(len(NAMES))[None])
        return (0.5 - distance).astype(np.float32)

    def train(self, kind, seed, budget, out):
        self.calls["train"] += 1
        raise AssertionError("nothing is to be trained here")

    def tools(self, **changes):
        given = {
            "train": self.train, "open": lambda head, refine: pytest.fail("no head is to be opened here"),
            "paint": self.paint, "repaint": self.repaint, "find": self.find, "reconstruct": self.reconstruct,
            "shipped": self.head, "model": "weights 1",
            "judge": Judge(look=self.look, names=tuple(NAMES), accuracy=0.96, mark="judge 1"),
            "load": lambda spec, limit: [
                Example(source="s", phrase="fox", kind="object", where="", read_picture=lambda: np.zeros((4, 4, 3), np.uint8),
                        read_mask=lambda: np.ones((4, 4), bool))
            ],
        }  # fmt: skip
        return Tools(**{**given, **changes})


@pytest.fixture
def model(tmp_path):
    return Model(tmp_path)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """No art is needed, and no plot is drawn."""

    def write(path, *_):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"png")

    for name in ("bars", "precision_recall", "miou_by_threshold"):
        monkeypatch.setattr(plots, name, write)

    def scene(seed, index, **settings):
        return type("Scene", (), {"picture": np.full((SIDE, SIDE, 3), index, np.uint8)})

    monkeypatch.setattr(scenes, "scene", scene)
    truth = np.zeros((SIDE, SIDE), bool)
    truth[8:20, 8:20] = True
    cases = [Case(name="scene 0", old="fox", new="owl", seed=0, truth=lambda: truth,
                  read=lambda: np.full((SIDE, SIDE, 3), grey("fox"), np.uint8))]  # fmt: skip
    monkeypatch.setattr(edit_cases, "scene_cases", lambda count: cases)


def run(bench, tmp_path, only=("model", "editing"), limit=6, **changes):
    settings = {"budget": Budget(minutes=1), "limit": limit, "only": only, "work": tmp_path / "work"}
    return report(tmp_path / "docs", tools=bench.tools(**changes), **settings)


def own(tmp_path):
    return json.loads((tmp_path / "docs" / "results.json").read_text())["model"]


def test_both_sections(model, tmp_path):
    text = run(model, tmp_path).read_text()
    numbers = own(tmp_path)
    assert numbers["generation"]["found"] == 1
    assert numbers["generation"]["pictures"] == 24  # limited to six objects of four seeds
    assert numbers["autoencoder"]["psnr"] == pytest.approx(48.13, abs=0.01)
    assert numbers["editing"]["n"] == 6
    assert list(numbers["editing_scenes"]["masks"]) == ["exact mask", "words", "box"]
    assert "## The model itself" in text and "## Words to edit" in text
    assert "| autoencoder, PSNR on test scenes, dB | 30 | 48.13 |" in text
    assert "| named object is the classifier's strongest answer | 0.80 | 1.000 | 1.000 … 1.000 | reached |" in text
    assert "| classifier, objects of test scenes named right | 0.95 | 0.960 | - | reached |" in text
    assert "| generated | words | 6 | 1.000 |" in text
    assert "| test scenes | box | 1 |" in text
    assert "To reach on generated pictures by words: 0.75, reached." in text
    assert "identical in 100.0% of 6 edited pictures" in text
    for name in ("samples.png", "edits.png"):
        assert (tmp_path / "docs" / "results" / name).is_file()
        assert f"results/{name}" in text


def test_a_second_run_asks_the_model_for_nothing(model, tmp_path):
    text = run(model, tmp_path).read_text()
    model.calls = dict.fromkeys(model.calls, 0)
    assert run(model, tmp_path).read_text() == text
    assert set(model.calls.values()) == {0}


def test_other_weights_are_measured_again(model, tmp_path):
    run(model, tmp_path)
    model.calls = dict.fromkeys(model.calls, 0)
    run(model, tmp_path, model="weights 2")
    assert model.calls["paint"] > 0 and model.calls["reconstruct"] > 0
    model.calls = dict.fromkeys(model.calls, 0)
    model.head.write_text("another head")
    run(model, tmp_path, model="weights 2")
    assert model.calls["repaint"] > 0 and model.calls["reconstruct"] == 0


@pytest.mark.parametrize(
    "missing, silent, words",
    [
        ("judge", {"generation", "editing", "editing_scenes"}, "There is no classifier"),
        ("paint", {"generation", "editing", "editing_scenes"}, "There is no generator"),
        ("find", {"editing", "editing_scenes"}, "There is no LD-ZNet head"),
        ("reconstruct", {"autoencoder"}, "There is no generator"),
    ],
)
def test_what_is_missing_is_said(model, tmp_path, missing, silent, words):
    text = run(model, tmp_path, **{missing: None}).read_text()
    numbers = own(tmp_path)
    assert {name for name, part in numbers.items() if "not_run" in part} == silent
    assert words in text
    assert text.count("Not run, ") == len(silent)


def test_one_section_alone_keeps_what_the_others_left(model, tmp_path):
    run(model, tmp_path, only=("editing",))
    numbers = own(tmp_path)
    assert numbers["generation"] == {"not_run": "not asked for"}
    assert numbers["editing"]["n"] == 6
    run(model, tmp_path, only=("model",))
    numbers = own(tmp_path)
    assert numbers["editing"]["n"] == 6
    assert numbers["generation"]["found"] == 1
    assert model.calls["train"] == 0


def test_an_unknown_section_is_refused(model, tmp_path):
    for only in (("everything",), ()):
        with pytest.raises(OptionError, match="expected one of compared, shipped, model, editing"):
            run(model, tmp_path, only=only)
    with pytest.raises(OptionError, match="The limit is 0"):
        run(model, tmp_path, limit=0)


def test_an_interruption_keeps_the_verdicts(model, tmp_path):
    real, made = model.repaint, []

    def dying(*args):
        made.append(args)
        if len(made) == 4:
            raise KeyboardInterrupt
        return real(*args)

    with pytest.raises(KeyboardInterrupt):
        run(model, tmp_path, only=("editing",), repaint=dying)
    assert "not measured" in (tmp_path / "docs" / "results.md").read_text()
    model.calls = dict.fromkeys(model.calls, 0)
    run(model, tmp_path, only=("editing",))
    assert model.calls["repaint"] == 6 + 3 - 3


def test_a_goal_that_is_missed_is_called_missed():
    painted = {"found": 0.79, "interval": [0.7, 0.9], "top3": 0.9, "top3_interval": [0.8, 1.0], "judge_accuracy": 0.94,
               "objects": 64, "seeds": 4, "pictures": 256, "by_object": {"fox": 0.25, "owl": 1.0}}  # fmt: skip
    text = "\n".join(model_lines({"generation": painted}, "results", sheet=False))
    assert "| 0.80 | 0.790 | 0.700 … 0.900 | not reached |" in text
    assert "| 0.95 | 0.940 | - | not reached |" in text
    assert "Least often found: fox 0.25, owl 1.00." in text
    assert "results/samples.png" not in text
    assert "Not run, autoencoder: not measured." in text


def test_results_of_an_older_report_are_still_drawn(tmp_path):
    assert any("Not run" in line for line in editing_lines({}, "results", sheet=False))
    plan = {"budget": "1 minutes", "seeds": [0], "limit": None, "strengths": []}
    (tmp_path / "results.json").write_text(json.dumps({"plan": plan, "thresholds": [0.5], "sweeps": {}}))
    assert "## Words to edit" in pages.render(tmp_path).read_text()
