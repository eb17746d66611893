"""What stands beside an exported checkpoint: settings a web UI reads, and a text folder it needs no network for."""

import json
import shutil
from pathlib import Path

import pytest

from ldznet_ext.errors import ModelError, OutputError
from ldznet_ext.hosts.checkpoint import export_checkpoint

yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")

CHANGES = {
    "inpainting": ("unet", {"in_channels": 9}),
    "SD 2": ("unet", {"attention_head_dim": [4, 4, 8, 8], "use_linear_projection": True}),
    "v": ("scheduler", {"prediction_type": "v_prediction", "beta_schedule": "linear"}),
}


@pytest.fixture
def folder(models: Path, tmp_path: Path) -> Path:
    """A copy of the tiny model that a test may change."""
    return Path(shutil.copytree(models / "sticker-sd", tmp_path / "sticker-sd"))


def settings_of(folder: Path, target: Path) -> dict:
    return yaml.safe_load(export_checkpoint(folder, target)[1].read_text())["model"]


def change(folder: Path, part: str, new: dict) -> None:
    path = folder / part / ("scheduler_config.json" if part == "scheduler" else "config.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | new))


def test_the_settings_are_the_models_own(folder: Path, tmp_path: Path) -> None:
    unet = json.loads((folder / "unet" / "config.json").read_text())
    vae = json.loads((folder / "vae" / "config.json").read_text())
    model = settings_of(folder, tmp_path / "out" / "tiny.safetensors")
    params, widths = model["params"], unet["block_out_channels"]
    built, ddconfig = params["unet_config"]["params"], params["first_stage_config"]["params"]["ddconfig"]
    assert model["target"] == "ldm.models.diffusion.ddpm.LatentDiffusion"
    assert [built["model_channels"] * mult for mult in built["channel_mult"]] == widths
    assert (built["context_dim"], built["num_heads"]) == (unet["cross_attention_dim"], unet["attention_head_dim"])
    assert built["attention_resolutions"] == [4, 2, 1] and "num_head_channels" not in built
    assert [ddconfig["ch"] * mult for mult in ddconfig["ch_mult"]] == vae["block_out_channels"]
    assert ddconfig["num_res_blocks"] == vae["layers_per_block"]
    assert params["scale_factor"] == vae["scaling_factor"] and params["conditioning_key"] == "crossattn"
    assert (params["linear_start"], params["beta_schedule"], params["parameterization"]) == (0.00085, "linear", "eps")


def test_the_text_folder_lies_beside_and_is_named_in_full(folder: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    _, settings, text = export_checkpoint(folder, Path("tiny.safetensors"))
    named = yaml.safe_load(settings.read_text())["model"]["params"]["cond_stage_config"]["params"]["version"]
    assert Path(named).is_absolute() and Path(named) == tmp_path / text
    assert {"vocab.json", "merges.txt", "config.json"} <= {path.name for path in text.iterdir()}


def test_transformers_loads_the_text_folder_offline(folder: Path, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    _, _, text = export_checkpoint(folder, tmp_path / "tiny.safetensors")
    config = transformers.CLIPTextConfig.from_pretrained(text, local_files_only=True)
    assert config.hidden_size == json.loads((folder / "text_encoder" / "config.json").read_text())["hidden_size"]


def test_other_kinds_are_described_as_such(folder: Path, tmp_path: Path) -> None:
    """Settings only: what they describe need not fit the tiny weights."""
    change(folder, *CHANGES["inpainting"])
    change(folder, *CHANGES["SD 2"])
    change(folder, *CHANGES["v"])
    model = settings_of(folder, tmp_path / "other.safetensors")
    params, built = model["params"], model["params"]["unet_config"]["params"]
    assert model["target"].endswith("LatentInpaintDiffusion") and params["conditioning_key"] == "hybrid"
    assert (params["parameterization"], params["beta_schedule"]) == ("v", "sqrt_linear")
    assert built["in_channels"] == 9 and built["use_linear_in_transformer"] is True
    assert built["num_head_channels"] == built["model_channels"] // 4 and "num_heads" not in built


def test_a_model_without_a_vocabulary_is_refused_before_anything_is_written(folder: Path, tmp_path: Path) -> None:
    (folder / "tokenizer" / "merges.txt").unlink()
    with pytest.raises(ModelError, match=r"has no merges\.txt; expected CLIP's tokenizer"):
        export_checkpoint(folder, tmp_path / "out" / "x.safetensors")
    assert not (tmp_path / "out").exists()


def test_an_autoencoder_of_another_kind_is_refused(folder: Path, tmp_path: Path) -> None:
    change(folder, "vae", {"use_quant_conv": False})
    with pytest.raises(ModelError, match="auto-encoder"):
        export_checkpoint(folder, tmp_path / "x.safetensors")
    assert not (tmp_path / "x.safetensors").exists()


def test_a_place_that_is_taken_is_one_sentence(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "tiny-text").write_text("a file")
    with pytest.raises(OutputError, match="tiny-text could not be written"):
        export_checkpoint(folder, tmp_path / "tiny.safetensors")
