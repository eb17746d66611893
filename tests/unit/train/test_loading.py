"""Samples on their way from painting processes: bytes, and bit for bit the same floats after."""

import torch

from ldznet_ext.train.latents import CaptionedScenes
from ldznet_ext.train.loading import Packed, loader, rounds, unpacked
from ldznet_ext.train.noise import gaussian
from ldznet_ext.train.phrased import PhrasedScenes


def test_bytes_come_back_as_the_floats_they_were():
    scenes = PhrasedScenes(seed=4, size=64, styles=None, each=2, labels=True)
    packed = Packed(scenes)[3]
    assert {packed[name].dtype for name in ("pixels", "masks", "areas")} == {torch.uint8}
    back = unpacked(packed, "cpu")
    for name, value in scenes[3].items():
        assert torch.equal(back[name], value) if isinstance(value, torch.Tensor) else back[name] == value


def test_processes_give_what_one_gives():
    scenes = Packed(CaptionedScenes(seed=4, size=64, concepts="known"))
    turns = list(rounds(range(5), 2))
    one, two = (list(loader(scenes, workers=workers, batch_sampler=turns)) for workers in (0, 2))
    assert [len(batch["caption"]) for batch in one] == [2, 2, 1]
    for a, b in zip(one, two, strict=True):
        assert torch.equal(a["pixels"], b["pixels"]) and a["caption"] == b["caption"]


def test_noise_follows_the_step():
    draws = [gaussian((2, 3), torch.Generator().manual_seed(seed), torch.device("cpu")) for seed in (1, 1, 2)]
    assert torch.equal(draws[0], draws[1]) and not torch.equal(draws[0], draws[2])
