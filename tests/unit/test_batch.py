"""Many pictures: nothing lost, nothing done twice, whatever happens on the way."""

import csv
import json
import os
import shutil
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ldznet_ext.backbone import default_backbone
from ldznet_ext.batch import Finder, batch, run
from ldznet_ext.errors import DataError, HeadError, OptionError, OutputError
from ldznet_ext.geometry import Box, Size
from ldznet_ext.request import MaskSettings
from ldznet_ext.result import FOUND, NOT_FOUND, PhraseResult, Segmentation
from ldznet_ext.saving.journal import Journal
from ldznet_ext.saving.listing import pictures_in
from ldznet_ext.saving.order import Order
from ldznet_ext.saving.recipe import read

ROOT = Path(__file__).resolve().parents[2]


class Find:
    """Finds "fox" in the red part of a picture; counts; may be stopped at a picture."""

    def __init__(self, words: tuple[str, ...] = ("fox",)) -> None:
        self.words, self.asked, self.stop = words, 0, {}

    def __call__(self, picture: np.ndarray) -> Segmentation:
        self.asked += 1
        if self.asked in self.stop:
            raise self.stop[self.asked]
        prob = np.where(picture[..., 0] > 127, 0.75, 0.25).astype(np.float32)
        area = int((prob > 0.5).sum())
        phrases = tuple(
            PhraseResult(
                text=word, status=FOUND if area else NOT_FOUND, score=0.9 if area else 0.1, prob=prob,
                box=Box(0, 0, 2, 1) if area else None, area=area,
            )
            for word in self.words
        )  # fmt: skip
        return Segmentation(
            size=Size(*prob.shape), method="ldznet", model="fake-sd", familiar=True, phrases=phrases, prob=prob,
            mask=prob > 0.5, seconds={}, unet_calls=1,
        )  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four pictures of 2 x 3, the third without a fox, among other things; p4 has a hat on."""
    place = tmp_path / "in"
    place.mkdir()
    for number in range(1, 5):
        pixels = np.zeros((2, 3, 3), np.uint8)
        pixels[0, : number if number != 3 else 0, 0] = 255
        Image.fromarray(pixels).save(place / f"p{number}.png")
    (place / "notes.txt").write_text("none")
    (place / ".hidden.png").write_text("none")
    (place / "sub.png").mkdir()
    return place


def go(folder: Path, out: Path, find: Find | None = None, **order):
    find = find or Find()
    given = Order(words=find.words, **order)
    return run(pictures_in(folder), given, Finder(find=find, facts={"model": "fake-sd"}), out)


def files(folder: Path) -> dict[str, bytes]:
    """The results by name."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.png")}


def table(out: Path, name: str = "masks.csv") -> list[dict[str, str]]:
    with (out / name).open(newline="", encoding="utf-8") as stream:
        return [{key: value for key, value in row.items() if key != "seconds"} for row in csv.DictReader(stream)]


def test_a_folder_is_masked_and_scored(folder, tmp_path):
    report = go(folder, tmp_path / "out", Find(("fox", 'a, "b"')))
    assert (report.pictures, report.found, report.files, report.before, report.left) == (4, 3, 12, 0, 0)
    assert report.not_found == [str(folder / "p3.png")] and report.skipped == [] and report.news == ""
    rows = table(tmp_path / "out")
    assert len(rows) == 8 and rows[1]["phrase"] == 'a, "b"'
    assert rows[2] == {
        "picture": str(folder / "p2.png"), "phrase": "fox", "status": "found", "score": "0.9000", "area": "2", "left": "0",
        "top": "0", "right": "2", "bottom": "1", "file": "p2_mask.png", "error": "",
    }  # fmt: skip
    assert (rows[4]["status"], rows[4]["left"], rows[4]["file"]) == ("not found", "", "p3_mask.png")
    mask = np.asarray(Image.open(tmp_path / "out/p2_mask.png"))
    assert (
        mask.tolist() == [[255, 255, 0], [0, 0, 0]] and not np.asarray(Image.open(tmp_path / "out/p3_mask.png")).any()
    )
    assert read(tmp_path / "out/p2_mask.png").picture == "p2.png"


def test_the_same_again_does_nothing_and_what_is_new_or_changed_is_done(folder, tmp_path):
    find, out = Find(), tmp_path / "out"
    go(folder, out, find)
    before = files(out)
    assert go(folder, out, find).before == 4 and find.asked == 4 and files(out) == before
    Image.new("RGB", (3, 2), (255, 0, 0)).save(folder / "p0.png")
    Image.new("RGB", (3, 3), (255, 0, 0)).save(folder / "p3.png")
    report = go(folder, out, find)
    assert (report.before, report.found, find.asked) == (3, 5, 6)
    assert np.asarray(Image.open(out / "p3_mask.png")).all() and len(files(out)) == 15
    assert [row["picture"][-6:] for row in table(out)] == [f"p{n}.png" for n in range(5)]


