"""`ldznet convert`: what it writes, what it answers, and what it refuses."""

import hashlib
from pathlib import Path

import pytest
import torch

from ldznet_ext.convert.official import stored_name
from ldznet_ext.nets.heads import build_head
from ldznet_ext.weights import load_head
from tests.tiny import randomise


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A training checkpoint in the authors' layout, 32 channels wide, with another diffusion UNet's remains."""
    head = randomise(build_head("ldznet", "golden"), seed=3).state_dict()
    state = {stored_name(name, averaged=True): tensor for name, tensor in head.items()}
    state["sd_features_stage_model.model.model.diffusion_model.out.2.bias"] = torch.ones(4)
    path = tmp_path_factory.mktemp("official") / "theirs.ckpt"
    torch.save({"state_dict": state, "global_step": 12}, path)
    return path


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_head_is_written_and_all_is_told(ldznet, checkpoint, tmp_path):
    answer = ldznet("convert", checkpoint, "-o", "new/h.safetensors", "--dtype", "fp16", "--json").json
    head, info, _ = load_head(tmp_path / "new" / "h.safetensors")
    assert answer == {
        "checkpoint": str(checkpoint),
        "checkpoint_sha256": sha256(checkpoint),
        "steps": 12,
        "weights": "averaged",
        "file": "new/h.safetensors",
        "bytes": (tmp_path / "new" / "h.safetensors").stat().st_size,
        "sha256": sha256(tmp_path / "new" / "h.safetensors"),
        "parameters": sum(each.numel() for each in head.parameters()),
        "unet": None,
        "unet_is_a_model": False,
        "message": "",
    }
    assert (info.kind, info.family) == ("ldznet", "sd1") and sha256(checkpoint) in info.recipe


def test_a_second_time_gives_the_same_bytes_and_a_report_for_people(ldznet, checkpoint, tmp_path):
    for name in ("a", "b"):
        ran = ldznet("convert", checkpoint, "-o", f"{name}.safetensors")
        assert ran.out.startswith(f"Wrote {name}.safetensors: an LD-ZNet head for Stable Diffusion 1.x, ")
        assert ran.out.endswith("averaged weights.\n")
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


def test_the_unet_inside_is_kept_on_demand(ldznet, checkpoint):
    ran = ldznet("convert", checkpoint, "-o", "h.safetensors", "--unet", "u.safetensors")
    assert "Wrote u.safetensors: the diffusion model" in ran.out and "the UNet alone" in ran.out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["-o", "h.ckpt"], "ends in .safetensors"),
        (["-o", "file/h.safetensors"], "could not be written"),
        (["-o", "h.safetensors", "--unet", "h.safetensors"], "named twice"),
        (["-o", "h.safetensors", "--dtype", "int8"], "--dtype"),
        ([], "-o"),
    ],
)
def test_conversions_that_cannot_be(ldznet, checkpoint, tmp_path, options, said):
    (tmp_path / "file").write_text("no folder")
    assert said in ldznet("convert", checkpoint, *options).complaint
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]


def test_files_that_are_no_checkpoint(ldznet, tmp_path):
    (tmp_path / "notes.ckpt").write_text("fox")
    torch.save({"a": torch.ones(2)}, tmp_path / "other.ckpt")
    torch.save({}, tmp_path / "empty.ckpt")
    said = {
        "notes.ckpt": "no whole checkpoint",
        "other.ckpt": "holds a (1)",
        "empty.ckpt": "holds no tensors",
        "missing.ckpt": "does not exist",
    }
    for name, sentence in said.items():
        assert sentence in ldznet("convert", name, "-o", "h.safetensors").complaint
    assert not list(tmp_path.glob("h.*"))
