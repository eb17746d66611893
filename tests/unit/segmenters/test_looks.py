"""One look, several on average, and the authors' demo: which looks are made, and what comes of them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ldznet_ext import segment
from ldznet_ext.errors import MethodError, OptionError, PhraseError
from ldznet_ext.geometry import Size
from ldznet_ext.harvest.hooks import harvest
from ldznet_ext.hosts.standalone import StandaloneBackbone
from ldznet_ext.masks.demo import demo_pixels
from ldznet_ext.nets.heads import with_positions
from ldznet_ext.request import SegmentRequest
from ldznet_ext.segmenters.base import Clock, Evidence
from ldznet_ext.segmenters.heads import HeadSegmenter
from ldznet_ext.segmenters.looks import FIRST, LAST, TEMPLATES, derived, gather, looks, native_of
from ldznet_ext.segmenters.methods import pick_segmenter
from ldznet_ext.segmenters.view import View, look
from tests.tiny import picture, write_head


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_head(tmp_path_factory.mktemp("heads") / "h.safetensors", "ldznet")


def request(**more: object) -> SegmentRequest:
    return SegmentRequest(phrases=("fox",), **more)  # type: ignore[arg-type]


def ask(model: StandaloneBackbone, head: Path, shown: np.ndarray | None = None, **more: object) -> Evidence:
    segmenter = pick_segmenter("ldznet", model, head)
    view = look(picture() if shown is None else shown, model)
    return gather(segmenter, model, view, ("fox", "owl"), request(**more), Clock())


@pytest.mark.parametrize(
    ("count", "timesteps"), [(1, [None]), (2, [350, 450]), (4, [325, 375, 425, 475]), (3, [333, 400, 466])]
)
def test_timesteps_spread_evenly_around_the_heads_own(count: int, timesteps: list[int | None]) -> None:
    assert [one.timestep for one in looks(request(average=count), 400)] == timesteps


def test_timesteps_stay_within_the_schedule_and_are_what_a_person_says() -> None:
    assert [one.timestep for one in looks(request(average=2), 0)] == [0, 50]
    assert [one.timestep for one in looks(request(average=2), 999)] == [949, 999]
    assert [one.timestep for one in looks(request(average=2, timestep=7), 400)] == [7, 7]
    assert [one.timestep for one in looks(request(average=2), None)] == [None, None]


def test_each_look_has_its_own_noise_and_the_next_template() -> None:
    made = looks(request(average=11, seed=3), 400, TEMPLATES)
    assert len({one.seed for one in made}) == 11 and made[0].seed == 3
    assert [one.template for one in made] == [*TEMPLATES, *TEMPLATES[:2]]
    assert made[0].text("red {fox}") == "a photo of a red {fox}."
    assert looks(request(average=11, seed=3), 400, TEMPLATES) == made
    others = {one.seed for one in looks(request(average=11, seed=4), 400)}
    assert not others & {one.seed for one in made}


def test_the_demo_draws_over_all_it_has_and_the_seed_repeats_it() -> None:
    made = looks(request(parity=True, average=64), 400)
    assert made == looks(request(parity=True, average=64), 400) != looks(request(parity=True, average=64, seed=1), 400)
    assert {one.template for one in made} == set(TEMPLATES)
    times = [one.timestep or 0 for one in made]
    assert min(times) >= FIRST and max(times) <= LAST and len(set(times)) > 40
    many = [looks(request(parity=True, seed=seed), 400)[0].timestep for seed in range(3000)]
    assert (min(many), max(many)) == (300, 499)
    assert looks(request(parity=True, timestep=400), 400)[0].timestep == 400
    assert derived(0, 1, "noise") == 5444152898790409475, "kept for ever: it decides what a seed means"


def test_one_look_is_the_methods_own(backbone: StandaloneBackbone, head: Path) -> None:
    segmenter, view = pick_segmenter("ldznet", backbone, head), look(picture(), backbone)
    plain = segmenter.evidence(backbone, view, ("fox", "owl"), request(), Clock())
    found = ask(backbone, head)
    np.testing.assert_array_equal(found.logits, plain.logits)
    assert found.provenance["timestep"] == 400 and "average" not in found.provenance


def test_an_average_is_the_mean_of_its_looks(backbone: StandaloneBackbone, head: Path) -> None:
    segmenter, view = pick_segmenter("ldznet", backbone, head), look(picture(), backbone)
    found = ask(backbone, head, average=3, seed=5)
    alone = [
        segmenter.evidence(backbone, view, ("fox", "owl"), request(seed=seed, timestep=timestep), Clock())
        for seed, timestep in zip((5, derived(5, 1, "noise"), derived(5, 2, "noise")), (333, 400, 466), strict=True)
    ]
    np.testing.assert_allclose(found.logits, np.mean([one.logits for one in alone], axis=0), atol=1e-6)
    np.testing.assert_allclose(found.scores, np.mean([one.scores for one in alone], axis=0))
    assert found.unet_calls == 3
    assert found.provenance["timestep"] == [333, 400, 466] and found.provenance["average"] == 3
    assert found.provenance["templates"] == ["{}"] * 3, "the heads of other families know phrases as they stand"


def test_a_head_for_the_authors_family_goes_round_their_templates(backbone: StandaloneBackbone, head: Path) -> None:
    segmenter = pick_segmenter("ldznet", backbone, head)
    assert isinstance(segmenter, HeadSegmenter)
    segmenter.info = replace(segmenter.info, family="sd1")
    view = look(picture(), backbone)
    found = gather(segmenter, backbone, view, ("fox",), request(average=2, timestep=400), Clock())
    texts = [TEMPLATES[0].replace("{}", "fox"), TEMPLATES[1].replace("{}", "fox")]
    alone = [
        segmenter.evidence(backbone, view, (text,), request(timestep=400, seed=seed), Clock()).logits
        for text, seed in zip(texts, (0, derived(0, 1, "noise")), strict=True)
    ]
    np.testing.assert_allclose(found.logits, np.mean(alone, axis=0), atol=1e-6)


def test_features_of_a_generation_are_no_look_of_an_average(backbone: StandaloneBackbone, head: Path) -> None:
    segmenter, view = pick_segmenter("ldznet", backbone, head), look(picture(), backbone)
    given: list[View] = []
    own = segmenter.evidence
    segmenter.evidence = lambda b, v, *rest: given.append(v) or own(b, v, *rest)  # type: ignore[method-assign,func-returns-value]
    latent = torch.randn(1, 4, *(side // 8 for side in view.fit.network))
    marked = replace(view, given_latent=latent, given=(object(),))  # type: ignore[arg-type]
    gather(segmenter, backbone, marked, ("fox",), request(average=2), Clock())
    assert [one.given for one in given] == [(), ()] and all(one.given_latent is latent for one in given)


def test_parity_is_the_demo_walked_by_hand(backbone: StandaloneBackbone, head: Path) -> None:
    """Floor to 64, Lanczos, a drawn latent, one prefixed text for both networks, a drawn timestep, the authors' positions."""
    shown = picture(100, 400)  # at this head's native 128: 64x256, whose 16 and 4 cells pass for 4x4 and 2x2
    found = ask(backbone, head, shown, parity=True, seed=2)
    chosen = looks(request(parity=True, seed=2), None)[0]
    segmenter = pick_segmenter("ldznet", backbone, head)
    assert isinstance(segmenter, HeadSegmenter)
    network = with_positions(segmenter.head, "parity")
    with torch.inference_mode():
        pixels = torch.from_numpy(demo_pixels(shown, Size(64, 256)))[None]
        mean, deviation = backbone.vae.posterior(pixels)
        spread = torch.randn(mean.shape, generator=torch.Generator().manual_seed(derived(chosen.seed, 0, "posterior")))
        latent = mean + deviation * spread
        noise = torch.randn(latent.shape, generator=torch.Generator().manual_seed(chosen.seed))
        alpha = float(backbone.schedule.alpha_bar[chosen.timestep or 0])
        context = backbone.text([chosen.text("fox"), chosen.text("owl")])
        with harvest(backbone.unet, segmenter.info.taps) as store:
            noisy = (alpha**0.5 * latent + (1 - alpha) ** 0.5 * noise).expand(2, -1, -1, -1)
            backbone.unet(noisy, torch.tensor([chosen.timestep] * 2), context)
        want = network(latent, context, dict(store))[:, 0].numpy()
        other = segmenter.head(latent, context, dict(store))[:, 0].numpy()
    assert (deviation > 1e-3).any(), "else a drawn latent is the mean"
    assert np.abs(other - want).max() > 1e-3, "else the rule for the positions makes no difference"
    np.testing.assert_allclose(found.logits, want, atol=1e-4)
    assert found.provenance["network_size"] == [64, 256] and found.provenance["latent"] == "sample"
    assert found.provenance["timestep"] == [chosen.timestep]


