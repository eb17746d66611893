"""The difference of noise predictions: its formula, its calls, its cache, and what says nothing."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

from ldznet_ext.geometry import Size
from ldznet_ext.hosts.standalone import StandaloneBackbone
from ldznet_ext.pipeline import segment
from ldznet_ext.request import SegmentRequest
from ldznet_ext.result import NOT_FOUND
from ldznet_ext.sampling import seeded_noise
from ldznet_ext.segmenters.base import Clock, Evidence
from ldznet_ext.segmenters.noise_difference import (
    NoiseDifferenceSegmenter,
    NoiseSettings,
    difference,
    normalised,
    predicted_noise,
    rise,
    to_logits,
)
from ldznet_ext.segmenters.view import View, look
from tests.tiny import picture

FEW = NoiseSettings(noises=3)


@pytest.fixture
def view(backbone: StandaloneBackbone) -> View:
    return look(picture(96, 144), backbone)


def evidence(
    backbone: StandaloneBackbone, view: View, words: Sequence[str], settings: NoiseSettings = FEW, **request: object
) -> Evidence:
    asked = SegmentRequest(phrases=tuple(words), **request)
    return NoiseDifferenceSegmenter(settings).evidence(backbone, view, words, asked, Clock())


def test_it_is_the_mean_absolute_difference_of_two_predictions(backbone: StandaloneBackbone, view: View) -> None:
    found = evidence(backbone, view, ["fox"], seed=5, timestep=300)
    latent = view.latent(backbone)
    noise = seeded_noise(5, (3, *latent.shape[1:]), latent.device, latent.dtype)
    noisy = backbone.add_noise(latent, noise, 300)
    texts = [backbone.text([text]).expand(3, -1, -1) for text in ("fox", "")]
    one, other = (backbone.predict(noisy, 300, text) for text in texts)
    by_hand = (one - other).abs().mean(dim=(0, 1)).numpy()
    by_hand = np.minimum(by_hand, 3 * by_hand.mean())
    height, width = view.fit.network
    expected = to_logits(torch.from_numpy(by_hand / by_hand.max()), Size(height, width))
    np.testing.assert_allclose(found.logits[0], expected, atol=1e-4)
    assert found.logits.shape == (1, height, width) and height != width
    assert found.provenance["timestep"] == 300 and not found.calibrated


def test_calls_are_counted_and_none_is_made_twice(backbone: StandaloneBackbone, view: View) -> None:
    ten = NoiseSettings(noises=10)
    before = backbone.unet_calls
    first = evidence(backbone, view, ["fox"], ten)
    assert first.unet_calls == backbone.unet_calls - before == 4  # ten noises do not fit into one call
    second = evidence(backbone, view, ["fox", "owl"], ten)
    assert second.unet_calls == 2  # the reference and the fox are kept
    assert evidence(backbone, view, ["owl"], ten).unet_calls == 0
    assert evidence(backbone, view, ["owl"], ten, seed=1).unet_calls == 4
    np.testing.assert_array_equal(first.logits[0], second.logits[0])  # whatever it is asked with


def test_other_weights_are_asked_again(backbone: StandaloneBackbone, view: View) -> None:
    settings = {"timestep": 500, "seed": 0, "count": 2}
    kept, _ = predicted_noise(backbone, view, "fox", **settings)
    with torch.no_grad():
        next(backbone.unet.parameters()).add_(0.1)
    fresh, calls = predicted_noise(backbone, view, "fox", **settings)
    assert calls == 1 and not torch.equal(kept, fresh)


def test_outliers_are_clipped_and_the_rest_is_spread_over_0_to_1() -> None:
    values = torch.tensor([[1.0, 1.0, 1.0], [1.0, 2.0, 30.0]])  # mean 6
    expected = torch.tensor([[1.0, 1.0, 1.0], [1.0, 2.0, 18.0]]) / 18
    torch.testing.assert_close(normalised(values), expected)
    gentle = torch.tensor([[1.0, 2.0, 3.0]])
    torch.testing.assert_close(normalised(gentle), gentle / 3)


@pytest.mark.parametrize("bad", [torch.full((2, 3), 0.7), torch.zeros(2, 3), torch.tensor([[1.0, float("nan"), 2.0]])])
def test_what_says_nothing_is_zeros(bad: Tensor) -> None:
    assert not normalised(bad).any() and rise(bad) == 0
    logits = to_logits(normalised(bad), Size(5, 4))
    assert logits.shape == (5, 4) and logits.max() < -30


def test_the_score_grows_with_the_contrast() -> None:
    flat, peaked = torch.ones(10, 20), torch.ones(10, 20)
    flat[0, 0], peaked[:2, :2] = 1.5, 9.0
    assert 0 <= rise(flat) < 0.5 < rise(peaked) < 1


def test_half_precision_is_averaged_in_single() -> None:
    worded, plain = torch.full((64, 4, 2, 3), 1000.0).half(), torch.zeros(64, 4, 2, 3).half()
    assert difference(worded, plain).dtype == torch.float32
    torch.testing.assert_close(difference(worded, plain), torch.full((2, 3), 1000.0))


def test_a_model_that_does_not_listen_says_so(backbone: StandaloneBackbone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backbone, "predict", lambda noisy, timestep, context: torch.zeros_like(noisy))
    result = segment(picture(64, 128), "fox", backbone=backbone, method=NoiseDifferenceSegmenter(FEW))
    assert not result.prob.any() and not result.mask.any()
    assert result.phrases[0].status == NOT_FOUND and result.phrases[0].score == 0
    assert 'The words "fox" change the predicted noise nowhere' in result.message


def test_it_is_asked_for_by_name(backbone: StandaloneBackbone) -> None:
    result = segment(picture(64, 128), ["fox", "owl"], backbone=backbone, method="noise_difference", refine=False)
    assert result.method == "noise_difference" and result.unet_calls == 3
    assert result.prob.shape == (64, 128) and 0.5 < result.prob.max() <= 1
