"""Our modules against diffusers and transformers: same folder, same numbers. They are the oracle, not a run-time need."""

import json
from pathlib import Path

import pytest
import torch

from ldznet_ext.hosts.autoencoder import Autoencoder, AutoencoderConfig
from ldznet_ext.hosts.loading import pick_fields, read_folder
from ldznet_ext.hosts.schedule import Schedule
from ldznet_ext.hosts.standalone import StandaloneBackbone
from tests.tiny import TEXT, UNET_JSON, VAE_JSON, WORDS, write_tokenizer

diffusers = pytest.importorskip("diffusers", reason="diffusers is the oracle of these tests")
transformers = pytest.importorskip("transformers", reason="transformers is the oracle of these tests")


def _settings(table: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in table.items() if not name.startswith("_")}


@pytest.fixture(scope="module")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, object, object, object, object]:
    """A model made and saved by the libraries themselves, its modules, and its tokenizer."""
    folder = tmp_path_factory.mktemp("saved")
    vocabulary = write_tokenizer(folder / "tokenizer")
    torch.manual_seed(0)
    unet = diffusers.UNet2DConditionModel(**_settings(UNET_JSON))
    vae = diffusers.AutoencoderKL(**_settings(VAE_JSON))
    config = transformers.CLIPTextConfig(
        vocab_size=len(vocabulary), **TEXT, eos_token_id=len(vocabulary) - 1, bos_token_id=len(vocabulary) - 2
    )
    text = transformers.CLIPTextModel(config)
    for module, name in ((unet, "unet"), (vae, "vae"), (text, "text_encoder")):
        module.eval().save_pretrained(folder / name)
    diffusers.DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
    ).save_pretrained(folder / "scheduler")
    (folder / "tokens_seen.json").write_text(json.dumps([]))
    return folder, unet, vae, text, transformers.CLIPTokenizer.from_pretrained(folder / "tokenizer")


@pytest.fixture(scope="module")
def backbone(oracle: tuple) -> StandaloneBackbone:
    return StandaloneBackbone(read_folder(oracle[0], device=torch.device("cpu"), dtype=torch.float32))


def test_unet(oracle: tuple, backbone: StandaloneBackbone) -> None:
    noisy, context = torch.randn(2, 4, 16, 24), torch.randn(2, 77, 32)
    with torch.inference_mode():
        expected = oracle[1](noisy, 400, context).sample
    torch.testing.assert_close(backbone.predict(noisy, 400, context), expected, atol=2e-5, rtol=1e-4)


def test_autoencoder(oracle: tuple, backbone: StandaloneBackbone) -> None:
    pixels = torch.rand(1, 3, 64, 128) * 2 - 1
    with torch.inference_mode():
        latent = oracle[2].encode(pixels).latent_dist.mean * 0.5
        decoded = oracle[2].decode(latent / 0.5).sample.clamp(-1, 1)
    torch.testing.assert_close(backbone.encode(pixels), latent, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(backbone.decode(latent), decoded, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize(
    "settings",
    [
        {"layers_per_block": 0, "block_out_channels": [64] * 4},  # Sticker-SD's
        {"layers_per_block": 2, "block_out_channels": [32, 64, 64, 128]},  # SD's form
        {"use_quant_conv": False, "use_post_quant_conv": False},
    ],
)
def test_autoencoders_of_other_shapes(settings: dict[str, object]) -> None:
    config = {**_settings(VAE_JSON), **settings}
    theirs = diffusers.AutoencoderKL(**config).eval()
    ours = Autoencoder(pick_fields(AutoencoderConfig, dict(theirs.config)))
    ours.load_state_dict(theirs.state_dict())
    pixels = torch.rand(1, 3, 32, 48) * 2 - 1
    with torch.inference_mode():
        latent = theirs.encode(pixels).latent_dist.mean * 0.5
        torch.testing.assert_close(ours.encode(pixels), latent, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(ours.decode(latent), theirs.decode(latent / 0.5).sample, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize(
    "phrase",
    [
        "fox",
        "A  red\tballoon, on the snow!",
        "cat's 12 cats",
        "caf\u00e9 cafe\u0301 \u00dcber",
        "\U0001f98a \u202efox\u200f",
        "",
        "fox " * 300,
    ],
)
def test_tokens_and_text(oracle: tuple, backbone: StandaloneBackbone, phrase: str) -> None:
    given = oracle[4](phrase, padding="max_length", max_length=77, truncation=True, return_tensors="pt")
    assert backbone.tokens.encode(phrase) == given.input_ids[0].tolist()
    with torch.inference_mode():
        expected = oracle[3](given.input_ids).last_hidden_state
    torch.testing.assert_close(backbone.text([phrase]), expected, atol=1e-5, rtol=1e-4)


def test_a_known_word_is_one_token(backbone: StandaloneBackbone) -> None:
    end = backbone.tokens.encode("")[1]
    assert all(backbone.tokens.encode(word)[2] == end for word in WORDS)


@pytest.mark.parametrize("count", [1, 4, 20, 33])
def test_ddim_run(oracle: tuple, count: int) -> None:
    scheduler = diffusers.DDIMScheduler.from_pretrained(oracle[0] / "scheduler")
    scheduler.set_timesteps(count)
    ours, theirs = Schedule(), torch.randn(1, 4, 3, 5)
    latent = theirs
    assert ours.timesteps(count) == scheduler.timesteps.tolist()
    landings = [*ours.timesteps(count)[1:], ours.previous(ours.timesteps(count)[-1], count)]
    for timestep, landing in zip(ours.timesteps(count), landings, strict=True):
        prediction = torch.sin(latent * 3)
        theirs = scheduler.step(torch.sin(theirs * 3), timestep, theirs).prev_sample
        latent = ours.step(prediction, latent, timestep, landing)
        torch.testing.assert_close(latent, theirs, atol=1e-4, rtol=1e-4)


def test_added_noise(oracle: tuple) -> None:
    scheduler = diffusers.DDIMScheduler.from_pretrained(oracle[0] / "scheduler")
    clean, noise = torch.randn(1, 4, 3, 5), torch.randn(1, 4, 3, 5)
    expected = scheduler.add_noise(clean, noise, torch.tensor([400]))
    torch.testing.assert_close(Schedule().add_noise(clean, noise, 400), expected)
