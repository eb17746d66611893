"""The authors' reduced diffusion model as a checkpoint and as a folder: either way the features are theirs, and the head fits."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from ldznet_ext.harvest.hooks import harvest
from ldznet_ext.hosts.kinds import about
from ldznet_ext.hosts.standalone import StandaloneBackbone, load_backbone
from ldznet_ext.nets.presets import LDZNET_TAPS
from ldznet_ext.nets.znet import ZNet
from tests.official import as_folder, clip_state, compvis_vae, write_vocabulary

Case = Callable[[str], dict[str, Tensor]]


@pytest.fixture(scope="module")
def checkpoint(golden_weights: Case, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The frozen UNet under CompVis' prefix, with some auto-encoder and text tower, beside a vocabulary."""
    folder = write_vocabulary(tmp_path_factory.mktemp("golden"))
    parts = {
        "model.diffusion_model.": golden_weights("ldm"),
        "first_stage_model.": compvis_vae(1),
        "cond_stage_model.transformer.": clip_state((64, 1, 1), 2),
    }
    state = {prefix + key: tensor.contiguous() for prefix, part in parts.items() for key, tensor in part.items()}
    save_file(state, folder / "reduced.safetensors")
    return folder / "reduced.safetensors"


def test_features_and_logits_are_the_authors_in_both_layouts(
    checkpoint: Path, ldznet: ZNet, golden_case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LDZNET_MODELS", str(checkpoint.parent))
    assert about(checkpoint)[:2] == ("checkpoint", "sd1")
    one, other = load_backbone(checkpoint), load_backbone(as_folder(checkpoint, tmp_path / "folder"))
    assert one.family == other.family == "sd1"
    case = golden_case("C")
    ours, theirs = _features(one, case), _features(other, case)
    assert all(torch.equal(ours[tap], theirs[tap]) for tap in LDZNET_TAPS)
    kept = {tap: f"ldm_feature.{number}" for number, tap in enumerate(LDZNET_TAPS, start=5)}
    compared = [(ours[tap], case[key]) for tap, key in kept.items() if key in case]
    assert len(compared) > 1
    for got, want in compared:
        torch.testing.assert_close(got, want, atol=2e-4, rtol=0)
    with torch.no_grad():
        logits = ldznet(case["z"], case["context"], ours)
    torch.testing.assert_close(logits, case["logits"], atol=1e-3, rtol=0)


def _features(model: StandaloneBackbone, case: dict[str, Tensor]) -> dict[str, Tensor]:
    """At the timestep of each row: `predict` asks for one, so the UNet is called as it calls it."""
    with torch.no_grad(), harvest(model.unet, LDZNET_TAPS, stop_after="out.5") as store:
        model.unet(case["z_noisy"], case["t_ldm"], case["context"])
    return store.take()
