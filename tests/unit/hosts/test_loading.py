"""Folders and single files into backbones; whatever is wrong with them is one sentence."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from ldznet_ext.convert.layouts import text_to_compvis, unet_to_compvis, vae_to_compvis
from ldznet_ext.convert.single_file import export_single_file
from ldznet_ext.errors import ModelError, NetworkError, OptionError
from ldznet_ext.hosts.autoencoder import autoencoder_keys
from ldznet_ext.hosts.clip_text import ClipText, TextConfig
from ldznet_ext.hosts.loading import unet_config
from ldznet_ext.hosts.standalone import StandaloneBackbone, load_backbone, pick_device, pick_dtype
from tests.tiny import TEXT, UNET_JSON


@pytest.fixture
def folder(models: Path, tmp_path: Path) -> Path:
    """A copy to break."""
    return Path(shutil.copytree(models / "sticker-sd", tmp_path / "copy"))


@pytest.fixture
def single_file(models: Path, tmp_path: Path) -> Path:
    """The tiny model as one CompVis checkpoint."""
    source = models / "sticker-sd"
    parts = {
        "model.diffusion_model.": unet_to_compvis(load_file(source / "unet" / "diffusion_pytorch_model.safetensors")),
        "first_stage_model.": vae_to_compvis(load_file(source / "vae" / "diffusion_pytorch_model.safetensors")),
        "cond_stage_model.transformer.": text_to_compvis(load_file(source / "text_encoder" / "model.safetensors")),
    }
    state = {prefix + key: value.contiguous() for prefix, part in parts.items() for key, value in part.items()}
    save_file(state, tmp_path / "one.safetensors")
    return tmp_path / "one.safetensors"


def _edit(path: Path, **changes: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_a_folder(folder: Path) -> None:
    model = load_backbone(folder)
    assert (model.name, model.family, tuple(model.native)) == ("copy", "sticker", (128, 128))
    assert model.device == torch.device("cpu") and model.dtype == torch.float32
    assert model.unknown_words("cat") == ("cat",)


def test_by_name_and_by_default(backbone: StandaloneBackbone, models: Path) -> None:
    named = load_backbone("sticker-sd")
    assert named.name == backbone.name == "sticker-sd"


def test_a_single_file_computes_the_same(backbone: StandaloneBackbone, single_file: Path) -> None:
    other = load_backbone(single_file)
    assert (other.name, other.family, other.native) == ("one", "sticker", backbone.native)
    pixels = torch.rand(1, 3, 64, 128) * 2 - 1
    assert torch.equal(other.encode(pixels), backbone.encode(pixels))
    latent, context = backbone.encode(pixels), backbone.text(["fox"])
    assert torch.equal(other.text(["fox"]), context)
    assert torch.equal(other.predict(latent, 400, context), backbone.predict(latent, 400, context))
    assert torch.equal(other.decode(latent), backbone.decode(latent))


def test_a_single_file_needs_the_vocabulary(single_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ldznet_ext.weights.model_folders", lambda: ())
    with pytest.raises(ModelError, match="brings no vocabulary"):
        load_backbone(single_file)


def test_an_exported_model_is_the_same(backbone: StandaloneBackbone, folder: Path, tmp_path: Path) -> None:
    """Its settings travel in the file: also those that shapes do not tell, as the heads and the latent's scale."""
    _edit(folder / "vae" / "config.json", scaling_factor=0.75)
    _edit(folder / "text_encoder" / "config.json", num_attention_heads=2)
    _edit(folder / "scheduler" / "scheduler_config.json", prediction_type="v_prediction")
    export_single_file(folder, tmp_path / "whole.safetensors")
    mine, other = load_backbone(folder), load_backbone(tmp_path / "whole.safetensors")
    assert (other.name, other.family, other.native, other.schedule) == ("whole", "sticker", mine.native, mine.schedule)
    pixels = torch.rand(1, 3, 64, 128) * 2 - 1
    assert torch.equal(other.encode(pixels), mine.encode(pixels)) and torch.equal(
        other.text(["fox"]), mine.text(["fox"])
    )


