"""A tiny diffusers folder to one CompVis file and back, proved on what the models compute."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from ldznet_ext.convert.single_file import export_single_file, read_single_file
from ldznet_ext.errors import ModelError, OutputError
from ldznet_ext.nets.unet import UNet, UNetConfig

diffusers = pytest.importorskip("diffusers", reason="diffusers is not installed")
transformers = pytest.importorskip("transformers", reason="transformers is not installed")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("model")
    torch.manual_seed(0)
    cross, cross_up = ("CrossAttnDownBlock2D",) * 3, ("CrossAttnUpBlock2D",) * 3
    diffusers.UNet2DConditionModel(
        block_out_channels=(32, 32, 64, 64),
        layers_per_block=2,
        cross_attention_dim=64,
        attention_head_dim=8,
        down_block_types=(*cross, "DownBlock2D"),
        up_block_types=("UpBlock2D", *cross_up),
    ).save_pretrained(root / "unet")
    diffusers.AutoencoderKL(
        block_out_channels=(32, 64),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=4,
        scaling_factor=0.9,
    ).save_pretrained(root / "vae")
    transformers.CLIPTextModel(
        transformers.CLIPTextConfig(
            vocab_size=50,
            hidden_size=64,
            intermediate_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            max_position_embeddings=7,
            bos_token_id=48,
            eos_token_id=49,
        )
    ).save_pretrained(root / "text_encoder")
    diffusers.DDIMScheduler(beta_start=0.00085, beta_schedule="scaled_linear").save_pretrained(root / "scheduler")
    return root


@pytest.fixture
def single(folder: Path, tmp_path: Path) -> Path:
    export_single_file(folder, tmp_path / "sticker.safetensors")
    return tmp_path / "sticker.safetensors"


def test_weights_and_configurations_come_back(folder: Path, single: Path) -> None:
    back = read_single_file(single)
    for name, state in ((name, back.states[name]) for name in ("unet", "vae")):
        want = load_file(folder / name / "diffusion_pytorch_model.safetensors")
        assert state.keys() == want.keys()
        assert all(torch.equal(state[key], want[key]) for key in want)
        assert back.configs[name] == json.loads((folder / name / "config.json").read_text())
    assert back.configs["vae"]["scaling_factor"] == 0.9
    assert back.configs["text_encoder"]["num_attention_heads"] == 2
    assert back.configs["scheduler"]["_class_name"] == "DDIMScheduler"


def test_a_file_without_configurations_gets_them_from_its_shapes(folder: Path, single: Path) -> None:
    save_file(load_file(single), single)
    back = read_single_file(single)
    unet = diffusers.UNet2DConditionModel.from_config(back.configs["unet"]).eval()
    unet.load_state_dict(back.states["unet"])
    vae = diffusers.AutoencoderKL.from_config(back.configs["vae"]).eval()
    vae.load_state_dict(back.states["vae"])
    want_unet = diffusers.UNet2DConditionModel.from_pretrained(folder / "unet").eval()
    want_vae = diffusers.AutoencoderKL.from_pretrained(folder / "vae").eval()
    x, context, picture = torch.randn(1, 4, 8, 16), torch.randn(1, 3, 64), torch.randn(1, 3, 8, 16)
    with torch.no_grad():
        torch.testing.assert_close(unet(x, 400, context).sample, want_unet(x, 400, context).sample)
        torch.testing.assert_close(vae(picture).sample, want_vae(picture).sample)
    assert back.configs["vae"]["scaling_factor"] == 0.18215
    text = back.configs["text_encoder"]
    assert (text["vocab_size"], text["hidden_size"], text["num_hidden_layers"]) == (50, 64, 2)
    assert (text["max_position_embeddings"], text["num_attention_heads"]) == (7, 1)


def test_our_unet_loads_the_file_as_it_stands(folder: Path, single: Path) -> None:
    prefix = "model.diffusion_model."
    state = {key[len(prefix) :]: t for key, t in load_file(single).items() if key.startswith(prefix)}
    unet = UNet(UNetConfig(model_channels=32, channel_mult=(1, 1, 2, 2), context_dim=64))
    unet.load_state_dict(state)


def test_a_file_that_is_not_a_checkpoint_is_one_sentence(tmp_path: Path, single: Path) -> None:
    with pytest.raises(ModelError, match=r"nothing\.safetensors does not exist"):
        read_single_file(tmp_path / "nothing.safetensors")
    single.write_bytes(single.read_bytes()[:5000])
    with pytest.raises(ModelError, match=r"is cut short|cannot be read as safetensors"):
        read_single_file(single)
    save_file({"lora_up.weight": torch.zeros(2)}, tmp_path / "lora.safetensors")
    with pytest.raises(ModelError, match=r"lora\.safetensors has no tensors named model\.diffusion_model\.\*"):
        read_single_file(tmp_path / "lora.safetensors")


def test_a_folder_without_a_model_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"config\.json cannot be read"):
        export_single_file(tmp_path, tmp_path / "x.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_nothing(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "old.safetensors"
    target.write_bytes(b"old")

    def full_disk(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ldznet_ext.convert.single_file.save_file", full_disk)
    with pytest.raises(OutputError, match="No space left"):
        export_single_file(folder, target)
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["old.safetensors"]
