"""`ldznet export-checkpoint`: the files it writes, and what it answers."""

import hashlib

import pytest
import torch

from ldznet_ext.backbone import load_backbone


@pytest.fixture
def folder(models, monkeypatch):
    """The folder with the tiny model and head, before all others."""
    monkeypatch.setenv("LDZNET_MODELS", str(models))
    return models


def test_a_model_is_written_as_a_checkpoint_that_loads(ldznet, folder, tmp_path):
    answer = ldznet("export-checkpoint", "-o", "new/whole.safetensors", "--json").json
    content = (tmp_path / "new" / "whole.safetensors").read_bytes()
    assert (answer["model"], answer["file"]) == ("sticker-sd", "new/whole.safetensors")
    assert (answer["settings"], answer["text"]) == ("new/whole.yaml", "new/whole-text")
    assert (answer["bytes"], answer["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
    whole, parts = load_backbone(tmp_path / "new" / "whole.safetensors"), load_backbone()
    latent, context = torch.randn(1, 4, 8, 16), parts.text(["fox"])
    assert torch.equal(whole.text(["fox"]), context)
    assert torch.equal(whole.predict(latent, 400, context), parts.predict(latent, 400, context))
    assert torch.equal(whole.decode(latent), parts.decode(latent))


def test_a_second_time_gives_the_same_bytes_and_says_what_it_wrote(ldznet, folder, tmp_path):
    for _ in range(2):
        ran = ldznet("export-checkpoint", "--model", folder / "sticker-sd", "-o", "b.safetensors")
        assert ran.out == "Wrote b.safetensors, b.yaml and the folder b-text.\n"
    ldznet("export-checkpoint", "-o", "c.safetensors")
    assert (tmp_path / "b.safetensors").read_bytes() == (tmp_path / "c.safetensors").read_bytes()


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
    assert said in ldznet("export-checkpoint", *options).complaint
    assert not list(tmp_path.glob("*.safetensors"))
