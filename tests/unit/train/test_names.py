"""Names of cells: what they are asked, what is counted, what of the head learns, and what stays hidden."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL

from ldznet_ext.errors import HeadError, OptionError
from ldznet_ext.nets.heads import build_head, put_to_rest
from ldznet_ext.nets.presets import PRESETS
from ldznet_ext.train import contrast as contrasts
from ldznet_ext.train.contrast import (
    Vocabulary,
    areas,
    descend,
    each_alone,
    named_right,
    names,
    numbers,
    one_of_all,
    shrunk,
)
from ldznet_ext.train.head import HeadTask
from ldznet_ext.train.latents import CachedLatents
from ldznet_ext.train.loop import train
from ldznet_ext.train.names import HELD_OUT, Labels, NamedWindows, NamesTask
from ldznet_ext.train.phrased import PhrasedScenes
from ldznet_ext.train.recipe import load_recipe, parse_recipe
from ldznet_ext.train.tokenizer import bpe_file
from ldznet_ext.weights import load_head
from ldznet_ext.world.concepts import held_out, named
from ldznet_ext.world.scenes import scene

needs_vocabulary = pytest.mark.skipif(bpe_file() is None, reason="open_clip_torch is not there")
FINEST = ["in.1", "in.2", "out.9", "out.10", "out.11"]


@pytest.fixture(autouse=True)
def tiny_preset(monkeypatch):
    small = {"model_channels": 32, "channel_mult": (1, 1, 2, 2), "context_dim": 32, "grid": 2, "mid_grid": 1}
    monkeypatch.setitem(PRESETS, "sticker", replace(PRESETS["sticker"], **small, decoder_widths=(32, 32, 32)))


def recipe(kind, sticker_folder, cache, **changes):
    settings = {
        "kind": kind,
        "seed": 4,
        "steps": 1,
        "warmup": 0,
        "sample_minutes": 999.0,
        "phases": [{"share": 1.0, "size": 64, "batch": 2, "rate": 1e-3}],
        "model": {
            "head": "ldznet",
            "preset": "sticker",
            "sticker_sd": str(sticker_folder),
            "cache_folder": str(cache),
            "rest": FINEST,
        },
        "data": {"styles": [], "phrases_each": 2, "caption_features": 0.5, "cache": {"64": 12}},
        "loss": {"dice": 0.5, "contrast": 0.5},
    }
    return parse_recipe({**settings, **changes})


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("latents")


@pytest.fixture
def latents(cache, vae_folder):
    vae = AutoencoderKL.from_pretrained(vae_folder).eval()
    return CachedLatents(cache, vae=vae, count=12, seed=4, size=64, concepts="known").latents


def test_areas_are_what_the_masks_cover():
    painted = scene(4, 1, size=64)
    filled = areas(painted)
    assert filled.shape == (len(names()), 8, 8)
    for thing in painted.objects:
        same = [other.mask for other in painted.objects if other.concept == thing.concept]
        expected = np.any(same, axis=0).mean()
        assert float(filled[numbers()[thing.concept.name]].mean()) == pytest.approx(expected, abs=1e-5)
    assert float(filled.sum(0).max()) <= 1 + 1e-5


def test_a_held_out_object_has_no_name():
    assert [words[0] for words in names()[:64]] == [concept.name for concept in named()]
    assert not {concept.name for concept in held_out()} & {word for words in names() for word in words}


def test_the_loss_wants_the_name_that_fills_the_cell():
    truth = torch.zeros(1, 2, len(names()))
    truth[0, 0, 3] = 1.0  # the second cell shows nothing that has a name
    right, wrong = torch.full_like(truth, -30.0), torch.full_like(truth, -30.0)
    right[0, 0, 3] = wrong[0, 0, 5] = 30.0
    assert float(one_of_all(right, truth)) == pytest.approx(0, abs=1e-4)
    assert float(one_of_all(wrong, truth)) > 10
    assert float(named_right(right, truth)) == 1
    assert float(named_right(wrong, truth)) == 0
    spoilt = right.clone()
    spoilt[0, 1, 7] = 30.0  # a name where there is none
    assert float(one_of_all(spoilt, truth)) > 5


def test_a_name_alone_must_draw_attention_where_it_is_and_nowhere_else():
    truth = torch.zeros(1, 2, len(names()))
    truth[0, 0, 3] = 1.0
    apart = torch.full_like(truth, -20.0)  # softmax over 76 tokens of a name and the beginning: log 76 is 4.3
    apart[0, 0, 3] = 20.0
    everywhere, nowhere, even = apart * 0 + 20.0, apart * 0 - 20.0, apart * 0
    assert float(each_alone(apart, truth)) == pytest.approx(0, abs=1e-3)
    for wrong in (everywhere, nowhere, even):
        assert float(each_alone(wrong, truth)) > 1


def test_objects_count_more_than_regions():
    truth = torch.zeros(1, 2, len(names()))
    truth[0, 0, 3] = truth[0, 1, numbers()["grass"]] = 1.0
    flat = torch.zeros_like(truth)
    thing, region = flat.clone(), flat.clone()
    thing[0, 0, 3] = region[0, 1, numbers()["grass"]] = 5.0
    assert one_of_all(thing, truth) < one_of_all(region, truth)


def test_coarser_grids_see_means():
    filled = torch.rand(1, 3, 4, 4)
    assert torch.allclose(shrunk(filled, 4)[0, 0], filled[0, :, :2, :2].mean((1, 2)))
    assert torch.equal(shrunk(filled, 16)[0, 5], filled[0, :, 1, 1])


def vocabulary():
    count = sum(len(words) for words in names())
    tokens = torch.zeros(count, 77, dtype=torch.long)
    tokens[:, 3] = 49407  # two words, then the end
    states = torch.arange(count)[:, None, None] + torch.arange(77)[None, :, None] / 100 + torch.zeros(1, 1, 4)
    return Vocabulary.read(lambda texts: states, lambda texts: tokens)


def test_every_name_is_drawn_by_one_of_its_words_never_at_its_beginning():
    told, seen = vocabulary(), set()
    for seed in range(30):
        states, begin = told.draw(torch.Generator().manual_seed(seed))
        word, place = states[:, 0].floor().long(), ((states[:, 0] % 1) * 100).round()
        assert torch.equal(told.of[word], torch.arange(len(names())))
        assert place.min() >= 2 and place.max() <= 76
        assert float(begin[0]) == 0
        seen |= set(word.tolist())
    assert len(seen) > 1.5 * len(names())  # synonyms too


def test_queries_are_those_of_a_whole_pass():
    torch.manual_seed(0)
    head = build_head("ldznet", "sticker")
    for parameter in head.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    latent, context = torch.randn(1, 4, 8, 16), torch.randn(1, 5, 32)
    seen = {}
    for place in contrasts.PLACES:
        layer = contrasts.text_attention(head, place).to_q
        layer.register_forward_hook(lambda module, inputs, output, place=place: seen.update({place: output}))
    features = {tap: torch.randn(1, head.tap_channels[tap], 2, 4) for tap in head.taps}
    with torch.no_grad():
        head(latent, context, features)
        whole = dict(seen)
        short = descend(head, latent, context)
    assert set(short) == set(contrasts.PLACES)
    for place in contrasts.PLACES:
        assert torch.allclose(short[place], whole[place], atol=1e-5)


def test_what_rests_adds_nothing_and_the_others_wake():
    torch.manual_seed(0)
    head = build_head("ldznet", "sticker")
    for parameter in head.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    put_to_rest(head, ["in.1"])
    layer = head.input_blocks[1][1]
    x, context = torch.randn(1, 32, 4, 6), torch.randn(1, 5, 32)
    assert layer(x, context) is x
    layer.resting = False
    assert torch.equal(layer(x, context), x)  # computed, it says the same
    layer.resting = True
    put_to_rest(head, [])
    assert not layer.resting
    with pytest.raises(HeadError, match=r"'in\.77'"):
        put_to_rest(head, ["in.77"])


def test_windows_show_an_object_and_nothing_held_out(cache, latents):
    labels = Labels(cache, seed=4, size=64, count=12)
    assert (labels.number == HELD_OUT).any()
    data = NamedWindows(latents, labels, seed=4, window=32)
    for item in (data[index] for index in range(12)):
        assert item["latent"].shape == (4, 4, 4)
        assert item["areas"].shape == (len(names()), 4, 4)
        assert float(item["areas"][:64].sum()) > 0
    assert torch.equal(data[3]["latent"], data[3]["latent"])


def test_labels_fit_the_latents(cache, latents):
    """Whole scenes: the areas read back are those of the scene whose latent is shown."""
    data = NamedWindows(latents, Labels(cache, seed=4, size=64, count=12), seed=4, window=0)
    for index in range(6):
        item = data[index]
        place = next(n for n in range(12) if torch.equal(latents[n].float(), item["latent"]))
        assert torch.allclose(item["areas"], areas(scene(4, place, concepts="known", size=64)), atol=0.003)


def test_scenes_from_the_cache_are_asked_what_they_show(latents):
    data = PhrasedScenes(seed=4, size=64, styles=None, each=2, latents=latents, labels=True)
    for index in range(14):
        item = data[index]
        assert "pixels" not in item
        place = next(n for n in range(12) if torch.equal(latents[n].float(), item["latent"]))
        painted = scene(4, place, concepts="known", size=64)
        assert all(thing.concept.set == "named" for thing in painted.objects)
        assert torch.allclose(item["areas"], areas(painted))


@needs_vocabulary
def test_names_are_learnt_by_the_descending_side_alone(sticker_folder, cache, latents, tmp_path):
    told = recipe(
        "names", sticker_folder, cache, steps=2, phases=[{"share": 1.0, "size": 64, "batch": 4, "rate": 1e-2}]
    )
    task = NamesTask(told)
    before = {name: value.clone() for name, value in task.whole.state_dict().items()}
    train(task, told, tmp_path, device="cpu")
    head, info, _ = load_head(tmp_path / "ldznet-start.safetensors")
    assert info.kind == "ldznet"
    after = head.state_dict()
    changed = {name for name in before if not torch.allclose(before[name], after[name].float(), rtol=1e-2, atol=1e-3)}
    assert changed
    assert all(name.startswith(("input_blocks.", "time_embed.")) for name in changed)
    assert [bool(head.input_blocks[n][1].resting) for n in (1, 2, 4)] == [True, True, False]


@needs_vocabulary
def test_names_need_a_cache(sticker_folder, cache, tmp_path):
    told = recipe("names", sticker_folder, cache, data={"styles": []})
    with pytest.raises(OptionError, match="cache"):
        NamesTask(told).dataset(told.phases[0])


@needs_vocabulary
def test_a_head_goes_on_learning_names(sticker_folder, cache, latents):
    from torch.utils.data import default_collate

    told = recipe("head", sticker_folder, cache)
    task = HeadTask(told)
    data = task.dataset(told.phases[0])
    losses = task.loss(default_collate([data[0], data[1]]), torch.Generator().manual_seed(0), 0.0)
    assert float(losses["loss"]) == pytest.approx(
        float(losses["bce"] + 0.5 * losses["dice"] + 0.5 * losses["contrast"]), abs=1e-4
    )
    assert {block for block in (1, 2) if task.head.input_blocks[block][1].resting} == {1, 2}


def test_the_shipped_recipes_share_their_scenes():
    shipped, head = load_recipe("names"), load_recipe("head")
    assert shipped.seed == head.seed and shipped.data["cache"] == head.data["cache"]
    assert shipped.model["rest"] == head.model["rest"] == FINEST
