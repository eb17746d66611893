"""The method "attention": what it costs, what words it compares, what it says of words that are not there."""

import numpy as np
import pytest
import torch

from ldznet_ext.generate import generate_and_segment
from ldznet_ext.geometry import Size
from ldznet_ext.hosts.standalone import StandaloneBackbone
from ldznet_ext.pipeline import segment
from ldznet_ext.request import SegmentRequest
from ldznet_ext.segmenters.attention import AttentionSegmenter, Reading
from ldznet_ext.segmenters.crossattention import Queries
from ldznet_ext.segmenters.familiarity import texture
from ldznet_ext.segmenters.selfattention import SelfAttention
from ldznet_ext.segmenters.settings import ATTENTION, AttentionSettings, for_family
from ldznet_ext.segmenters.tokens import Template, compose
from ldznet_ext.segmenters.view import look
from tests.tiny import picture

WORDS = Template(rivals=("snow", "balloon"))
PLAIN = AttentionSettings(template=WORDS, places=("in.7",), levels={4: 1.0}, sharpen=0.0, rounds=0)


def test_words_asked_later_cost_no_call_of_the_unet(backbone: StandaloneBackbone) -> None:
    shown = picture()
    assert segment(shown, "fox", backbone=backbone, method="attention").unet_calls == 1
    assert segment(shown, ["owl", "red balloon"], backbone=backbone, method="attention").unet_calls == 0
    assert backbone.unet_calls == 1
    assert segment(shown, "fox", backbone=backbone, method="attention", seed=1).unet_calls == 1
    assert segment(shown, "fox", backbone=backbone, method="attention", timestep=300).unet_calls == 1


def test_the_walk_is_built_once_a_picture(backbone: StandaloneBackbone, monkeypatch: pytest.MonkeyPatch) -> None:
    built = []
    monkeypatch.setattr(
        "ldznet_ext.segmenters.attention.SelfAttention",
        lambda *qk, **more: built.append(more) or SelfAttention(*qk, **more),
    )
    for words in ("fox", "owl"):
        segment(picture(), words, backbone=backbone, method="attention")
    assert len(built) == 1
    segment(picture(seed=1), "fox", backbone=backbone, method="attention")
    assert len(built) == 2


def test_other_weights_are_asked_anew(backbone: StandaloneBackbone) -> None:
    shown = picture()
    segment(shown, "fox", backbone=backbone, method="attention")
    backbone.unet.middle_block[0].in_layers[2].weight.data.mul_(1.5)
    assert segment(shown, "fox", backbone=backbone, method="attention").unet_calls == 1


def test_the_pass_ends_after_the_last_tap(backbone: StandaloneBackbone) -> None:
    def late(*args: object) -> None:
        raise AssertionError("the last transformer has run")

    backbone.unet.output_blocks[11].register_forward_pre_hook(late)
    segment(picture(), "fox", backbone=backbone, method="attention")


def test_a_generation_leaves_the_last_half_of_its_steps(backbone: StandaloneBackbone) -> None:
    _, result = generate_and_segment("a fox", "fox", backbone=backbone, steps=4, method="attention")
    assert result.unet_calls == 0 and result.provenance["timestep"] == [251, 1]
    assert result.provenance["features"] == "of the generation"


class Scene:
    """A made-up layer: cells whose queries point along the keys of the words given for them."""

    heads = 1

    def __init__(self, tokenize, cells: list[list[str]], strength: float = 8.0) -> None:
        self.tokenize, self.strength = tokenize, strength
        self.size = Size(len(cells), len(cells[0]))
        words = [self._direction(tokenize(word)[0]) for row in cells for word in row]
        self.queries = Queries(strength * torch.stack(words)[None, None], self.size, 4)

    def _direction(self, token: int) -> torch.Tensor:
        return torch.nn.functional.one_hot(torch.tensor(token % 61), 64).float()

    def keys(self, states: torch.Tensor) -> torch.Tensor:
        """States are token ids here."""
        return torch.stack([torch.stack([self._direction(int(token)) for token in row]) for row in states[..., 0]])[
            :, None
        ]

    def reading(self) -> Reading:
        """Cells attend to themselves alone."""
        own = 50 * torch.eye(self.size.area)[None, None]
        walker, latent = SelfAttention(own, own), torch.zeros(1, 4, *self.size)
        return Reading([self], [self.queries], walker, self.size, latent)  # type: ignore[list-item]


