"""The report with networks that are dabs of noise: what is trained, what is kept, what the page says."""

import json

import numpy as np
import pytest

from ldznet_ext.errors import DataError, OptionError
from ldznet_ext.eval import gallery, pages, plots
from ldznet_ext.eval.example import Example
from ldznet_ext.eval.gallery import pick
from ldznet_ext.eval.plan import Budget
from ldznet_ext.eval.report import Tools, report
from ldznet_ext.geometry import Size
from ldznet_ext.result import FOUND, NOT_FOUND, PhraseResult, Segmentation

SHAPE = (24, 36)
NOISE = {"rgbnet": 3.0, "znet": 1.6, "ldznet": 0.6, "concat": 0.8, "shipped": 0.1}


def truth(index, phrase):
    mask = np.zeros(SHAPE, bool)
    if phrase == "grass":
        mask[12:] = True
    else:
        left = (index * 7 + len(phrase)) % 24
        mask[4:12, left : left + 10] = True
    return mask


def lines(pictures):
    for index in range(pictures):
        picture = np.full((*SHAPE, 3), index, np.uint8)
        for phrase, kind in (("fox", "object"), ("grass", "stuff"), ("the left fox", "referring"), ("owl", "absent")):
            mask = None if kind == "absent" else truth(index, phrase)
            yield Example(
                source=f"scene {index}", phrase=phrase, kind=kind, where="", read_caption=lambda: "a fox on grass",
                read_picture=lambda picture=picture: picture, read_mask=lambda mask=mask: mask,
            )  # fmt: skip


class World:
    """Fake tools that count: heads are files that hold their kind, the noisier the worse."""

    def __init__(self, tmp_path):
        self.trained, self.opened, self.drawn = [], [], []
        self.shipped = tmp_path / "shipped.safetensors"
        self.shipped.write_text("shipped")

    def tools(self, **changes):
        given = {name: getattr(self, name) for name in ("train", "open", "redraw", "shipped", "load")}
        return Tools(model="weights 1", **(given | changes))

    def load(self, spec, limit):
        if "photo" in spec:
            raise DataError("The photographs are not fetched; run `ldznet world fetch --photo`.")
        return list(lines(8))[:limit]

    def train(self, kind, seed, budget, out):
        self.trained.append((kind, seed, budget.minutes))
        out.write_text(kind)

    def open(self, head, refine):
        kind = head.read_text()
        self.opened.append((kind, refine))

        def segment(picture, phrases):
            return self.answer(kind, picture, phrases)

        return segment

    def answer(self, kind, picture, phrases):
        results = []
        for phrase in phrases:
            rng = np.random.default_rng([int(picture[0, 0, 0]), len(phrase)])
            there = phrase != "owl"
            wanted = truth(int(picture[0, 0, 0]), phrase) if there else np.zeros(SHAPE)
            prob = 1 / (1 + np.exp(-(wanted * 4.0 - 2 + rng.normal(size=SHAPE) * NOISE[kind])))
            status = FOUND if there else NOT_FOUND
            prob = prob.astype(np.float32)
            results.append(PhraseResult(text=phrase, status=status, score=0.9 * there, prob=prob, box=None, area=0))
        union = np.max([one.prob for one in results], axis=0)
        return Segmentation(
            size=Size(*SHAPE), method=kind, model="fake", familiar=None, phrases=tuple(results), prob=union,
            mask=union > 0.5, seconds={}, unet_calls=1,
        )  # fmt: skip

    def redraw(self, picture, caption, strength, seed):
        self.drawn.append((caption, strength, seed))
        return picture.copy()


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def run(world, tmp_path, **changes):
    tools = world.tools(**changes.pop("tools", {}))
    return report(tmp_path / "docs", work=tmp_path / "work", tools=tools, **({"budget": Budget(minutes=2)} | changes))


def rows_of(tmp_path):
    results = json.loads((tmp_path / "docs" / "results.json").read_text())
    return results["sweeps"]["test"]["views"]["names"]["rows"]


@pytest.fixture(autouse=True)
def small_plots(monkeypatch):
    """What a plot looks like is test_plots' business: here it only must be written."""

    def write(path, *_):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"png")

    for name in ("bars", "precision_recall", "miou_by_threshold"):
        monkeypatch.setattr(plots, name, write)
    monkeypatch.setattr(gallery, "grid", write)


