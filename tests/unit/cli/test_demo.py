"""The demo's page and sheet, told by a stand-in for the command line that writes what the real one writes."""

import argparse
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ldznet_ext.cli import demo, demo_story
from ldznet_ext.cli.demo_sheet import GAP, SIDE
from ldznet_ext.cli.demo_story import iou

SHAPE = (24, 40)


class CommandLine:
    """Stands in for `cli.main.main`: solid pictures, masks of the left `width` columns, the objects of the issue."""

    def __init__(self, edited: bool = True, code: int = 0) -> None:
        self.edited, self.code = edited, code
        self.calls: list[list[str]] = []

    def __call__(self, argv: list[str]) -> int:
        self.calls.append(argv)
        if self.code:
            return self.code
        folder = Path(argv[argv.index("-o") + 1])
        folder.mkdir(parents=True, exist_ok=True)
        print(json.dumps(getattr(self, argv[0])(folder, argv)))
        return 0

    def generate(self, folder: Path, argv: list[str]) -> dict:
        Image.new("RGB", SHAPE[::-1], (200, 120, 40)).save(folder / "fox.png")
        mask = {"image": "fox.png", **self._mask(folder, "fox", argv[argv.index("--mask") + 1], "found")}
        return {
            "prompt": argv[1], "seed": int(argv[argv.index("--seed") + 1]), "steps": 20, "model": "sticker-sd",
            "images": [mask], "extra_unet_calls": 0,
        }  # fmt: skip

    def edit(self, folder: Path, argv: list[str]) -> dict:
        assert Path(argv[1]).is_file()
        Image.new("RGB", SHAPE[::-1], (20, 90, 40)).save(folder / "fox_edit.png")
        mask = self._mask(folder, "fox", argv[argv.index("--mask-prompt") + 1], "found")
        return {
            **mask,
            "image": "fox_edit.png" if self.edited else None,
            "prompt": argv[argv.index("--prompt") + 1],
            "seed": 1,
        }

    def mask(self, folder: Path, argv: list[str]) -> dict:
        assert Path(argv[1]).is_file()
        return self._mask(folder, Path(argv[1]).stem, argv[2], "not found" if argv[2] == "<umbrella>" else "found")

    def _mask(self, folder: Path, stem: str, words: str, status: str) -> dict:
        pixels = np.zeros(SHAPE, np.uint8)
        pixels[:, : 10 if status == "found" else 0] = 255
        files = {kind: f"{stem}_{kind}.png" for kind in ("mask", "prob", "overlay")}
        for name in files.values():
            Image.fromarray(pixels).save(folder / name)
        phrase = {"text": words, "status": status, "score": 0.25, "box": None, "area": int((pixels > 0).sum())}
        return {
            "picture": stem, "size": list(SHAPE), "method": "ldznet", "model": "sticker-sd", "familiar": True,
            "phrases": [phrase], "files": files, "seconds": {"total": 0.1}, "unet_calls": 1,
        }  # fmt: skip


@pytest.fixture
def scenes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three test scenes whose objects cover 10, 20 and 40 of 40 columns: IoU with the stand-in's mask 1, 1/2, 1/4."""
    folder = tmp_path / "scenes"
    folder.mkdir()
    lines = []
    for number, width in enumerate((10, 40, 20)):
        Image.new("RGB", SHAPE[::-1]).save(folder / f"{number}.png")
        truth = np.zeros(SHAPE, np.uint8)
        truth[:, :width] = 255
        Image.fromarray(truth).save(folder / f"{number}_truth.png")
        rows = [
            ("night", None, "absent"),
            ("owl", f"{number}_truth.png", "object"),
            ("bus", f"{number}_truth.png", "object"),
        ]
        lines += [json.dumps({"image": f"{number}.png", "phrase": p, "mask": m, "kind": k}) for p, m, k in rows]
    (folder / "annotations.jsonl").write_text("\n".join(lines))
    monkeypatch.setattr(demo_story, "SCENES", folder)
    return folder


def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: CommandLine, *more: str) -> tuple[int, Path]:
    monkeypatch.setattr(demo_story, "main", line)
    parser = argparse.ArgumentParser()
    demo.add_arguments(parser)
    out = tmp_path / "demo"
    return demo.run(parser.parse_args(["-o", str(out), "--absent", "<umbrella>", *more])), out


class Links(HTMLParser):
    """Every address the page loads or names, and that its tags close in order."""

    def __init__(self) -> None:
        super().__init__()
        self.files: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.files += [value for name, value in attrs if name in ("src", "href") and value]
        if tag not in ("meta", "img", "tr", "td", "html"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag != "html":
            assert self.open.pop() == tag


def test_the_page_shows_files_that_are_there_and_asks_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scenes: Path
) -> None:
    code, out = run(tmp_path, monkeypatch, CommandLine())
    text = (out / "index.html").read_text(encoding="utf-8")
    links = Links()
    links.feed(text)
    assert code == 0
    assert links.open == []
    assert len(links.files) > 10
    assert all((out / file).is_file() for file in links.files)
    assert not re.search(r"https?:|//[a-z]|url\(|@import", text)
    assert "prefers-color-scheme: dark" in text
    assert "<umbrella>" not in text
    assert "&lt;umbrella&gt;" in text


