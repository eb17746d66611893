"""What lies in the model folders, and what of it can be loaded by which name."""

import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from ldznet_ext.hosts.library import CHECKPOINT, DAMAGED, MODEL, loadable, stored
from ldznet_ext.hosts.standalone import find_source
from tests.tiny import write_head


def write_checkpoint(path: Path) -> Path:
    """A file of safetensors that is no head; nothing loads it."""
    header = json.dumps({"model.diffusion_model.x": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    return path


@pytest.fixture
def folders(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tiny models, and after them a folder with a checkpoint, a head, a broken file, and a second sticker-sd."""
    write_checkpoint(tmp_path / "photo.safetensors")
    write_head(tmp_path / "head.safetensors", "znet")
    (tmp_path / "broken.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0{}")
    (tmp_path / "notes.txt").write_text("none")
    (tmp_path / "sticker-sd" / "unet").mkdir(parents=True)
    monkeypatch.setenv("LDZNET_MODELS", os.pathsep.join(map(str, (models, tmp_path, tmp_path / "nowhere"))))
    return tmp_path


def test_everything_is_told_for_what_it_is(folders: Path) -> None:
    kinds = {each.path.name: (each.kind, each.family, each.problem is None) for each in stored(folders)}
    assert kinds == {
        "broken.safetensors": (DAMAGED, None, False),
        "head.safetensors": ("head znet", "sticker", True),
        "photo.safetensors": (CHECKPOINT, None, True),
        "sticker-sd": (MODEL, None, True),
    }
    assert list(stored(folders / "nowhere")) == []


def test_loras_and_learned_words_lie_in_folders_of_their_own(folders: Path) -> None:
    """Beside a model a file that is no head would stand in the way of its heads."""
    state = {"lora_unet_mid_block_attentions_0_proj_in.lora_down.weight": torch.zeros(1, 4)}
    (folders / "loras").mkdir()
    save_file(state, folders / "loras" / "style.safetensors")
    assert [(each.path.name, each.kind) for each in stored(folders)][-1] == ("style.safetensors", "lora")
    assert "style" not in {one.name for one in loadable()}


def test_models_can_be_loaded_by_the_name_they_have_afterwards(folders: Path, models: Path) -> None:
    ours = {one.name: one for one in loadable("photo") if one.name != "sticker-sd"}
    assert ours["photo"].loaded and ours["photo"].bytes == (folders / "photo.safetensors").stat().st_size
    sticker = next(one for one in loadable() if one.name == "sticker-sd")
    assert sticker.family == "sticker" and sticker.bytes > 1000, "the first folder that has it wins"
    assert [one.name for one in loadable()].count("sticker-sd") == 1
    for one in loadable():
        assert find_source(one.name).exists()
    assert find_source("photo") == folders / "photo.safetensors"