def test_a_head_is_not_a_model(models: Path) -> None:
    with pytest.raises(ModelError, match=r"no tensors named model.diffusion_model"):
        load_backbone(models / "ldznet-sticker.safetensors")


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder", "tokenizer"])
def test_a_missing_part_is_named(folder: Path, part: str) -> None:
    shutil.rmtree(folder / part)
    with pytest.raises(ModelError, match=f"has no {part} folder"):
        load_backbone(folder)


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder"])
def test_missing_weights_and_settings(folder: Path, part: str) -> None:
    weights = next((folder / part).glob("*.safetensors"))
    weights.rename(weights.with_suffix(".bin"))
    with pytest.raises(ModelError, match=r"has no \.safetensors file"):
        load_backbone(folder)
    (folder / part / "config.json").unlink()
    with pytest.raises(ModelError, match=r"config\.json cannot be read"):
        load_backbone(folder)


@pytest.mark.parametrize("damage", ["missing", "misshaped", "strange", "cut"])
def test_damaged_weights(folder: Path, damage: str) -> None:
    path = folder / "unet" / "diffusion_pytorch_model.safetensors"
    state = load_file(path)
    said = {
        "missing": "copy/unet lacks out.2.bias",
        "misshaped": "copy/unet has out.2.bias of another shape",
        "strange": r"copy/unet: The tensor 'stranger.weight' is of no Stable Diffusion",
        "cut": "cut short",
    }[damage]
    bias = state.pop("conv_out.bias")
    if damage == "misshaped":
        state["conv_out.bias"] = torch.zeros(len(bias) + 1)
    elif damage == "strange":
        state["stranger.weight"] = bias
    save_file(state, path)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(ModelError, match=said):
        load_backbone(folder)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"addition_embed_type": "image"},
            r"addition_embed_type = image; expected that of Stable Diffusion 1.x, 2.x or XL",
        ),
        ({"mid_block_type": "UNetMidBlock2D"}, "mid_block_type = UNetMidBlock2D; expected"),
        ({"in_channels": 5}, "has 5 input channels .*; expected 4, or 9 for inpainting"),
        (
            {"transformer_layers_per_block": [[1, 2], 1, 1, 1]},
            "transformer_layers_per_block is .*; expected one whole number",
        ),
        ({"addition_embed_type": "text_time"}, "lacks or garbles 'projection_class_embeddings_input_dim'"),
    ],
)
def test_other_kinds_of_unet_are_refused(folder: Path, changes: dict[str, object], said: str) -> None:
    _edit(folder / "unet" / "config.json", **changes)
    with pytest.raises(ModelError, match=said):
        load_backbone(folder)


def test_sdxl_with_one_text_tower_is_refused(folder: Path) -> None:
    _edit(folder / "unet" / "config.json", addition_embed_type="text_time", projection_class_embeddings_input_dim=64)
    path = folder / "unet" / "diffusion_pytorch_model.safetensors"
    vector = {f"add_embedding.linear_{n}.{kind}": torch.zeros(128) for n in (1, 2) for kind in ("weight", "bias")}
    vector |= {
        "add_embedding.linear_1.weight": torch.zeros(128, 64),
        "add_embedding.linear_2.weight": torch.zeros(128, 128),
    }
    save_file({**load_file(path), **vector}, path)
    with pytest.raises(ModelError, match="copy has no text_encoder_2; expected SDXL's two text towers"):
        load_backbone(folder)


def test_garbled_settings(folder: Path) -> None:
    (folder / "unet" / "config.json").write_text("[1]")
    with pytest.raises(ModelError, match="not a JSON object"):
        load_backbone(folder)
    (folder / "unet" / "config.json").write_text("{}")
    with pytest.raises(ModelError, match="lacks or garbles 'block_out_channels'"):
        load_backbone(folder)


@pytest.mark.parametrize(
    ("part", "changes", "said"),
    [
        ("vae", {"block_out_channels": [33, 33]}, "settings of copy/vae make no network"),
        ("vae", {"block_out_channels": "x"}, "setting block_out_channels of copy/vae is 'x'; expected one such as"),
        ("vae", {"block_out_channels": []}, "setting block_out_channels"),
        ("vae", {"block_out_channels": [32, "a"]}, "setting block_out_channels"),
        ("vae", {"scaling_factor": "0.5"}, "setting scaling_factor"),
        ("vae", {"layers_per_block": -1}, "setting layers_per_block"),
        ("text_encoder", {"hidden_size": "a"}, "setting hidden_size of copy/text_encoder is 'a'"),
        ("text_encoder", {"num_attention_heads": 5}, "32 channels cannot be shared by 5 heads"),
        ("unet", {"attention_head_dim": 7}, "32 channels cannot be shared by 7 heads"),
        ("unet", {"attention_head_dim": 0}, "settings of copy/unet make no network"),
        ("unet", {"sample_size": [16]}, "sample_size is .16.; expected"),
        ("unet", {"sample_size": "16"}, "sample_size is '16'; expected"),
    ],
)
def test_settings_that_make_no_network(folder: Path, part: str, changes: dict[str, object], said: str) -> None:
    _edit(folder / part / "config.json", **changes)
    with pytest.raises(ModelError, match=said) as caught:
        load_backbone(folder)
    assert "\n" not in str(caught.value) and "; expected" in str(caught.value)


