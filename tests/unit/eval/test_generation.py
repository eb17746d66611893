"""The generator's measure with a painter of plain colours: shares, intervals, kept pictures, the sheet, the command."""

import json

import numpy as np
import pytest
from PIL import Image

from ldznet_ext.eval import commands, generation, tools
from ldznet_ext.eval.generation import SETTINGS, judge_generation, picture_path, prompt_of, sample_sheet, shown
from ldznet_ext.eval.judge import Judge
from ldznet_ext.world.concepts import named

NAMES = [concept.name for concept in named()]


class Painter:
    """Paints object n as the grey 3 n, `wrong` ones as their neighbour; counts its calls."""

    def __init__(self, wrong=()):
        self.wrong, self.prompts = wrong, []

    def __call__(self, prompts, seeds):
        self.prompts += list(zip(prompts, seeds, strict=True))
        return np.stack(
            [np.full((8, 8, 3), 3 * self.number(p, s), np.uint8) for p, s in zip(prompts, seeds, strict=True)]
        )

    def number(self, prompt, seed):
        place = next(n for n, name in enumerate(NAMES) if prompt == prompt_of(name, seed))
        return place + 1 if (NAMES[place], seed) in self.wrong else place


def look(pictures):
    """The nearest grey is the strongest answer."""
    return -np.abs(pictures.mean((1, 2, 3))[:, None] - 3 * np.arange(len(NAMES) + 4)[None]).astype(np.float32)


JUDGE = Judge(look=look, names=(*NAMES, "a", "b", "c", "d"), accuracy=0.97)


def test_everything_right():
    painter = Painter()
    found = judge_generation(painter, JUDGE)
    assert (found["found"], found["interval"], found["top3"]) == (1, [1, 1], 1)
    assert (found["pictures"], found["objects"], found["seeds"], found["judge_accuracy"]) == (256, 64, 4, 0.97)
    assert len(set(painter.prompts)) == 256
    assert {seed for _, seed in painter.prompts} == {0, 1, 2, 3}


def test_a_neighbour_is_wrong_but_among_the_three_strongest():
    wrong = [(NAMES[2], seed) for seed in range(4)] + [(NAMES[5], 0)]
    found = judge_generation(Painter(wrong), JUDGE, objects=NAMES[:10])
    assert found["found"] == pytest.approx(35 / 40)
    assert found["top3"] == 1
    assert found["by_object"] == {name: {2: 0.0, 5: 0.75}.get(n, 1.0) for n, name in enumerate(NAMES[:10])}
    low, high = found["interval"]
    assert low < 35 / 40 < high


def test_every_seed_has_its_ground():
    assert len({prompt_of("owl", seed) for seed in range(4)}) == len(SETTINGS) == 4
    assert all(prompt_of("owl", seed).startswith("an owl") for seed in range(4))


def test_pictures_are_kept_and_painted_once(tmp_path):
    first, second = Painter(), Painter()
    one = judge_generation(first, JUDGE, objects=NAMES[:3], seeds=2, folder=tmp_path)
    assert len(list(tmp_path.glob("*.png"))) == 6
    picture_path(tmp_path, NAMES[1], 1).unlink()
    two = judge_generation(second, JUDGE, objects=NAMES[:3], seeds=2, folder=tmp_path)
    assert one == two
    assert second.prompts == [(prompt_of(NAMES[1], 1), 1)]


def test_progress_counts_pictures():
    ticks = []
    judge_generation(Painter(), JUDGE, objects=NAMES[:5], seeds=2, progress=lambda *tick: ticks.append(tick))
    assert ticks == [(8, 10), (10, 10)]


def test_the_sheet_shows_every_object_once(tmp_path):
    assert shown(["a", "b", "c"], 2) == [("a", 0), ("b", 1), ("c", 0)]
    tiles = {name: np.full((32, 32, 3), 3 * n, np.uint8) for n, name in enumerate(NAMES)}
    sample_sheet(tmp_path / "new" / "sheet.png", tiles)
    with Image.open(tmp_path / "new" / "sheet.png") as sheet:
        pixels = np.array(sheet)
    rows, columns = pixels.shape[0] // 8, pixels.shape[1] // 8
    assert (pixels.shape[0] % 8, pixels.shape[1] % 8) == (0, 0)
    for n in range(64):
        assert (pixels[n // 8 * rows + 40, n % 8 * columns + 40] == 3 * n).all()


@pytest.fixture
def command(monkeypatch, capsys):
    """Run the module's command with the painter in place of a model."""
    monkeypatch.setattr(tools, "open_backbone", lambda model, device: ("backbone", "mark 1"))
    monkeypatch.setattr(tools, "paint_with", lambda backbone: Painter())
    monkeypatch.setattr(commands, "judge", lambda args: JUDGE)

    def call(*argv):
        code = generation.main(list(argv))
        return code, capsys.readouterr()

    return call


def test_the_command_prints_one_object(command, tmp_path):
    code, said = command("--seeds", "2", "--limit-objects", "9", "-o", str(tmp_path / "out"), "--json")
    assert code == 0
    answer = json.loads(said.out)
    assert (answer["found"], answer["objects"], answer["seeds"]) == (1, 9, 2)
    assert json.loads((tmp_path / "out" / "generation.json").read_text())["model"] == "mark 1"
    assert (tmp_path / "out" / "sheet.png").is_file()


def test_the_command_speaks_to_people(command, tmp_path):
    code, said = command("--seeds", "1", "--limit-objects", "2", "-o", str(tmp_path))
    assert code == 0
    assert said.out.startswith("2 pictures of 2 objects: 100.0% found")


def test_the_command_refuses_in_a_sentence(command, tmp_path, monkeypatch):
    code, said = command("--seeds", "0", "-o", str(tmp_path))
    assert code == 2
    assert said.out == ""
    assert "The number of seeds is 0; expected at least 1." in said.err
    monkeypatch.undo()
    monkeypatch.setattr(commands, "find_judge", lambda path: None)
    assert generation.main(["-o", str(tmp_path)]) == 2
