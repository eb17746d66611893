"""A pipeline of diffusers, borrowed: the same masks as by our own modules, with its learned words and its LoRA in them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import ldznet_ext as ldz
from ldznet_ext.errors import OptionError
from ldznet_ext.geometry import Size
from ldznet_ext.harvest.hooks import harvest
from ldznet_ext.harvest.taps import FAMILY_TAPS
from ldznet_ext.hosts.pipeline import PipelineBackbone
from ldznet_ext.hosts.wearing import wearing
from tests.official import SDXL, as_folder, write_official, write_vocabulary
from tests.tiny import picture

diffusers = pytest.importorskip("diffusers", reason="diffusers is not installed")
transformers = pytest.importorskip("transformers", reason="transformers is not installed")


def pipeline_of(folder: Path, kind: str = "StableDiffusionPipeline") -> object:
    """A pipeline of a folder's parts, as a program has it."""
    parts = {
        "unet": diffusers.UNet2DConditionModel.from_pretrained(folder / "unet"),
        "vae": diffusers.AutoencoderKL.from_pretrained(folder / "vae"),
        "text_encoder": transformers.CLIPTextModel.from_pretrained(folder / "text_encoder"),
        "tokenizer": transformers.CLIPTokenizer.from_pretrained(folder / "tokenizer", model_max_length=77),
        "scheduler": diffusers.EulerDiscreteScheduler(
            beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1
        ),
    }
    if "XL" in kind:
        parts["text_encoder_2"] = transformers.CLIPTextModelWithProjection.from_pretrained(folder / "text_encoder_2")
        parts["tokenizer_2"] = transformers.CLIPTokenizer.from_pretrained(
            folder / "tokenizer", model_max_length=77, pad_token="!"
        )
    else:
        parts |= {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
    return getattr(diffusers, kind)(**parts)


@pytest.fixture
def pipe(models: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    monkeypatch.setenv("LDZNET_MODELS", str(models))
    return pipeline_of(models / "sticker-sd")


def test_the_same_mask_as_by_our_own_modules(pipe: object, models: Path) -> None:
    borrowed, own = ldz.load_backbone(pipe), ldz.load_backbone(models / "sticker-sd")
    assert isinstance(borrowed, PipelineBackbone)
    assert (borrowed.family, borrowed.native, borrowed.latent_channels) == ("sticker", own.native, 4)
    assert borrowed.token_ids("a fox") == own.token_ids("a fox") and borrowed.unknown_words("!?") == ("!?",)
    for method in ("ldznet", "attention"):
        ours, theirs = (ldz.segment(picture(), "fox", backbone=one, method=method).prob for one in (own, borrowed))
        assert np.abs(ours - theirs).max() < 1e-3 and np.ptp(ours) > 1e-3, method
    pixels = torch.rand(1, 3, 64, 64) * 2 - 1
    torch.testing.assert_close(
        borrowed.decode(borrowed.encode(pixels)), own.decode(own.encode(pixels)), atol=1e-4, rtol=0
    )
    with pytest.raises(OptionError, match="used as it is"):
        ldz.load_backbone(pipe, "cpu")


def test_a_learned_word_of_the_pipeline_acts(pipe: object, models: Path, tmp_path: Path) -> None:
    """As the same word does in our own modules."""
    path = tmp_path / "zog.safetensors"
    save_file({"emb_params": torch.randn(2, 32, generator=torch.Generator().manual_seed(0))}, path)
    borrowed, own = ldz.load_backbone(pipe), ldz.load_backbone(models / "sticker-sd")
    before = borrowed.text(["a zog"])
    pipe.load_textual_inversion(path, token="zog")  # type: ignore[attr-defined]
    assert len(borrowed.token_ids("zog")) == 2
    with wearing(own, embeddings=path):
        torch.testing.assert_close(borrowed.text(["a zog"]), own.text(["a zog"]), atol=1e-5, rtol=1e-4)
    assert not torch.equal(borrowed.text(["a zog"]), before), "the cache noticed"


def test_a_lora_of_the_pipeline_acts(pipe: object, models: Path, tmp_path: Path) -> None:
    """Switched on, weighed and switched off, as in our own modules."""
    pytest.importorskip("peft", reason="peft is not installed; without it diffusers loads no LoRA")
    stem, path = "unet.mid_block.attentions.0.transformer_blocks.0.attn1.to_v", tmp_path / "style.safetensors"
    save_file({f"{stem}.lora_A.weight": torch.randn(2, 64), f"{stem}.lora_B.weight": torch.randn(64, 2)}, path)
    borrowed, own = ldz.load_backbone(pipe), ldz.load_backbone(models / "sticker-sd")

    def mask(backbone: object) -> np.ndarray:
        return ldz.segment(picture(), "fox", backbone=backbone).prob

    plain = mask(borrowed)
    pipe.load_lora_weights(tmp_path, weight_name="style.safetensors", adapter_name="style")  # type: ignore[attr-defined]
    pipe.set_adapters("style", 0.5)  # type: ignore[attr-defined]
    worn = mask(borrowed)
    with wearing(own, lora={path: 0.5}):
        assert np.abs(worn - mask(own)).max() < 1e-3 < np.abs(worn - plain).max()
    pipe.disable_lora()  # type: ignore[attr-defined]
    assert np.array_equal(mask(borrowed), plain), "the cache noticed, though no weight and no scale has changed"


def test_the_autoencoder_of_sdxl_computes_in_float32(pipe: object) -> None:
    """In half precision it overflows; the pipeline's own stays as it is, where it is."""
    vae = pipe.vae.half()  # type: ignore[attr-defined]
    borrowed, seen = ldz.load_backbone(pipe), []
    places = [weight.data_ptr() for weight in vae.parameters()]
    hooks = [
        part.register_forward_pre_hook(lambda _, given: seen.append(given[0].dtype))
        for part in (vae.encoder, vae.decoder)
    ]
    for family, kind in (("sdxl", torch.float32), ("sticker", torch.float16)):
        borrowed.family = family
        latent = borrowed.encode(torch.zeros(1, 3, 64, 64))
        assert borrowed.decode(latent).dtype == torch.float32
        assert seen == [kind] * 2, family
        seen.clear()
    for hook in hooks:
        hook.remove()
    assert vae.dtype == torch.float16 and [weight.data_ptr() for weight in vae.parameters()] == places


def test_merged_weights_are_noticed(pipe: object) -> None:
    borrowed = ldz.load_backbone(pipe)
    plain = ldz.segment(picture(), "fox", backbone=borrowed).prob
    weight = pipe.unet.mid_block.attentions[0].transformer_blocks[0].attn1.to_v.weight  # type: ignore[attr-defined]
    weight.data += 0.5
    assert np.abs(ldz.segment(picture(), "fox", backbone=borrowed).prob - plain).max() > 1e-4
    assert not any(module._forward_hooks for module in pipe.unet.modules())  # type: ignore[attr-defined]


@pytest.mark.slow
def test_sdxl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both text towers and what stands beside them, by diffusers' own hand, and the same taps as by ours."""
    monkeypatch.setenv("LDZNET_MODELS", str(write_vocabulary(tmp_path)))
    folder = as_folder(write_official(tmp_path / "xl.safetensors", SDXL), tmp_path / "folder")
    own, borrowed = ldz.load_backbone(folder), ldz.load_backbone(pipeline_of(folder, "StableDiffusionXLPipeline"))
    assert borrowed.family == "sdxl" and borrowed.native == own.native == Size(1024, 1024)
    told, theirs = own.conditioning(["a red fox"]), borrowed.conditioning(["a red fox"])
    torch.testing.assert_close(theirs.states, told.states, atol=2e-5, rtol=1e-4)
    torch.testing.assert_close(theirs.vector, told.vector[:, :128], atol=2e-5, rtol=1e-4)
    noisy, taps = torch.randn(1, 4, 8, 16), FAMILY_TAPS["sdxl"]
    with harvest(own.unet, taps) as ours:
        own.predict(noisy, 400, told)
    with harvest(borrowed.unet, taps) as others:
        borrowed.predict(noisy, 400, theirs)
    for tap in taps:
        torch.testing.assert_close(others[tap], ours[tap], atol=1e-4, rtol=1e-3)
