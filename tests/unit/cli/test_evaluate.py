"""`ldznet evaluate`: the object, the table, and data that is not there."""

import json

import numpy as np
import pytest
from PIL import Image

from ldznet_ext.cli import engine
from ldznet_ext.eval.run import evaluate

KEYS = [
    "miou",
    "miou_threshold",
    "iou_fg",
    "iou_fg_threshold",
    "ap",
    "ap_pixel",
    "boundary_iou",
    "auroc",
    "false_found",
]
KEYS += ["recall_found"]


@pytest.fixture
def data(tmp_path, fake, monkeypatch):
    """Two pictures, three lines; the fake engine finds the left half and no owl."""
    monkeypatch.setattr(
        engine,
        "evaluate",
        lambda data, args, tick: evaluate(
            data, segment=lambda picture, words: fake.segment(picture, words, None), limit=args.limit, progress=tick
        ),
    )
    folder = tmp_path / "set"
    folder.mkdir()
    Image.new("RGB", (20, 12), (9, 90, 200)).save(folder / "a.png")
    left = np.zeros((12, 20), np.uint8)
    left[:, :10] = 255
    Image.fromarray(left).save(folder / "left.png")
    rows = [("fox", "left.png", "object"), ("owl", None, "absent"), ("house", "left.png", "referring")]
    lines = [json.dumps({"image": "a.png", "phrase": p, "mask": m, "kind": k}) for p, m, k in rows]
    (folder / "annotations.jsonl").write_text("\n".join(lines) + "\n")
    return folder


def test_the_object(ldznet, data):
    answer = ldznet("evaluate", "--data", "set", "--json").json
    assert list(answer) == ["data", "method", "n", *KEYS, "by_kind"]
    assert (answer["data"], answer["n"], answer["method"]) == ("set", 3, "ldznet")
    assert answer["miou"] > 0.99 and answer["recall_found"] == 1 and answer["false_found"] == 0
    assert list(answer["by_kind"]) == ["object", "absent", "referring"]
    assert list(answer["by_kind"]["object"]) == ["n", *KEYS] and answer["by_kind"]["absent"]["miou"] is None


def test_the_first_lines_only(ldznet, data):
    assert ldznet("evaluate", "--data", "set", "--limit", "1", "--json").json["n"] == 1
    assert "limit" in ldznet("evaluate", "--data", "set", "--limit", "0").complaint


def test_the_table(ldznet, data):
    lines = ldznet("evaluate", "--data", "set").out.splitlines()
    assert lines[0] == "ldznet on set, 3 phrases, per cent"
    assert lines[2].split()[:3] == ["all", "3", "99.2"] and lines[4].split()[:3] == ["absent", "1", "-"]


@pytest.mark.parametrize("spec", ["nowhere", "sticker:fourth", "sticker:test:oil", "", "set/annotations.jsonl"])
def test_data_that_is_not_there(ldznet, data, spec):
    assert "data" in ldznet("evaluate", "--data", spec).complaint.lower()


def test_a_damaged_line_is_named(ldznet, data):
    (data / "annotations.jsonl").write_text('{"image": "a.png", "phrase"')
    assert "line 1" in ldznet("evaluate", "--data", "set").complaint
