"""A painting and its mask from one run: nothing extra is computed where a step came near t = 400."""

import numpy as np
import pytest
import torch

from ldznet_ext.errors import OptionError, PhraseError
from ldznet_ext.generate import generate_and_segment, paint, to_picture
from ldznet_ext.geometry import Size
from ldznet_ext.harvest.hooks import harvest
from ldznet_ext.harvest.taps import LDZNET_TAPS
from ldznet_ext.hosts.standalone import StandaloneBackbone
from ldznet_ext.sampling import Sampling
from ldznet_ext.segmenters.methods import pick_segmenter
from tests.tiny import write_head


def test_no_extra_call_of_the_unet(backbone: StandaloneBackbone) -> None:
    image, result = generate_and_segment("a fox on snow", "fox", backbone=backbone, seed=1, steps=5)
    assert image.size == (128, 128) and result.size == (128, 128)
    assert result.unet_calls == 0 and backbone.unet_calls == 5
    said = result.provenance
    assert (said["timestep"], said["generation_unet_calls"], said["extra_unet_calls"]) == (401, 5, 0)
    assert "extra pass" not in result.message


def test_watching_changes_no_bit_of_the_picture(backbone: StandaloneBackbone) -> None:
    image, _ = generate_and_segment("a fox on snow", "fox", backbone=backbone, seed=1, steps=5)
    np.testing.assert_array_equal(
        np.asarray(image), np.asarray(paint("a fox on snow", backbone=backbone, seed=1, steps=5))
    )


def test_the_logits_come_from_the_conditional_rows_and_the_final_latent(backbone: StandaloneBackbone) -> None:
    _, result = generate_and_segment("a fox on snow", ["owl"], backbone=backbone, seed=1, steps=5, refine=False)
    seen = {}
    predict = backbone.predict

    def spy(noisy: torch.Tensor, timestep: int, context: torch.Tensor) -> torch.Tensor:
        if timestep == 401:
            with harvest(backbone.unet, LDZNET_TAPS) as store:
                predict(noisy, timestep, context)
            seen.update({tap: value[1:] for tap, value in store.items()})
        return predict(noisy, timestep, context)

    backbone.predict = spy
    latent = backbone.generate(["a fox on snow"], [1], Sampling(steps=5))
    head = pick_segmenter("auto", backbone).head
    with torch.inference_mode():
        logits = head(latent, backbone.text(["owl"]), seen)[0, 0]
    np.testing.assert_allclose(result.prob, torch.sigmoid(logits).numpy(), atol=1e-5)


def test_a_run_without_a_near_step_makes_one_pass_and_says_so(backbone: StandaloneBackbone) -> None:
    _, result = generate_and_segment("a fox", ["fox", "owl"], backbone=backbone, seed=1, steps=1)
    assert result.unet_calls == 1 and backbone.unet_calls == 2
    assert "1 extra pass" in result.message and result.provenance["extra_unet_calls"] == 1
    assert result.provenance["timestep"] == 400


def test_guidance_one_has_conditional_rows_only(backbone: StandaloneBackbone) -> None:
    _, result = generate_and_segment("a fox", "fox", backbone=backbone, seed=1, steps=5, guidance=1.0)
    assert result.unet_calls == 0 and result.provenance["timestep"] == 401


def test_unknown_words_are_said(backbone: StandaloneBackbone) -> None:
    _, result = generate_and_segment("a fox", ["cat", "fox"], backbone=backbone, steps=5)
    assert result.phrases[0].status == "unknown word"


@pytest.mark.parametrize("size", [Size(64, 192), (64, 192)])
def test_another_size(backbone: StandaloneBackbone, size: tuple[int, int]) -> None:
    image, result = generate_and_segment("a fox", "fox", backbone=backbone, steps=np.int64(5), size=size)
    assert image.size == (192, 64) and result.mask.shape == (64, 192)


@pytest.mark.parametrize("kind", ["znet", "rgbnet"])
def test_methods_without_features(backbone: StandaloneBackbone, tmp_path: object, kind: str) -> None:
    path = write_head(tmp_path / "h.safetensors", kind)
    _, result = generate_and_segment("a fox", "fox", backbone=backbone, steps=1, head=path)
    assert result.method == kind and result.unet_calls == 0 and "extra pass" not in result.message


def test_the_same_seed_gives_the_same_mask(backbone: StandaloneBackbone) -> None:
    runs = [generate_and_segment("a fox", "fox", backbone=backbone, seed=4, steps=3)[1].prob for _ in range(2)]
    np.testing.assert_array_equal(*runs)


@pytest.mark.parametrize(
    ("prompt", "words"), [("", "fox"), (" ", "fox"), (3, "fox"), ("a fox", ""), ("a fox", "fox " * 76)]
)
def test_words_are_needed_before_anything_is_painted(backbone: StandaloneBackbone, prompt: str, words: str) -> None:
    with pytest.raises(PhraseError):
        generate_and_segment(prompt, words, backbone=backbone)
    assert backbone.unet_calls == 0


def test_settings_are_checked(backbone: StandaloneBackbone) -> None:
    with pytest.raises(OptionError, match="steps"):
        generate_and_segment("a fox", "fox", backbone=backbone, steps=0)


def test_pixels_to_bytes() -> None:
    pixels = torch.tensor([-1.0, 0.0, 1.0, -2.0, 2.0, 0.5]).reshape(1, 1, 2, 3).expand(1, 3, 2, 3)
    np.testing.assert_array_equal(to_picture(pixels)[0, ..., 1], [[0, 128, 255], [0, 255, 191]])
