"""What only the authors' own file can prove: run with LDZNET_OFFICIAL=/path/to/LDZNet_txt2mask.ckpt, and LDZNET_SD for a mask."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import ldznet_ext as ldz
from ldznet_ext.convertible import Converted, convert_file
from ldznet_ext.masks.imaging import load_picture
from ldznet_ext.weights import read_info

SCENES = Path(__file__).resolve().parent.parent / "data" / "sticker_test"
NEEDS_FILE = pytest.mark.skipif(
    "LDZNET_OFFICIAL" not in os.environ, reason="no authors' file; name it with LDZNET_OFFICIAL"
)


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Converted:
    target = tmp_path_factory.mktemp("official") / "head.safetensors"
    return convert_file(os.environ["LDZNET_OFFICIAL"], target, dtype="fp16")


@NEEDS_FILE
def test_the_published_file_is_a_whole_head(converted: Converted) -> None:
    assert converted.parameters == 925_882_936 and converted.averaged
    assert (read_info(converted.file).kind, read_info(converted.file).overrides) == ("ldznet", {})


@NEEDS_FILE
@pytest.mark.weights
def test_it_finds_what_is_there(converted: Converted) -> None:
    """A scene of emoji on a ground of snow or grass: the word and another one give maps that differ, in either way of looking."""
    picture = np.asarray(Image.fromarray(load_picture(sorted(SCENES.glob("*.webp"))[0])).resize((512, 384)))
    backbone = ldz.load_backbone(os.environ["LDZNET_SD"])
    for parity in (False, True):
        found = ldz.segment(picture, ["animal", "sky"], backbone=backbone, head=converted.file, parity=parity)
        maps = [phrase.prob for phrase in found.phrases]
        assert all(np.isfinite(one).all() for one in maps)
        assert np.abs(maps[0] - maps[1]).max() > 0.2
