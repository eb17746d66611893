"""`ldznet models`: what is found where."""

import hashlib

import pytest
import torch

from ldznet_ext.backbone import load_backbone


@pytest.fixture
def folder(models, tmp_path, monkeypatch):
    """A folder with the tiny model and head, and a damaged file, before all others."""
    extra = tmp_path / "extra"
    extra.mkdir()
    (extra / "broken.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0{}")
    (extra / "notes.txt").write_text("no model")
    monkeypatch.setenv("LDZNET_MODELS", f"{models}:{extra}:{tmp_path / 'nowhere'}")
    return models


def test_the_object(ldznet, folder, tmp_path):
    answer = ldznet("models", "--json").json
    assert [entry["exists"] for entry in answer["folders"][:3]] == [True, True, False]
    found = {
        entry["name"]: entry for entry in answer["models"] if entry["folder"] in (str(folder), str(tmp_path / "extra"))
    }
    assert set(found) == {"sticker-sd", "ldznet-sticker.safetensors", "broken.safetensors"}
    head = found["ldznet-sticker.safetensors"]
    content = (folder / "ldznet-sticker.safetensors").read_bytes()
    assert (head["kind"], head["family"], head["bytes"]) == ("head ldznet", "sticker", len(content))
    assert head["files"][0]["sha256"] == hashlib.sha256(content).hexdigest()
    assert found["sticker-sd"]["kind"] == "model" and found["sticker-sd"]["family"] == "sticker"
    assert any(file["path"].startswith("sticker-sd/unet/") for file in found["sticker-sd"]["files"])
    assert found["broken.safetensors"]["kind"] == "damaged" and found["broken.safetensors"]["problem"].endswith(".")


def test_the_list(ldznet, folder):
    ran = ldznet("models", "--no-sha256")
    assert ran.code == 0 and "head ldznet, family sticker" in ran.out and "(not there)" in ran.out


def test_a_model_is_exported_as_one_file_that_loads(ldznet, folder, tmp_path):
    answer = ldznet("models", "export", "-o", "new/whole.safetensors", "--json").json
    content = (tmp_path / "new" / "whole.safetensors").read_bytes()
    assert (answer["model"], answer["file"]) == ("sticker-sd", "new/whole.safetensors")
    assert (answer["bytes"], answer["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
    whole, parts = load_backbone(tmp_path / "new" / "whole.safetensors"), load_backbone()
    latent, context = torch.randn(1, 4, 8, 16), parts.text(["fox"])
    assert torch.equal(whole.text(["fox"]), context)
    assert torch.equal(whole.predict(latent, 400, context), parts.predict(latent, 400, context))
    assert torch.equal(whole.decode(latent), parts.decode(latent))
    assert ldznet("models", "export", "--model", folder / "sticker-sd", "-o", "b.safetensors").out.startswith(
        "Wrote b."
    )
    assert (tmp_path / "b.safetensors").read_bytes() == content


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["-o", "whole.ckpt"], "ends in .safetensors"),
        (["-o", "x.safetensors", "--model", "no such"], "does not exist"),
        (["-o", "x.safetensors", "--model", "ldznet-sticker"], "one file already"),
        (["-o", "file/x.safetensors"], "could not be written"),
        ([], "-o"),
    ],
)
def test_exports_that_cannot_be(ldznet, folder, tmp_path, options, said):
    (tmp_path / "file").write_text("no folder")
    assert said in ldznet("models", "export", *options).complaint
    assert not list(tmp_path.glob("*.safetensors"))
