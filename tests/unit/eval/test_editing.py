"""Edits by words with a painter of squares: what counts as right, what is untouched, what is kept."""

import json

import numpy as np
import pytest
from PIL import Image

from ldznet_ext.errors import DataError
from ldznet_ext.eval import commands, editing, tools
from ldznet_ext.eval.edit_cases import Case, generated_cases, pairs, scene_cases
from ldznet_ext.eval.editing import BOX, EXACT, WORDS, Verdict, draw_rows, judge_editing, summary, untouched, wilson
from ldznet_ext.eval.judge import Judge
from ldznet_ext.world.concepts import concept, named

NAMES = [c.name for c in named()]
SHAPE = (40, 60)


def colour(name):
    return 60 + 3 * NAMES.index(name)


def look(pictures):
    """An object is seen where at least 20 pixels have its grey."""
    greys = np.array([colour(name) for name in NAMES])
    return (pictures[..., 0].reshape(len(pictures), -1, 1) == greys).sum(1).astype(np.float32) - 20


JUDGE = Judge(look=look, names=tuple(NAMES), mark="judge")


def painted(name):
    picture = np.zeros((*SHAPE, 3), np.uint8)
    picture[10:30, 20:40] = colour(name)
    return picture


def square():
    mask = np.zeros(SHAPE, bool)
    mask[10:30, 20:40] = True
    return mask


class Bench:
    """Finds any object but those in `lost`; repaints the whole mask with what the prompt names."""

    def __init__(self, lost=(), spill=False):
        self.lost, self.spill, self.finds, self.repaints = lost, spill, 0, []

    def find(self, picture, words):
        self.finds += 1
        return np.zeros(SHAPE, bool) if words in self.lost else (picture == colour(words)).all(2)

    def repaint(self, picture, mask, prompt, seed):
        self.repaints.append((prompt, seed))
        edited = picture.copy()
        edited[mask] = colour(prompt.split(" ", 1)[1] if prompt.startswith(("a ", "an ")) else prompt)
        if self.spill:
            edited[0, 0] = 9
        return edited


def case(old="fox", new="owl", *, truth=False, seed=1):
    return Case(name=f"case {old} {new}", old=old, new=new, seed=seed, read=lambda: painted(old),
                truth=square if truth else None)  # fmt: skip


def judged(cases, bench, folder):
    return judge_editing(cases, JUDGE, find=bench.find, repaint=bench.repaint, folder=folder)


def test_a_good_edit_is_right(tmp_path):
    bench = Bench()
    found = judged([case(), case("house", "fox")], bench, tmp_path)
    words = found["masks"][WORDS]
    assert (words["right"], words["sees_new"], words["no_old"], words["untouched"], words["painted"]) == (1, 1, 1, 1, 1)
    assert (words["new_is_strongest"], words["found"], words["edited"], found["n"]) == (1, 1, 2, 2)
    assert bench.repaints == [("an owl", 1), ("a fox", 1)]
    assert list(found["masks"]) == [WORDS]


def test_what_is_not_found_is_wrong_and_not_edited(tmp_path):
    bench = Bench(lost=("fox",))
    words = judged([case(), case("house", "fox")], bench, tmp_path)["masks"][WORDS]
    assert (words["right"], words["found"], words["edited"], words["untouched"]) == (0.5, 0.5, 1, 1)
    assert len(bench.repaints) == 1


def test_an_old_thing_that_shows_is_wrong(tmp_path):
    bench = Bench()
    bench.find = lambda picture, words: square() & (np.arange(60) < 35)  # a rim of the fox stays
    words = judged([case()], bench, tmp_path)["masks"][WORDS]
    assert (words["right"], words["sees_new"], words["no_old"]) == (0, 1, 0)


def test_a_pixel_outside_is_noticed(tmp_path):
    assert judged([case()], Bench(spill=True), tmp_path)["masks"][WORDS]["untouched"] == 0


def test_untouched_ends_at_the_feather():
    mask, old = square(), np.zeros((*SHAPE, 3), np.uint8)
    near, far = old.copy(), old.copy()
    near[7, 25], far[6, 25] = 1, 1  # three and four rows above the mask
    assert untouched(old, near, mask, 3)
    assert not untouched(old, far, mask, 3)


def test_scenes_have_a_ceiling_and_a_floor(tmp_path):
    corner = square()
    corner[10:20, 20:30] = False  # no rectangle: the box is larger than the mask
    seen = {}
    bench = Bench()

    def repaint(picture, mask, prompt, seed):
        seen[int(mask.sum())] = mask
        return Bench().repaint(picture, mask, prompt, seed)

    bench.repaint = repaint
    one = Case(name="scene", old="fox", new="owl", seed=0, read=lambda: painted("fox"), truth=lambda: corner)
    found = judged([one], bench, tmp_path)["masks"]
    assert list(found) == [EXACT, WORDS, BOX]
    assert set(seen) == {300, 400}
    assert np.array_equal(seen[400], square())
    assert [found[kind]["right"] for kind in found] == [0, 1, 1]  # 100 pixels of fox stay outside the cut corner


