"""The shipped weights keep the engine's promises. Their quality is measured by `ldznet evaluate`, not here."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ldznet_ext.generate import generate_and_segment
from ldznet_ext.hosts.standalone import StandaloneBackbone, load_backbone
from ldznet_ext.inpaint import default_feather, feathered, inpaint
from ldznet_ext.pipeline import segment
from ldznet_ext.result import FOUND, UNKNOWN
from ldznet_ext.weights import find_heads, read_info

pytestmark = pytest.mark.sticker
ROOT = Path(__file__).resolve().parents[2]
SCENES = ROOT / "tests" / "data" / "sticker_test"


@pytest.fixture(scope="module")
def shipped() -> StandaloneBackbone:
    folders = [*os.environ.get("LDZNET_MODELS", "").split(os.pathsep), str(ROOT / "models")]
    return load_backbone(next(Path(f, "sticker-sd") for f in folders if f and Path(f, "sticker-sd", "unet").is_dir()))


@pytest.fixture(autouse=True)
def head() -> Path:
    heads = find_heads("sticker", "ldznet")
    if not heads:
        pytest.skip("no LD-ZNet head is shipped yet")
    return heads[0][0]


def _lines() -> list[dict[str, object]]:
    annotations = SCENES / "annotations.jsonl"
    if not annotations.is_file():
        pytest.skip("the rendered test set is not there")
    return [json.loads(line) for line in annotations.read_text("utf-8").splitlines()]


def test_everything_shipped_is_small() -> None:
    assert sum(path.stat().st_size for path in (ROOT / "models").rglob("*") if path.is_file()) <= 110e6


def test_the_head_is_calibrated_and_brings_statistics(shipped: StandaloneBackbone, head: Path) -> None:
    info = read_info(head)
    assert info.calibration is not None and 0 < info.found_threshold < 1 and info.commit
    assert segment(np.full((256, 256, 3), 200, np.uint8), "fox", backbone=shipped).familiar is not None


def test_objects_of_the_test_scenes_are_mostly_found(shipped: StandaloneBackbone) -> None:
    there = [line for line in _lines() if line["mask"] and line["kind"] == "object"][:16]
    found = [segment(SCENES / line["image"], line["phrase"], backbone=shipped).phrases[0] for line in there]
    assert np.mean([answer.status == FOUND for answer in found]) > 0.5


def test_noise_is_unfamiliar_and_nothing_is_found_in_it(shipped: StandaloneBackbone) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    result = segment(noise, ["fox", "owl"], backbone=shipped)
    assert result.familiar is False and not result.mask.any()
    assert all(answer.status != FOUND for answer in result.phrases)


def test_words_never_seen(shipped: StandaloneBackbone) -> None:
    result = segment(np.zeros((64, 64, 3), np.uint8), "quantum chromodynamics", backbone=shipped)
    assert result.phrases[0].status == UNKNOWN and result.unet_calls == 0


def test_a_painting_its_mask_and_an_edit(shipped: StandaloneBackbone) -> None:
    image, result = generate_and_segment("a fox on grass under a blue sky", ["fox", "grass"], backbone=shipped, seed=1)
    assert image.size == (256, 256) and result.unet_calls == 0
    mask = result.phrases[0].prob > 0.5
    if not mask.any():
        mask[100:150, 100:150] = True
    edited = np.asarray(inpaint(image, mask, "an owl", backbone=shipped, seed=2, steps=4))
    changed = (edited != np.asarray(image)).any(axis=-1)
    assert not changed[feathered(mask, default_feather(result.size)) == 0].any() and changed[mask].mean() > 0.5


def test_the_same_picture_gives_the_same_bits(shipped: StandaloneBackbone) -> None:
    picture = np.asarray(Image.open(SCENES / _lines()[0]["image"]).convert("RGB"))
    runs = [segment(picture, "grass", backbone=shipped).prob]
    shipped.caches.clear()
    runs.append(segment(picture, "grass", backbone=shipped).prob)
    np.testing.assert_array_equal(*runs)