def test_the_native_size_may_be_oblong(folder: Path) -> None:
    _edit(folder / "unet" / "config.json", sample_size=[16, 24])
    assert tuple(load_backbone(folder).native) == (128, 192)


def test_a_text_encoder_of_another_width(folder: Path) -> None:
    path = folder / "text_encoder"
    config = TextConfig(
        vocab_size=json.loads((path / "config.json").read_text())["vocab_size"], **{**TEXT, "hidden_size": 64}
    )
    _edit(path / "config.json", hidden_size=64)
    save_file(dict(ClipText(config).state_dict()), path / "model.safetensors")
    with pytest.raises(ModelError, match="text encoder 64 wide; expected 32"):
        load_backbone(folder)


@pytest.mark.parametrize("name", ["", "  "])
def test_a_blank_name(name: str) -> None:
    with pytest.raises(ModelError, match="name is blank"):
        load_backbone(name)


def test_sd2_lists_its_heads_by_level() -> None:
    config = unet_config(
        {**UNET_JSON, "attention_head_dim": [5, 10, 20, 20], "block_out_channels": [320, 640, 1280, 1280]}
    )
    assert [config.heads(width) for width in config.widths] == [5, 10, 20, 20]


def test_old_attention_names() -> None:
    state = {
        "encoder.mid_block.attentions.0.query.weight": torch.ones(3, 3, 1, 1),
        "encoder.conv_in.bias": torch.ones(3),
    }
    renamed = autoencoder_keys(state)
    assert set(renamed) == {"encoder.mid_block.attentions.0.to_q.weight", "encoder.conv_in.bias"}
    assert renamed["encoder.mid_block.attentions.0.to_q.weight"].shape == (3, 3)


@pytest.mark.parametrize("source", ["nothing", "./nothing/here", "owner/model.ckpt", "a/b/c", ""])
def test_what_does_not_exist(source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError):
        load_backbone(source)


def test_a_source_of_another_type() -> None:
    with pytest.raises(ModelError, match="The model is a int"):
        load_backbone(3)


def test_a_pickle_is_not_run(tmp_path: Path) -> None:
    (tmp_path / "model.ckpt").write_bytes(b"cos\nsystem\n")
    with pytest.raises(ModelError, match="no whole checkpoint of torch"):
        load_backbone(tmp_path / "model.ckpt")


def test_a_hub_model_without_a_network() -> None:
    with pytest.raises(
        NetworkError, match=r"'someone/some-model' is not here and could not be fetched\. The network is switched off"
    ):
        load_backbone("someone/some-model")


def test_no_models_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ldznet_ext.weights.model_folders", lambda: ())
    with pytest.raises(ModelError, match="sticker-sd is in none of"):
        load_backbone()


def test_devices_and_types() -> None:
    assert pick_dtype(None, torch.device("cpu")) == torch.float32
    assert pick_dtype(None, torch.device("meta")) == torch.float16
    assert pick_dtype("bfloat16", torch.device("cpu")) == torch.bfloat16
    with pytest.raises(OptionError, match="'int8'; expected one of float32, float16, bfloat16"):
        pick_dtype("int8", torch.device("cpu"))


@pytest.mark.parametrize("device", ["toaster", "meta", "", 3.5])
def test_devices_that_are_not_there(device: object) -> None:
    with pytest.raises(OptionError, match=rf"'{device}' cannot be used; expected one .*\bcpu\b.*, so choose one\.$"):
        pick_device(device)


def test_an_accelerator_that_is_not_there() -> None:
    if torch.cuda.is_available():
        pytest.skip("there is one")
    with pytest.raises(OptionError, match="'cuda:0' cannot be used"):
        pick_device("cuda:0")


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_near(folder: Path, backbone: StandaloneBackbone, dtype: str) -> None:
    half = load_backbone(folder, "cpu", dtype)
    latent = torch.randn(1, 4, 8, 16)
    ours = half.predict(latent.to(half.dtype), 400, half.text(["fox"])).float()
    theirs = backbone.predict(latent, 400, backbone.text(["fox"]))
    assert (ours - theirs).abs().mean() < 0.05 * theirs.std()