def test_verdicts_are_kept(tmp_path):
    cases = [case(), case("house", "fox", truth=True)]
    one = judged(cases, Bench(), tmp_path)
    again = Bench(lost=NAMES)
    assert judged(cases, again, tmp_path) == one
    assert again.finds == 0 and again.repaints == []


def test_nothing_to_edit_is_refused(tmp_path):
    with pytest.raises(DataError, match="no picture to edit"):
        judged([], Bench(), tmp_path)


def test_shares_over_those_that_showed_the_old_thing():
    good = Verdict(painted=True, found=True, sees_new=True, sees_old=False, new_is_strongest=True, untouched=True)
    bad = Verdict(painted=False, found=False, sees_new=False, sees_old=False, new_is_strongest=False, untouched=None)
    found = summary([good, bad, bad])
    assert (found["right"], found["right_of_painted"]) == (pytest.approx(1 / 3), 1)
    assert found["no_old"] == pytest.approx(1 / 3)  # what was never edited has not lost its old thing
    low, high = found["interval"]
    assert 0 < low < 1 / 3 < high < 1


def test_wilson_is_wide_for_few():
    assert wilson(3, 3)[0] < wilson(30, 30)[0] < 1
    assert wilson(0, 5)[0] == 0
    assert wilson(5, 10) == pytest.approx((0.2366, 0.7634), abs=1e-4)


def test_pairs_are_fixed_and_unlike():
    drawn = list(pairs(130))
    assert drawn[:7] == list(pairs(7))
    assert [old for old, _ in drawn[:64]] == NAMES
    assert [old for old, _ in drawn[64:128]] == NAMES
    for old, new in drawn:
        one, two = concept(old), concept(new)
        assert not {*one.words, *one.groups} & {*two.words, *two.groups}
    assert len({new for _, new in drawn}) > 30


def test_generated_cases_are_painted_once_and_kept(tmp_path):
    calls = []

    def generate(prompts, seeds):
        calls.append((prompts, seeds))
        return np.stack([painted("fox")])

    cases = generated_cases(generate, 3, tmp_path)
    assert calls == []
    assert np.array_equal(cases[1].read(), cases[1].read())
    assert len(calls) == 1
    assert cases[1].old in calls[0][0][0]
    assert cases[1].truth is None
    assert len({one.seed for one in cases}) == 3


def test_scene_cases_have_the_exact_mask(tmp_path, monkeypatch):
    from ldznet_ext.world import art, scenes

    store = {f"{style}/{name}": np.full((30, 40, 4), 255, np.uint8) for style in art.TRAIN_STYLES for name in NAMES}
    np.savez(tmp_path / "pack.npz", **store)
    monkeypatch.setenv("LDZNET_ART", str(tmp_path / "pack.npz"))
    for cache in (scenes._sprite, scenes.vocabulary):
        cache.cache_clear()
    cases = scene_cases(4)
    assert len(cases) == 4
    for one in cases:
        picture, mask = one.read(), one.truth()
        assert picture.shape[:2] == mask.shape == (256, 256)
        assert mask.any()
        index = int(one.name.split()[1])
        things = [thing.concept for thing in scenes.scene(editing_seed(), index, split="test").objects]
        assert things.count(concept(one.old)) == 1
        assert concept(one.new) not in things
    for cache in (scenes._sprite, scenes.vocabulary):
        cache.cache_clear()


def editing_seed():
    from ldznet_ext.eval.edit_cases import SEED

    return SEED


def test_rows_show_before_mask_and_after(tmp_path):
    cases = [case(), case("house", "fox")]
    judged(cases, Bench(), tmp_path)
    draw_rows(tmp_path / "edits.png", cases, tmp_path)
    with Image.open(tmp_path / "edits.png") as sheet:
        pixels = np.array(sheet)
    size = editing._TILE
    middle = pixels[size // 2, [size // 2, 2 * size + size // 2]]
    assert middle[:, 0].tolist() == [colour("fox"), colour("owl")]


def test_the_command(tmp_path, monkeypatch, capsys):
    bench = Bench()
    monkeypatch.setattr(tools, "open_backbone", lambda model, device: (type("B", (), {"family": "sticker"}), "mark"))
    monkeypatch.setattr(tools, "shipped_head", lambda family: tmp_path / "head")
    (tmp_path / "head").write_text("head")
    monkeypatch.setattr(tools, "find_with", lambda backbone, head: bench.find)
    monkeypatch.setattr(tools, "repaint_with", lambda backbone: bench.repaint)
    named_by = {name: painted(name) for name in NAMES}
    monkeypatch.setattr(
        tools,
        "paint_with",
        lambda backbone: lambda prompts, seeds: np.stack([named_by[next(pairs(1))[0]] for _ in prompts]),
    )
    monkeypatch.setattr(commands, "judge", lambda args: JUDGE)
    assert editing.main(["--limit", "1", "--scenes", "0", "-o", str(tmp_path / "out"), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["generated"]["masks"]["words"]["right"] == 1
    assert "scenes" not in answer
    assert (tmp_path / "out" / "editing.json").is_file()
    assert (tmp_path / "out" / "edits.png").is_file()
