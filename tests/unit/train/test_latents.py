"""Latents of scenes: scaled, cached in shards, resumable, captions that change from turn to turn."""

import json
import os

import pytest
import torch
from diffusers import AutoencoderKL
from safetensors.torch import load_file

from ldznet_ext.errors import OptionError
from ldznet_ext.geometry import Box
from ldznet_ext.train import latents
from ldznet_ext.train.latents import VARIANTS, CachedLatents, CaptionedScenes, decode, encode, pixels_of
from ldznet_ext.world.captions import caption
from ldznet_ext.world.scenes import cut_out, scene

SIZE = 64


@pytest.fixture(scope="module")
def vae(vae_folder):
    return AutoencoderKL.from_pretrained(vae_folder).eval()


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(CachedLatents, "SHARD", 3)


def cached(folder, vae, count=5, seed=4):
    return CachedLatents(folder, vae=vae, count=count, seed=seed, size=SIZE, concepts="known")


def test_the_cache_holds_what_painting_anew_gives(tmp_path, vae):
    data, fresh = cached(tmp_path, vae), CaptionedScenes(seed=4, size=SIZE, concepts="known")
    for index in (0, 2, 4):
        item, painted = data[index], fresh[index]
        expected = encode(vae, painted["pixels"][None])[0]
        assert item["latent"].shape == (4, 8, 8)
        assert item["latent"].dtype == torch.float32
        assert (item["latent"] - expected).abs().max() < 0.02 * expected.abs().max()  # encoded in bfloat16
        assert item["caption"] == caption(scene(4, index, concepts="known", size=SIZE), 0)


def test_a_turn_later_the_same_scene_has_other_words(tmp_path, vae):
    data = cached(tmp_path, vae)
    painted = scene(4, 1, concepts="known", size=SIZE)
    turns = [data[1 + 5 * turn] for turn in range(VARIANTS + 1)]
    assert [turn["caption"] for turn in turns] == [caption(painted, n) for n in (*range(VARIANTS), 0)]
    assert all(torch.equal(turn["latent"], turns[0]["latent"]) for turn in turns)


def test_a_second_use_encodes_nothing(tmp_path, vae, monkeypatch):
    first = cached(tmp_path, vae)
    monkeypatch.setattr(latents, "encode", None)
    second = cached(tmp_path, vae)
    assert torch.equal(first.latents, second.latents)
    assert first.captions == second.captions


def test_an_interrupted_build_keeps_its_shards(tmp_path, vae):
    whole = cached(tmp_path / "whole", vae)

    class Dying:
        config = vae.config
        calls = 0

        def parameters(self):
            return vae.parameters()

        def encode(self, pixels):
            Dying.calls += 1
            if Dying.calls == 2:
                raise KeyboardInterrupt
            return vae.encode(pixels)

    with pytest.raises(KeyboardInterrupt):
        cached(tmp_path / "parts", Dying())
    finished = list((tmp_path / "parts").glob("*.safetensors"))
    assert len(finished) == 1
    before = os.stat(finished[0]).st_mtime_ns
    assert torch.equal(cached(tmp_path / "parts", vae).latents, whole.latents)
    assert os.stat(finished[0]).st_mtime_ns == before


def test_shards_are_safetensors_and_json(tmp_path, vae):
    cached(tmp_path, vae)
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".json", ".json", ".safetensors", ".safetensors"]
    path = sorted(tmp_path.glob("*.safetensors"))[0]
    assert load_file(path)["latent"].dtype == torch.float16
    words = json.loads(path.with_suffix(".json").read_text())
    assert [len(of_scene) for of_scene in words["captions"]] == [VARIANTS] * 3
    assert words["views"] == [[]] * 3  # a scene as small as a window has none


def test_other_scenes_or_another_encoder_are_encoded_anew(tmp_path, vae, vae_folder):
    first = cached(tmp_path, vae).latents
    assert not torch.equal(cached(tmp_path, vae, seed=9).latents, first)
    assert torch.equal(cached(tmp_path, vae).latents, first)
    assert len(cached(tmp_path, vae, count=6).latents) == 6
    other = AutoencoderKL.from_pretrained(vae_folder).eval()
    with torch.no_grad():
        next(other.parameters()).mul_(2)
    assert not torch.equal(cached(tmp_path, other).latents, first)
    other.load_state_dict(vae.state_dict())
    with torch.no_grad():
        other.decoder.conv_in.weight.mul_(2)  # latents do not depend on the decoder
    before = (tmp_path / f"{SIZE}_0000000.safetensors").stat().st_mtime_ns
    assert torch.equal(cached(tmp_path, vae).latents, first)
    between = (tmp_path / f"{SIZE}_0000000.safetensors").stat().st_mtime_ns
    assert between > before
    cached(tmp_path, other)
    assert (tmp_path / f"{SIZE}_0000000.safetensors").stat().st_mtime_ns == between


def test_windows_are_parts_of_the_scenes_with_words_of_their_own(tmp_path, vae):
    whole = CachedLatents(tmp_path, vae=vae, count=3, seed=4, size=256, concepts="known")
    parts = CachedLatents(tmp_path, vae=vae, count=3, seed=4, size=256, concepts="known", window=128)
    painted = [scene(4, index, concepts="known") for index in range(3)]
    assert len(parts.views) == sum(2 * len(one.objects) + 1 for one in painted)
    places = set()
    for number in range(len(parts.views)):
        item, (place, (y, x, words)) = parts[number], parts.views[number * 7919 % len(parts.views)]
        assert torch.equal(item["latent"], whole[place]["latent"][:, y : y + 16, x : x + 16])
        box = Box(8 * x, 8 * y, 8 * x + 128, 8 * y + 128)
        assert item["caption"] == words[0] == caption(cut_out(painted[place], box), 0)
        places.add(number * 7919 % len(parts.views))
    assert places == set(range(len(parts.views)))  # a turn shows every window once
    assert parts[len(parts.views)]["caption"] == parts.views[0][1][2][1]  # and the next one words it differently


def test_windows_of_another_side_are_refused(tmp_path, vae):
    with pytest.raises(OptionError, match="windows of 96"):
        CachedLatents(tmp_path, vae=vae, count=3, seed=4, size=256, concepts="known", window=96)


def test_decoding_undoes_the_scale(vae):
    pixels = pixels_of(scene(4, 0, size=SIZE).picture)[None]
    mean = vae.encode(pixels).latent_dist.mean
    torch.testing.assert_close(encode(vae, pixels), mean * vae.config.scaling_factor)
    torch.testing.assert_close(decode(vae, encode(vae, pixels)), vae.decode(mean).sample, rtol=1e-4, atol=1e-4)


def test_pixels_run_from_minus_one_to_one():
    picture = torch.tensor([[[0, 255, 51]]], dtype=torch.uint8).numpy()
    torch.testing.assert_close(pixels_of(picture)[:, 0, 0], torch.tensor([-1.0, 1.0, -0.6]))
