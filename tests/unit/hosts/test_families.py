"""Every family of Stable Diffusion from one file in the official layout, told by its tensors, and computing as its makers'."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

import ldznet_ext as ldz
from ldznet_ext.convert.infer import infer_unet
from ldznet_ext.convert.layouts import unet_from_compvis
from ldznet_ext.errors import HeadError, ModelError
from ldznet_ext.geometry import Size
from ldznet_ext.harvest.hooks import harvest
from ldznet_ext.harvest.locate import find_taps
from ldznet_ext.harvest.taps import FAMILY_TAPS
from ldznet_ext.hosts.prediction import EPSILON, MODELSPEC, VELOCITY
from ldznet_ext.hosts.standalone import StandaloneBackbone, load_backbone
from tests.official import (
    FAMILIES,
    SD1,
    SD2,
    SDXL,
    Family,
    as_folder,
    inpainting,
    official_state,
    openclip_tower,
    write_official,
    write_vocabulary,
)
from tests.tiny import picture, write_head

LYING_NAME = "sd_xl_base_1.0_v-prediction_inpainting.safetensors"


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder with the vocabulary, and a file of each family; read it, do not write into it."""
    folder = write_vocabulary(tmp_path_factory.mktemp("shelf"))
    for family in FAMILIES.values():
        write_official(folder / f"{family.name}.safetensors", family)
    return folder