def test_the_whole_report(world, tmp_path):
    page = run(world, tmp_path)
    text = page.read_text()
    results = json.loads((tmp_path / "docs" / "results.json").read_text())
    assert world.trained == [("rgbnet", 0, 2), ("znet", 0, 2), ("ldznet", 0, 2), ("concat", 0, 2)]
    assert {name for name, refine in world.opened if refine} == {"shipped"}
    rows = results["sweeps"]["test"]["views"]["names"]["rows"]
    order = [rows[name]["miou"] for name in ("RGBNet", "ZNet", "concatenation", "LD-ZNet")]
    assert order == sorted(order)
    assert rows["LD-ZNet"]["interval"][0] <= rows["LD-ZNet"]["miou"] <= rows["LD-ZNet"]["interval"][1]
    assert rows["LD-ZNet"]["present"] == 16
    assert rows["LD-ZNet"]["absent"] == 8
    assert results["sweeps"]["test"]["views"]["referring"]["rows"]["ZNet"]["present"] == 8
    mean, low, high = results["sweeps"]["test"]["views"]["names"]["differences"]["LD-ZNet - ZNet"]
    assert mean == pytest.approx(rows["LD-ZNet"]["miou"] - rows["ZNet"]["miou"], abs=2e-4)
    assert 0 < low <= mean <= high
    assert "| test | LD-ZNet - ZNet |" in text
    assert "On test scenes the paper's order holds" in text
    assert "Not run: The photographs are not fetched" in text
    assert "Of three seeds 1 ran" in text
    assert "mIoU, objects, test scenes | 0.80 |" in text
    for name in ("miou", "precision_recall", "thresholds", "grid"):
        assert (tmp_path / "docs" / "results" / f"{name}.png").is_file()
        assert f"results/{name}.png" in text
    for title in ("Table 2a", "Table 2b", "Table 2c", "Table 3", "Table 4", "Held-out", "img2img", "Seconds"):
        assert title in text


def test_a_second_run_computes_nothing_and_says_the_same(world, tmp_path):
    text = run(world, tmp_path).read_text()
    world.trained, world.opened, drawn = [], [], list(world.drawn)
    assert run(world, tmp_path).read_text() == text
    assert world.trained == world.opened == []
    assert world.drawn == drawn


def test_a_killed_report_keeps_what_it_has_and_goes_on(world, tmp_path):
    def killed(kind, seed, budget, out):
        if kind == "ldznet":
            raise KeyboardInterrupt
        world.train(kind, seed, budget, out)

    with pytest.raises(KeyboardInterrupt):
        run(world, tmp_path, tools={"train": killed})
    text = (tmp_path / "docs" / "results.md").read_text()
    assert "Not run: LD-ZNet, concatenation." in text
    run(world, tmp_path)
    assert [kind for kind, _, _ in world.trained] == ["rgbnet", "znet", "ldznet", "concat"]


def test_a_changed_head_is_measured_again(world, tmp_path):
    run(world, tmp_path)
    (tmp_path / "work" / "heads" / "rgbnet-seed0.safetensors").write_text("ldznet")
    world.opened = []
    run(world, tmp_path)
    assert set(world.opened) == {("ldznet", False), ("znet", False)}  # the cells, and the grid with all three
    rows = rows_of(tmp_path)
    assert rows["RGBNet"]["miou"] == rows["LD-ZNet"]["miou"]


def test_seeds_are_averaged_and_networks_chosen(world, tmp_path):
    text = run(world, tmp_path, seeds=(0, 1, 2), networks=("znet", "ldznet"), limit=8).read_text()
    assert len(world.trained) == 6
    row = rows_of(tmp_path)["ZNet"]
    assert (row["seeds"], len(row["miou_by_seed"]), row["present"]) == (3, 3, 4)
    assert "seed 0, 1, 2" in text
    assert "Of three seeds" not in text
    assert "The first 8 lines" in text
    assert "Not run: RGBNet, concatenation." in text


def test_pictures_are_redrawn_once_for_all_networks(world, tmp_path):
    run(world, tmp_path)
    assert len(world.drawn) == 8
    assert {strength for _, strength, _ in world.drawn} == {0.3, 0.4, 0.5}
    assert {caption for caption, _, _ in world.drawn} == {"a fox on grass"}
    text = run(World(tmp_path), tmp_path, tools={"redraw": None}).read_text()
    assert "Not run: There is no generator" in text


@pytest.mark.parametrize("bad", [{"seeds": ()}, {"networks": ("unet",)}])
def test_bad_plans_are_refused_before_anything_runs(world, tmp_path, bad):
    with pytest.raises(OptionError):
        run(world, tmp_path, **bad)
    assert world.trained == []


@pytest.mark.parametrize(
    "bad", [{}, {"minutes": 0}, {"steps": 0}, {"minutes": 1, "steps": 1}, {"minutes": float("nan")}]
)
def test_a_budget_is_minutes_or_steps(bad):
    with pytest.raises(OptionError):
        Budget(**bad)


def test_a_budget_in_words():
    assert (str(Budget(minutes=1.5)), str(Budget(steps=300))) == ("1.5 minutes", "300 steps")


def test_the_page_needs_the_numbers_alone(world, tmp_path):
    run(world, tmp_path)
    bare = tmp_path / "bare"
    bare.mkdir()
    with pytest.raises(DataError):
        pages.render(bare)
    (bare / "results.json").write_text((tmp_path / "docs" / "results.json").read_text())
    text = pages.render(bare).read_text()
    assert "Table 1" in text
    assert "grid.png" not in text


def test_picking_by_rank_takes_a_picture_once():
    ious = [0.1, 0.9, 0.5, 0.8, 0.7]
    assert pick(ious, list("abcde"), (1, 0.5, 0)) == [1, 4, 0]
    assert pick(ious, list("abbbe"), (1, 0.75, 0)) == [1, 4, 0]  # line 3 shares a picture with line 1
    assert pick([0.3, 0.4], ["a", "a"], (1, 1, 1)) == [1, 0]