def test_the_objects_lie_beside_their_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scenes: Path) -> None:
    _, out = run(tmp_path, monkeypatch, CommandLine(), "--seed", "7")
    answers = {
        name: json.loads((out / name / f"{name}.json").read_text())
        for name in ("generate", "edit", "absent", "failure")
    }
    assert answers["generate"]["seed"] == 7
    assert (out / "edit" / answers["edit"]["image"]).is_file()
    assert answers["absent"]["phrases"][0]["status"] == "not found"
    assert (out / "failure" / answers["failure"]["truth"]).is_file()


def test_the_failure_is_the_worst_first_object(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scenes: Path) -> None:
    _, out = run(tmp_path, monkeypatch, CommandLine())
    failure = json.loads((out / "failure" / "failure.json").read_text())
    assert failure["iou"] == pytest.approx(0.25)
    assert {row["status"] for row in failure["tried"]} == {"found"}
    assert [(row["picture"], row["phrase"], row["iou"]) for row in failure["tried"]] == [
        ("0.png", "owl", 1.0), ("1.png", "owl", 0.25), ("2.png", "owl", 0.5),
    ]  # fmt: skip
    assert sorted(path.name for path in (out / "failure").glob("*.png")) == [
        "1.png", "1_mask.png", "1_overlay.png", "1_prob.png", "1_truth.png",
    ]  # fmt: skip


def test_what_was_not_found_is_no_failure_to_show_while_something_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scenes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (scenes / "annotations.jsonl").read_text().replace('"owl"', '"<umbrella>"', 2)  # of pictures 0 and 1
    (scenes / "annotations.jsonl").write_text(text)
    _, out = run(tmp_path, monkeypatch, CommandLine())
    failure = json.loads((out / "failure" / "failure.json").read_text())
    assert [(row["status"], row["iou"]) for row in failure["tried"]] == [
        ("not found", 0.0), ("not found", 0.0), ("found", 0.5),
    ]  # fmt: skip
    assert failure["iou"] == pytest.approx(0.5)
    said = capsys.readouterr().err
    assert "2.png" not in said
    assert "owl, IoU 0.50" in said


def test_the_sheet_holds_two_rows_of_four_with_the_pictures_in_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scenes: Path
) -> None:
    _, out = run(tmp_path, monkeypatch, CommandLine())
    sheet = Image.open(out / "sheet.png")
    assert sheet.width == GAP + 4 * (SIDE + GAP)
    middle = GAP + 30 + SIDE // 2
    assert sheet.getpixel((GAP + SIDE // 2, middle)) == (200, 120, 40)
    assert sheet.getpixel((GAP + 3 * (SIDE + GAP) + SIDE // 2, middle)) == (20, 90, 40)


def test_words_that_were_not_repainted_and_a_checkout_without_scenes_are_shown_as_such(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo_story, "SCENES", tmp_path / "nowhere")
    code, out = run(tmp_path, monkeypatch, CommandLine(edited=False))
    assert code == 0
    assert "nothing was repainted" in (out / "index.html").read_text(encoding="utf-8")
    assert not (out / "failure").exists()
    assert (out / "sheet.png").is_file()


def test_a_command_that_stops_passes_its_code_on_and_leaves_no_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = CommandLine(code=2)
    code, out = run(tmp_path, monkeypatch, line)
    assert code == 2
    assert len(line.calls) == 1
    assert not (out / "index.html").exists()


def test_iou_by_hand() -> None:
    mask = np.array([[1, 1, 0, 0, 0], [1, 1, 0, 0, 0]], bool)
    truth = np.array([[0, 1, 1, 0, 0], [0, 1, 1, 0, 0]], bool)
    assert iou(mask, truth) == pytest.approx(2 / 6)
    assert iou(mask & False, truth & False) == 1.0


@pytest.mark.sticker
@pytest.mark.slow
def test_the_shipped_model_paints_finds_and_repaints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_story, "CANDIDATES", 2)
    parser = argparse.ArgumentParser()
    demo.add_arguments(parser)
    assert demo.run(parser.parse_args(["-o", str(tmp_path)])) == 0
    answers = {
        name: json.loads((tmp_path / name / f"{name}.json").read_text()) for name in ("generate", "edit", "absent")
    }
    assert answers["generate"]["images"][0]["phrases"][0]["status"] == "found"
    assert answers["generate"]["extra_unet_calls"] == 0
    assert answers["absent"]["phrases"][0]["status"] == "not found"
    before, after = (
        np.asarray(Image.open(tmp_path / name)).astype(int)
        for name in (
            "generate/" + answers["generate"]["images"][0]["image"],
            "edit/" + answers["edit"]["image"],
        )
    )
    mask = np.asarray(Image.open(tmp_path / "edit" / answers["edit"]["files"]["mask"])) > 127
    assert np.abs(after - before)[mask].mean() > 10 * np.abs(after - before)[~mask].mean()