@pytest.fixture
def vocabulary(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LDZNET_MODELS", str(shelf))
    return shelf


@pytest.mark.parametrize(("name", "side"), [("sd1", 512), ("sd2", 512), ("sdxl", 1024)])
def test_the_family_is_told_by_the_tensors(vocabulary: Path, tmp_path: Path, name: str, side: int) -> None:
    shutil.copyfile(vocabulary / f"{name}.safetensors", tmp_path / LYING_NAME)
    model = load_backbone(tmp_path / LYING_NAME)
    assert (model.family, model.native, model.inpaints) == (name, Size(side, side), False)
    assert model.schedule.prediction == EPSILON
    assert find_taps(model.unet) == FAMILY_TAPS[name]
    assert model.vae.config.scaling_factor == (0.13025 if name == "sdxl" else 0.18215)


@pytest.mark.parametrize("name", ["sd1", "sd2", "sdxl"])
def test_words_become_a_mask(vocabulary: Path, name: str) -> None:
    model = load_backbone(name)
    model.native = Size(128, 128)  # else a scaled-down SDXL takes seconds
    found = ldz.segment(picture(90, 130), "fox", backbone=model, method="attention")
    assert found.prob.shape == (90, 130) and np.ptp(found.prob) > 0


@pytest.mark.parametrize("name", ["sd1", "sdxl"])
def test_a_head_of_another_family_is_refused(vocabulary: Path, tmp_path: Path, name: str) -> None:
    """Named, or as the only one there is; the sentence says what works, and that does work: see above."""
    model, head = load_backbone(name), write_head(tmp_path / "head.safetensors")
    working = r"a method that needs no head \(attention, maskdiffusion, noise_difference\)\.$"
    with pytest.raises(
        HeadError, match=f"is a head for the model family 'sticker'; expected one for '{name}', .*{working}"
    ):
        ldz.segment(picture(90, 130), "fox", backbone=model, head=head)
    with pytest.raises(HeadError, match=f"No 'ldznet' head for the model '{name}' was found .*{working}"):
        ldz.segment(picture(90, 130), "fox", backbone=model, method="ldznet")


@pytest.mark.parametrize("family", [SD2, SDXL], ids=lambda family: family.name)
def test_openclip_towers_are_read_as_their_makers_do(vocabulary: Path, family: Family) -> None:
    """SD 2.x: the last layer but one, normed. SDXL: the same without the norm, and the last layer's end token, projected."""
    model = load_backbone(family.name)
    tokens = model.second_tokens or model.tokens
    ids = tokens.encode("a red fox")
    assert ids[-1] == tokens.ids("!")[0] - 256, "these towers fill up with their token 0"
    tower = openclip_tower(family.second or family.text, 3 if family.second else 2)
    layers = tower.layers(torch.tensor([ids]))
    told = model.conditioning(["a red fox"])
    if family is SD2:
        return close(told.states, tower.ln_final(layers[-2]))
    end = ids.index(model.tokens.encode("")[1])
    close(told.states[..., 64:], layers[-2])
    close(told.vector[:, :128], tower.ln_final(layers[-1])[:, end] @ tower.text_projection)
    assert told.vector.shape == (1, 128 + 6 * 256) and torch.equal(model.text(["a red fox"]), told.states)
    return None


def close(got: Tensor, want: Tensor) -> None:
    torch.testing.assert_close(got, want.detach(), atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize(
    "family",
    [SDXL, pytest.param(SD1, marks=pytest.mark.slow), pytest.param(SD2, marks=pytest.mark.slow)],
    ids=lambda family: family.name,
)
def test_the_unet_computes_as_diffusers(vocabulary: Path, family: Family) -> None:
    diffusers = pytest.importorskip("diffusers", reason="diffusers is the oracle")
    model, prefix = load_backbone(family.name), "model.diffusion_model."
    state = {k.removeprefix(prefix): t for k, t in official_state(family).items() if k.startswith(prefix)}
    renamed = unet_from_compvis(state)
    theirs = diffusers.UNet2DConditionModel(**infer_unet(renamed)).eval()
    theirs.load_state_dict(renamed)
    noisy, told = torch.randn(2, 4, 8, 16), model.conditioning(["fox", "a red owl"])
    more = {}
    if told.vector is not None:
        sizes = torch.tensor([[1024.0, 1024, 0, 0, 1024, 1024]] * 2)
        more["added_cond_kwargs"] = {"text_embeds": told.vector[:, :128], "time_ids": sizes}
    with torch.no_grad():
        close(model.predict(noisy, 400, told), theirs(noisy, 400, told.states, **more).sample)


def test_a_folder_and_a_file_give_the_same_taps(vocabulary: Path, tmp_path: Path) -> None:
    """The file's tensors, written as diffusers writes them, with its configurations; SD 1.x's are in tests/golden."""
    folder = as_folder(vocabulary / "sd2.safetensors", tmp_path / "folder")
    both = [load_backbone(path) for path in (folder, vocabulary / "sd2.safetensors")]
    assert both[0].family == both[1].family == "sd2"
    taps = [features(model) for model in both]
    assert taps[0].keys() == set(FAMILY_TAPS["sd2"])
    assert all(torch.equal(taps[0][tap], taps[1][tap]) for tap in taps[0])


def features(model: StandaloneBackbone) -> dict[str, Tensor]:
    noisy = torch.randn(1, 4, 8, 16, generator=torch.Generator().manual_seed(0))
    with harvest(model.unet, FAMILY_TAPS[model.family]) as store:
        model.predict(noisy, 400, torch.ones(1, 77, model.unet.config.context_dim))
    return store.take()


# what a UNet predicts


def test_it_is_measured_where_the_file_does_not_say(vocabulary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr("ldznet_ext.hosts.loading.measure_prediction", lambda *given: asked.append(given) or VELOCITY)
    model = load_backbone("sd2")
    assert (model.schedule.prediction, model.native) == (VELOCITY, Size(768, 768))
    assert asked[0][0] is model.unet and torch.equal(asked[0][1], model.text([""]))
    assert load_backbone("sd1").schedule.prediction == EPSILON and len(asked) == 1


def test_what_is_said_is_not_measured(vocabulary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ldznet_ext.hosts.loading.measure_prediction", lambda *given: pytest.fail("it was measured"))
    path = write_official(tmp_path / "one.safetensors", SD2, metadata={MODELSPEC: "v"})
    for said, want, side in ((None, VELOCITY, 768), ("epsilon", EPSILON, 512)):
        model = load_backbone(path, prediction=said)
        assert (model.schedule.prediction, model.native) == (want, Size(side, side)), (
            "a person knows better than a file"
        )


def test_marks_of_a_finetune(vocabulary: Path, tmp_path: Path) -> None:
    """Velocity, and a schedule that ends in noise alone, as diffusers computes it."""
    diffusers = pytest.importorskip("diffusers", reason="diffusers is the oracle")
    state = load_file(vocabulary / "sdxl.safetensors")
    save_file({**state, "v_pred": torch.zeros(0), "ztsnr": torch.zeros(0)}, tmp_path / "one.safetensors")
    schedule = load_backbone(tmp_path / "one.safetensors").schedule
    theirs = diffusers.DDIMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", rescale_betas_zero_snr=True
    )
    assert schedule.prediction == VELOCITY and schedule.alpha_bar[-1] == 0
    np.testing.assert_allclose(schedule.alpha_bar, theirs.alphas_cumprod.numpy(), atol=1e-6)
    latent, noise = torch.randn(1, 4, 2, 2), torch.randn(1, 4, 2, 2)
    close(schedule.add_noise(latent, noise, 400), theirs.add_noise(latent, noise, torch.tensor([400])))


def test_the_autoencoder_of_sdxl_keeps_to_float32(vocabulary: Path) -> None:
    """In half precision it overflows; SD 1.x's does not."""
    for name, kind in (("sdxl", torch.float32), ("sd1", torch.float16)):
        model = load_backbone(name, dtype="float16")
        assert (model.dtype, next(model.vae.parameters()).dtype) == (torch.float16, kind)
    model = load_backbone("sdxl", dtype="float16")
    latent = model.encode(torch.zeros(1, 3, 64, 64))
    assert latent.dtype == torch.float16 and model.decode(latent).dtype == torch.float32


# inpainting


@pytest.mark.parametrize("family", [SD1, pytest.param(SDXL, marks=pytest.mark.slow)], ids=lambda family: family.name)
def test_an_inpainting_model_looks_at_everything(vocabulary: Path, tmp_path: Path, family: Family) -> None:
    """For a mask of a picture it is told that all is to be painted, as hosts tell it without a mask: ones, and grey."""
    model = load_backbone(write_official(tmp_path / "one.safetensors", inpainting(family)))
    assert model.inpaints and model.family == family.name
    noisy, told = torch.randn(2, 4, 8, 16), model.conditioning(["fox", "owl"])
    grey = model.encode(torch.zeros(1, 3, 64, 128))
    beside = torch.cat([torch.ones(1, 1, 8, 16), grey], dim=1).expand(2, -1, -1, -1)
    with torch.no_grad():
        want = model.unet(torch.cat([noisy, beside], dim=1), torch.tensor([400]), told.states, told.vector)
    close(model.predict(noisy, 400, told), want)


def test_an_inpainting_model_is_told_the_mask(
    vocabulary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load_backbone(write_official(tmp_path / "one.safetensors", inpainting(SD1)))
    model.native = Size(64, 64)
    seen: list[Tensor] = []
    model.unet.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    mask = np.zeros((64, 64), bool)
    mask[:20, :28] = True
    image = picture(64, 64)
    painted = np.asarray(ldz.inpaint(image, mask, "fox", backbone=model, steps=2, feather=0))
    assert np.array_equal(painted[~mask], image[~mask])
    told = seen[0]
    assert told.shape == (2, 9, 8, 8)
    assert told[0, 4].tolist() == [[1.0] * 4 + [0.0] * 4] * 3 + [[0.0] * 8] * 5
    pixels = torch.from_numpy(image.astype(np.float32) / 127.5 - 1).permute(2, 0, 1)[None]
    pixels[..., :24, :32] = 0
    close(told[:1, 5:], model.encode(pixels))


# other files


def test_the_tensors_of_a_ckpt(vocabulary: Path, tmp_path: Path) -> None:
    state = load_file(vocabulary / "sd1.safetensors")
    torch.save({"state_dict": state, "global_step": 470_000, "callbacks": {}}, tmp_path / "old.ckpt")
    noisy, told = torch.randn(1, 4, 8, 8), torch.randn(1, 77, 64)
    one, other = load_backbone("sd1"), load_backbone(tmp_path / "old.ckpt")
    assert other.family == "sd1" and torch.equal(one.predict(noisy, 1, told), other.predict(noisy, 1, told))


def test_what_is_no_model_that_paints_from_words(vocabulary: Path, tmp_path: Path) -> None:
    state = load_file(vocabulary / "sdxl.safetensors")
    refiner = {
        key.replace("embedders.1.", "embedders.0."): tensor
        for key, tensor in state.items()
        if not key.startswith("conditioner.embedders.0.")
    }
    save_file(refiner, tmp_path / "refiner.safetensors")
    with pytest.raises(ModelError, match="is SDXL's refiner; expected a model that paints from words alone"):
        load_backbone(tmp_path / "refiner.safetensors")
    lone = {key: tensor for key, tensor in state.items() if not key.startswith("conditioner.")}
    save_file(lone, tmp_path / "lone.safetensors")
    with pytest.raises(ModelError, match=r"has no tensors named cond_stage_model\.transformer\.\*"):
        load_backbone(tmp_path / "lone.safetensors")
    state["model.diffusion_model.input_blocks.0.0.weight"] = torch.zeros(64, 8, 3, 3)
    save_file(state, tmp_path / "edits.safetensors")
    with pytest.raises(ModelError, match="has 8 input channels"):
        load_backbone(tmp_path / "edits.safetensors")