def test_parity_changes_nothing_for_who_asks_next(backbone: StandaloneBackbone, head: Path) -> None:
    before = ask(backbone, head).logits
    first = ask(backbone, head, parity=True).logits
    np.testing.assert_array_equal(ask(backbone, head).logits, before)
    np.testing.assert_array_equal(ask(backbone, head, parity=True).logits, first)
    assert not np.array_equal(ask(backbone, head, parity=True, seed=1).logits, first)


def test_a_host_that_tells_the_mean_alone_still_answers(
    backbone: StandaloneBackbone, head: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(StandaloneBackbone, "posterior")
    assert ask(backbone, head, parity=True).provenance["latent"] == "mean"


def test_who_cannot_have_parity_is_told(backbone: StandaloneBackbone, head: Path) -> None:
    with pytest.raises(MethodError, match="method is 'attention', and parity"):
        segment(picture(), "fox", backbone=backbone, method="attention", parity=True)
    with pytest.raises(PhraseError, match="with the words a template adds"):
        segment(picture(), " ".join(["fox"] * 75), backbone=backbone, head=head, parity=True)
    with pytest.raises(OptionError, match="Looks to average is 0; expected a number from 1 to 64"):
        segment(picture(), "fox", backbone=backbone, head=head, average=0)


def test_an_average_without_a_head(backbone: StandaloneBackbone) -> None:
    result = segment(picture(), "fox", backbone=backbone, method="attention", average=2)
    assert result.provenance["average"] == 2 and result.unet_calls == 2
    assert len(set(result.provenance["noise_seeds"])) == 2


def test_a_head_looks_at_its_own_size(
    backbone: StandaloneBackbone, head: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LD-ZNet's was trained at 384x384, and its model at 512x512."""
    segmenter = pick_segmenter("ldznet", backbone, head)
    monkeypatch.setattr(backbone, "native", Size(256, 256))
    assert native_of(segmenter, backbone) == Size(128, 128)
    assert native_of(pick_segmenter("attention", backbone), backbone) == Size(256, 256)
    result = segment(picture(256, 256), "fox", backbone=backbone, head=head)
    assert result.provenance["network_size"] == [128, 128] and result.prob.shape == (256, 256)