BAD = {
    "cut.png": lambda whole: whole[: len(whole) // 2],
    "empty.png": lambda whole: b"",
    "text.png": lambda whole: b"no picture",
    "bomb.png": lambda whole: whole[:16] + b"\x00\x0f\xff\xff\x00\x0f\xff\xff" + whole[24:],
    "nothing.png": lambda whole: whole[:16] + bytes(8) + whole[24:],
}


def test_bad_files_are_listed_and_the_others_done(folder, tmp_path):
    whole = (folder / "p1.png").read_bytes()
    for name, spoil in BAD.items():
        (folder / name).write_bytes(spoil(whole))
    report = go(folder, tmp_path / "out")
    assert (report.found, len(report.not_found), len(report.skipped), report.defects) == (3, 1, 5, 0)
    assert [Path(picture).name for picture, _ in report.skipped] == sorted(BAD)
    assert all(reason.endswith(".") and Path(picture).name in reason for picture, reason in report.skipped)
    errors = {Path(row["picture"]).name: row for row in table(tmp_path / "out") if row["status"] == "error"}
    assert sorted(errors) == sorted(BAD) and all(row["error"] and not row["score"] for row in errors.values())
    (folder / "cut.png").write_bytes(whole)
    report = go(folder, tmp_path / "out")
    assert (report.found, len(report.skipped), report.before) == (4, 4, 4)  # the bad ones were tried again


def test_a_defect_ends_one_picture_and_what_is_wrong_with_all_ends_the_run(folder, tmp_path):
    find = Find()
    find.stop = {2: RuntimeError("odd\nthing"), 3: MemoryError()}
    report = go(folder, tmp_path / "out", find)
    assert (report.found, report.defects) == (2, 1)
    assert "'p2.png' (RuntimeError: odd thing)" in report.skipped[0][1] and "more memory" in report.skipped[1][1]
    find.stop = {5: HeadError("No head.")}
    with pytest.raises(HeadError):
        go(folder, tmp_path / "out", find)
    assert go(folder, tmp_path / "out", find).found == 3


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_a_run_that_is_stopped_leaves_a_table_and_goes_on(folder, tmp_path, error):
    whole, out, find = tmp_path / "whole", tmp_path / "out", Find()
    go(folder, whole)
    find.stop = {3: error()}
    with pytest.raises(error):
        go(folder, out, find)
    assert [row["picture"][-6:] for row in table(out)] == ["p1.png", "p2.png"]
    report = go(folder, out, find)
    assert (report.before, report.found, report.files) == (2, 3, 12)
    assert files(out) == files(whole) and table(out) == table(whole)


def test_other_words_or_settings_are_another_run_and_take_nothing_away(folder, tmp_path):
    out = tmp_path / "out"
    go(folder, out)
    first = files(out)
    report = go(folder, out, settings=MaskSettings(invert=True))
    assert report.before == 0 and "asked for something else (settings)" in report.news and report.table == "masks-2.csv"
    assert {name: content for name, content in files(out).items() if name in first} == first
    assert np.asarray(Image.open(out / "p1-2_mask.png")).tolist() == [[0, 255, 255], [255, 255, 255]]
    assert go(folder, out).before == 4 and go(folder, out).news == ""  # the first run is still known
    third = go(folder, out, Find(("owl",)), overwrite=True)
    assert "(words)" in third.news and third.table == "masks.csv" and len(files(out)) == 24


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_run_that_was_killed_does_not_take_the_table_of_the_next(folder, tmp_path):
    out = tmp_path / "out"
    assert killed(folder, out, 5) == signal.SIGKILL
    assert go(folder, out, settings=MaskSettings(grow=1)).table == "masks-2.csv"
    other = (out / "masks-2.csv").read_bytes()
    assert go(folder, out).table == "masks.csv" and len(table(out)) == 4
    assert (out / "masks-2.csv").read_bytes() == other


def test_what_is_not_found_may_be_left_out(folder, tmp_path):
    for choice in ("skip", "fail"):
        report = go(folder, tmp_path / choice, not_found=choice)
        assert report.files == 9 and not list((tmp_path / choice).glob("p3*"))
        assert len(report.not_found) == 1 and table(tmp_path / choice)[2]["status"] == "not found"


def test_results_beside_the_pictures_are_not_masked_themselves(folder):
    go(folder, folder, pattern="{words} of {number}")
    assert (folder / "fox of 0001_mask.png").exists() and go(folder, folder, pattern="{words} of {number}").before == 4
    assert len(pictures_in(folder)) == 4
    shutil.rmtree(folder / ".ldznet")
    assert len(pictures_in(folder)) == 16


def test_names_that_meet_are_told_apart_the_same_way_each_time(folder, tmp_path):
    shutil.copy(folder / "p1.png", folder / "P1.webp")
    whole, out, find = tmp_path / "whole", tmp_path / "out", Find()
    go(folder, whole, pattern="{words}", save=("mask", "ora"))
    assert {path.name for path in whole.iterdir()} >= {"fox_mask.png", "fox-2_mask.png", "fox.ora", "fox-5.ora"}
    find.stop = {4: KeyboardInterrupt()}
    with pytest.raises(KeyboardInterrupt):
        go(folder, out, find, pattern="{words}", save=("mask", "ora"))
    go(folder, out, find, pattern="{words}", save=("mask", "ora"))
    assert files(out) == files(whole)
    go(folder, tmp_path / "case")
    assert (tmp_path / "case/P1_mask.png").exists() and (tmp_path / "case/p1-2_mask.png").exists()


def test_annotations_of_all_pictures_are_one_data_set(folder, tmp_path):
    go(folder, tmp_path / "out", save=("coco",))
    data = json.loads((tmp_path / "out/masks_coco.json").read_bytes())
    assert [one["file_name"] for one in data["images"]] == ["p1.png", "p2.png", "p3.png", "p4.png"]
    assert [one["image_id"] for one in data["annotations"]] == [1, 2, 4]


def test_annotations_that_a_person_took_away_are_left_out_of_the_data_set(folder, tmp_path):
    go(folder, tmp_path / "out", save=("coco",))
    (tmp_path / "out/p1_coco.json").unlink()
    (tmp_path / "out/p2_coco.json").write_text("{")
    go(folder, tmp_path / "out", save=("coco",))
    data = json.loads((tmp_path / "out/masks_coco.json").read_bytes())
    assert [one["file_name"] for one in data["images"]] == ["p3.png", "p4.png"]


def test_two_processes_do_not_work_in_one_folder(folder, tmp_path):
    out = tmp_path / "out"
    with Journal(out, {"words": ["something else"]}), pytest.raises(OutputError, match="Another process is at work in"):
        go(folder, out)
    assert go(folder, out).found == 3


@pytest.mark.skipif(sys.platform != "linux", reason="names of any bytes are Linux's")
def test_a_name_that_is_no_text(folder, tmp_path):
    shutil.copy(folder / "p1.png", os.fsencode(folder) + b"/caf\xe9.png")
    report = go(folder, tmp_path / "out", save=("mask", "ora", "coco"))
    assert report.found == 4 and table(tmp_path / "out")[0]["picture"].endswith(r"caf\udce9.png")
    assert (tmp_path / "out/caf_mask.png").is_file() and go(
        folder, tmp_path / "out", save=("mask", "ora", "coco")
    ).before == 5


@pytest.mark.parametrize("left", ["all but the last sign", "half of the last line"])
def test_a_line_that_was_cut_does_not_count(folder, tmp_path, left):
    out, find = tmp_path / "out", Find()
    go(folder, out)
    (journal,) = (out / ".ldznet").glob("*.jsonl")
    content = journal.read_bytes()
    journal.write_bytes(content[: -1 if left.startswith("all") else content.rindex(b'{"picture"') + 5])
    report = go(folder, out, find)
    assert (report.before, find.asked, report.found, len(table(out)), len(files(out))) == (3, 1, 3, 4, 12)
    assert journal.read_bytes().count(b"\n") == content.count(b"\n") + 1  # it was begun twice


def test_without_its_journal_a_run_is_a_new_one_and_writes_over_nothing(folder, tmp_path):
    out, find = tmp_path / "out", Find()
    go(folder, out)
    first = files(out)
    (journal,) = (out / ".ldznet").glob("*.jsonl")
    journal.write_bytes(journal.read_bytes()[:40])
    assert go(folder, out, find).found == 3 and find.asked == 4
    assert len(files(out)) == 24 and first.items() <= files(out).items()


def test_a_full_disk_is_a_sentence_and_the_run_goes_on(folder, tmp_path, monkeypatch):
    with monkeypatch.context() as patched:

        def full(self: Path, data: bytes) -> int:
            raise OSError(28, "No space left on device")

        patched.setattr(Path, "write_bytes", full)
        with pytest.raises(OutputError, match="No space left"):
            go(folder, tmp_path / "out")
    assert go(folder, tmp_path / "out").found == 3 and len(files(tmp_path / "out")) == 12
    assert not list((tmp_path / "out").rglob("*.part"))


def test_orders_that_cannot_be(folder, tmp_path):
    for wrong in ({"not_found": "panic"}, {"save": ()}, {"save": ("psd",)}, {"pattern": "{x}"}):
        with pytest.raises(OptionError, match="expected"):
            Order(words=("fox",), **wrong)
    with pytest.raises(DataError, match="no picture in"):
        pictures_in(tmp_path)
    assert pictures_in([folder / "p1.png", folder, "notes"])[-1] == Path("notes")
    assert len(pictures_in([folder / "p1.png", folder])) == 4


def killed(folder: Path, out: Path, at: int) -> int:
    """The signal that ended a process of its own, which was killed when it moved its `at`-th file into place."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1]
    moved = 0
    move = os.replace

    def replace(source: str, target: str) -> None:
        nonlocal moved
        moved += 1
        if moved == at:
            os.kill(os.getpid(), signal.SIGKILL)
        move(source, target)

    os.replace = replace
    signal.alarm(30)
    go(folder, out)
    os._exit(0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.parametrize("at", [2, 4, 9])  # in the middle of a picture's files, between two pictures', late
def test_after_a_kill_at_any_file_nothing_is_lost_or_done_twice(folder, tmp_path, at):
    whole, out, find = tmp_path / "whole", tmp_path / "out", Find()
    go(folder, whole)
    assert killed(folder, out, at) == signal.SIGKILL
    assert list(out.rglob("*.part"))
    report = go(folder, out, find)
    assert (report.found, report.before, find.asked) == (3, (at - 1) // 3, 4 - (at - 1) // 3)
    assert files(out) == files(whole) and table(out) == table(whole)
    assert not list(out.rglob("*.part"))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_bad_files_tried_again_after_a_kill_do_not_change_the_names_of_the_picture_it_cut_short(folder, tmp_path):
    (folder / "p0.png").write_bytes(b"no picture")
    whole, out = tmp_path / "whole", tmp_path / "out"
    go(folder, whole)
    assert killed(folder, out, 5) == signal.SIGKILL
    go(folder, out)
    assert files(out) == files(whole) and not list(out.rglob("*.part"))


def test_a_picture_whose_saving_failed_keeps_its_names(folder, tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr("ldznet_ext.saving.exports.overlay", lambda *_: 1 / 0)
        assert go(folder, tmp_path / "out").defects == 4
    assert go(folder, tmp_path / "out").found == 3
    assert set(files(tmp_path / "out")) == {
        f"p{n}_{kind}.png" for n in range(1, 5) for kind in ("mask", "prob", "overlay")
    }


def test_a_picture_named_as_the_data_set_is_told_apart_from_it(folder, tmp_path):
    (folder / "p4.png").rename(folder / "masks.png")
    out, save = tmp_path / "out", ("mask", "coco")
    for _ in range(2):
        go(folder, out, save=save)
        data = json.loads((out / "masks_coco.json").read_bytes())
        assert [one["file_name"] for one in data["images"]] == ["masks.png", "p1.png", "p2.png", "p3.png"]
        assert (out / "masks-2_mask.png").is_file() and (out / "masks-2_coco.json").is_file()


def test_memory_does_not_grow_with_the_pictures(folder, tmp_path):
    import tracemalloc

    for number in range(100, 160):
        shutil.copy(folder / "p1.png", folder / f"p{number}.png")
    go(folder, tmp_path / "warm")
    tracemalloc.start()
    marks = []
    find = Find()
    paths = pictures_in(folder)
    order = Order(words=("fox",))
    run(
        paths, order, Finder(find=find), tmp_path / "out",
        lambda done, total: marks.append(tracemalloc.get_traced_memory()[0]),
    )  # fmt: skip
    tracemalloc.stop()
    assert len(marks) == len(paths) + 1 and marks[-1] - marks[10] < 100_000


def test_progress_counts_what_was_done_before(folder, tmp_path):
    seen = []
    go(folder, tmp_path / "out")
    run(
        pictures_in(folder),
        Order(words=("fox",)),
        Finder(find=Find(), facts={"model": "fake-sd"}),
        tmp_path / "out",
        lambda *at: seen.append(at),
    )
    assert seen == [(n, 4) for n in range(5)]


@pytest.mark.sticker
def test_the_function_for_scripts(tmp_path):
    scenes = ROOT / "tests/data/sticker_test"
    report = batch(
        [scenes / "00000.webp", scenes / "00001.webp"],
        "sky",
        out=tmp_path,
        save=["mask"],
        settings=MaskSettings(grow=1),
    )
    assert report.files == 2 and read(tmp_path / "00000_mask.png").settings.grow == 1
    caches = default_backbone().caches
    assert (len(caches.latents), len(caches.features)) == (0, 0) and len(caches.texts) > 0  # no picture comes twice
    with pytest.raises(Exception, match="phrase"):
        batch(scenes, "", out=tmp_path / "none")
    assert not (tmp_path / "none").exists()