@pytest.fixture
def scene(backbone: StandaloneBackbone) -> Scene:
    return Scene(backbone.token_ids, [["fox", "snow", "snow"], ["snow", "red", "owl"]])


def look_for(backbone: StandaloneBackbone, scene: Scene, *phrases: str):
    prompt = compose(backbone.token_ids, phrases, WORDS.without(phrases))
    ids = torch.tensor([backbone.tokens.encode(text) for text in prompt.texts], dtype=torch.float32)
    return AttentionSegmenter(PLAIN).look(scene.reading(), prompt, ids[..., None])


def test_familiarity_sees_the_mean_query_and_the_texture(scene: Scene) -> None:
    reading = scene.reading()
    pooled, mean = reading.pooled(), scene.queries.values.mean(dim=(0, 2)).flatten()
    np.testing.assert_allclose(pooled[: len(mean)], mean.numpy(), rtol=1e-6)
    np.testing.assert_array_equal(pooled[len(mean) :], texture(reading.latent.numpy()))


def test_a_word_is_where_the_cells_attend_to_it(backbone: StandaloneBackbone, scene: Scene) -> None:
    seen = look_for(backbone, scene, "fox")
    np.testing.assert_allclose(seen.maps[0].numpy(), [[1, 0, 0], [0, 0, 0]], atol=0.05)
    assert seen.against[0, 0, 0] > 0 > seen.against[0, 0, 1]  # it beats the snow there, and only there


def test_all_tokens_of_a_phrase_count_alike(backbone: StandaloneBackbone, scene: Scene) -> None:
    np.testing.assert_allclose(look_for(backbone, scene, "red owl").maps[0].numpy(), [[0, 0, 0], [0, 1, 1]], atol=0.05)


def test_a_phrase_longer_than_a_text_is_found_by_its_last_word(backbone: StandaloneBackbone, scene: Scene) -> None:
    """The many tokens before it are nowhere in the scene."""
    long = look_for(backbone, scene, "the " * 100 + "fox")
    assert int(long.maps[0].argmax()) == 0


def test_rivals_beat_what_is_not_there(backbone: StandaloneBackbone, scene: Scene) -> None:
    seen = look_for(backbone, scene, "the")
    assert float(seen.against.max()) < float(look_for(backbone, scene, "fox").against.max())


def test_a_rival_that_is_asked_for_does_not_compete_with_itself(backbone: StandaloneBackbone, scene: Scene) -> None:
    seen = look_for(backbone, scene, "snow")
    np.testing.assert_allclose(seen.maps[0].numpy(), [[0, 1, 1], [1, 0, 0]], atol=0.05)


def test_absent_words_have_dim_maps(backbone: StandaloneBackbone) -> None:
    """A score below the threshold keeps every probability below one half of what it would be."""
    method = AttentionSegmenter(for_family(ATTENTION, "sticker"))
    request = SegmentRequest(phrases=("fox",))
    view = look(picture(), backbone)
    from ldznet_ext.segmenters.base import Clock

    evidence = method.evidence(backbone, view, ("fox",), request, Clock())
    ceiling = min(1.0, float(evidence.scores[0]) / evidence.found_threshold)
    assert float(1 / (1 + np.exp(-evidence.logits.max()))) == pytest.approx(ceiling, abs=1e-3)


def test_families_have_their_own_settings() -> None:
    assert for_family(ATTENTION, "sd9") is ATTENTION["sd1"]
    assert set(ATTENTION) == {"sd1", "sd2", "sdxl", "sticker"}
    for settings in ATTENTION.values():
        assert sum(settings.levels.values()) == pytest.approx(1) and 0 <= settings.timestep <= 999
