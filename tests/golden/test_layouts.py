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


@pytest.mark.parametrize("layout", ["CompVis", "diffusers"])
def test_features_and_logits_are_the_authors(
    layout: str, checkpoint: Path, ldznet: ZNet, golden_case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LDZNET_MODELS", str(checkpoint.parent))
    model = load_backbone(checkpoint if layout == "CompVis" else as_folder(checkpoint, tmp_path / "folder"))
    assert model.family == "sd1" and about(checkpoint)[:2] == ("checkpoint", "sd1")
    for name in ("A", "C"):
        case = golden_case(name)
        features = _features(model, case)
        compared = [(tap, f"ldm_feature.{number}") for number, tap in enumerate(LDZNET_TAPS, start=5)]
        for tap, key in compared:
            if key in case:
                torch.testing.assert_close(features[tap], case[key], atol=2e-4, rtol=0)
        with torch.no_grad():
            logits = ldznet(case["z"], case["context"], features)
        torch.testing.assert_close(logits, case["logits"], atol=1e-3, rtol=0)


def test_both_layouts_give_the_same_taps(
    checkpoint: Path, golden_case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LDZNET_MODELS", str(checkpoint.parent))
    one, other = load_backbone(checkpoint), load_backbone(as_folder(checkpoint, tmp_path / "folder"))
    case = golden_case("C")
    ours, theirs = _features(one, case), _features(other, case)
    assert all(torch.equal(ours[tap], theirs[tap]) for tap in LDZNET_TAPS)


def _features(model: StandaloneBackbone, case: dict[str, Tensor]) -> dict[str, Tensor]:
    """At the timestep of each row: `predict` asks for one, so the UNet is called as it calls it."""
    with torch.no_grad(), harvest(model.unet, LDZNET_TAPS, stop_after="out.5") as store:
        model.unet(case["z_noisy"], case["t_ldm"], case["context"])
    return store.take()
