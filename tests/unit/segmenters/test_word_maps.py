"""Maps of words from kept queries: equal to the UNet's own attention, whatever texts the words are spread over."""

import pytest
import torch
from torch import Tensor

from ldznet_ext.geometry import Size
from ldznet_ext.harvest.attention import Layer, find_layers
from ldznet_ext.harvest.hooks import harvest
from ldznet_ext.hosts.standalone import StandaloneBackbone
from ldznet_ext.segmenters.tokens import Span, compose
from ldznet_ext.segmenters.word_maps import word_maps


@pytest.fixture
def looked(backbone: StandaloneBackbone) -> tuple[StandaloneBackbone, list[Layer], dict[str, Tensor]]:
    """The tiny model, its layer at stride 4 of the decoder, and that layer's queries of a 16 x 24 latent."""
    layers = find_layers(backbone.unet, "attn2", ["out.4"], every=False)
    latent = torch.randn(1, 4, 16, 24, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode(), harvest(backbone.unet, [layers[0].q]) as store:
        backbone.predict(latent, 1, backbone.text([""]))
    return backbone, layers, {tap: value[0].T.unflatten(1, (4, 6)) for tap, value in store.items()}


@torch.inference_mode()
def test_shares_are_those_of_a_softmax_by_hand(looked) -> None:
    backbone, layers, queries = looked
    states, module, size = backbone.text(["fox owl"]), layers[0].module, Size(4, 6)
    maps = word_maps(layers, queries, states, [[Span(0, 1, 2)], [Span(0, 2, 3)]], size)
    q = queries[layers[0].q].flatten(1).T.unflatten(1, (module.heads, -1))  # cells heads d
    k = module.to_k(states)[0, 1:3].unflatten(1, (module.heads, -1))  # tokens heads d
    logits = torch.einsum("nhd,thd->htn", q, k) * q.shape[-1] ** -0.5
    torch.testing.assert_close(maps, logits.softmax(dim=1).mean(dim=0).unflatten(1, (4, 6)))
    torch.testing.assert_close(maps.sum(dim=0), torch.ones(4, 6))


@torch.inference_mode()
def test_it_does_not_matter_over_how_many_texts_the_words_are_spread(looked) -> None:
    backbone, layers, queries = looked
    groups = [[Span(0, 1, 2)], [Span(1, 1, 2)]]
    apart = word_maps(layers, queries, backbone.text(["fox", "owl"]), groups, Size(4, 6))
    turned = word_maps(layers, queries, backbone.text(["owl", "fox"]), groups[::-1], Size(4, 6))
    torch.testing.assert_close(apart, turned)
    torch.testing.assert_close(apart.sum(dim=0), torch.ones(4, 6))


@torch.inference_mode()
def test_all_pieces_of_a_phrase_are_its_mean(looked) -> None:
    backbone, layers, queries = looked
    states, size = backbone.text(["red fox", "owl"]), Size(4, 6)
    pieces = [[Span(0, 1, 2)], [Span(0, 2, 3)], [Span(1, 1, 2)]]
    one, two, three = word_maps(layers, queries, states, pieces, size, "raw")
    (mean,) = word_maps(layers, queries, states, [[Span(0, 1, 3), Span(1, 1, 2)]], size, "raw")
    torch.testing.assert_close(mean, (one + two + three) / 3)


@torch.inference_mode()
def test_hundreds_of_names_are_all_there(looked) -> None:
    backbone, layers, queries = looked
    prompt = compose(backbone.token_ids, ["fox", "owl", "red balloon"] * 60)
    assert len(prompt.texts) > 2
    maps = word_maps(layers, queries, backbone.text(prompt.texts), prompt.phrases, Size(4, 6))
    assert maps.shape == (180, 4, 6) and (maps > 0).all()
