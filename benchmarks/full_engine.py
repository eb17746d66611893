"""The engine itself over networks of full size: `segment()`, with all that it does around them."""

import copy
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import numpy as np
import torch

from benchmarks.full_size import PHRASES, TIMESTEP, Networks, make_inputs, random_network
from ldznet_ext.generate import view_of
from ldznet_ext.geometry import Size
from ldznet_ext.harvest.sampling import Kept
from ldznet_ext.harvest.taps import LDZNET_TAPS
from ldznet_ext.hosts.clip_text import ClipText, TextConfig
from ldznet_ext.hosts.loading import Parts
from ldznet_ext.hosts.schedule import Schedule
from ldznet_ext.hosts.standalone import StandaloneBackbone
from ldznet_ext.hosts.tokens import load_tokens
from ldznet_ext.nets import attention, blocks
from ldznet_ext.pipeline import find, segment
from ldznet_ext.request import SegmentRequest
from ldznet_ext.result import Segmentation
from ldznet_ext.segmenters.base import Clock
from ldznet_ext.segmenters.ldznet import LDZNetSegmenter
from ldznet_ext.weights import DEFAULT_MODEL, HeadInfo, find_model

WORDS = ("fox", "owl", "snow", "red ball", "grass", "sky", "house", "tree")


def make_backbone(nets: Networks, side: int) -> StandaloneBackbone:
    """A model of these networks, with CLIP's text tower of full size and its vocabulary; pictures of `side` are its own."""
    width = nets.unet.config.context_dim
    tower = (
        TextConfig() if width == 768 else TextConfig(hidden_size=width, intermediate_size=width, num_attention_heads=4)
    )
    weight = next(nets.unet.parameters())
    sticker = find_model(DEFAULT_MODEL)
    assert sticker is not None, "the repository ships it, and CLIP's vocabulary with it"
    return StandaloneBackbone(
        Parts(
            name="random SD 1.5",
            family="sd1",
            native=Size(side, side),
            unet=nets.unet,
            vae=nets.vae,
            text_encoder=random_network(lambda: ClipText(tower), seed=5, device=weight.device, dtype=weight.dtype),
            tokens=load_tokens(sticker / "tokenizer"),
            schedule=Schedule(),
        )
    )


def engine_calls(nets: Networks, side: int) -> dict[str, Callable[[], object]]:
    """What a person asks for, as `segment()` is asked: name -> call; each empties the caches as far as its name says.

    "plain" is what the authors' code does, with nothing around the networks: the words, the VAE, both UNets in full, attention in
    its three steps and tensors as PyTorch lays them out; "plain, our layers" the same with our attention, convolutions and
    the VAE's channels last.
    """
    theirs = copy.deepcopy(nets.vae)  # the backbone turns its own
    backbone = make_backbone(nets, side)
    segmenter: Any = LDZNetSegmenter(nets.head, HeadInfo(kind="ldznet", family="sd1", preset="sd1", taps=LDZNET_TAPS))
    picture = np.random.default_rng(0).integers(0, 255, (side, side, 3), dtype=np.uint8)
    inputs = make_inputs(nets, side)
    kept = Kept(timestep=TIMESTEP, features=dict(inputs.features), latent=inputs.latent)
    generated = view_of(picture, inputs.latent, (kept,))

    def ask(*words: str, new_picture: bool = False, fast: bool = False) -> Segmentation:
        backbone.fast_encoder = nets.fast if fast else None
        (backbone.caches if new_picture else backbone.caches.texts).clear()
        backbone.caches.features.clear()
        return segment(picture, words, backbone=backbone, method=segmenter)

    def of_the_generation() -> Segmentation:
        backbone.caches.texts.clear()
        return find(generated, SegmentRequest(phrases=("fox",)), backbone, segmenter, Clock())

    def plain() -> torch.Tensor:
        with torch.inference_mode():
            return nets.plain(inputs.pixels, backbone.encode_text("fox"))

    def as_the_authors() -> torch.Tensor:
        by_steps, convolved = (
            patch.object(attention, "attend", attention.in_steps),
            patch.object(blocks, "FEW_CELLS", 0),
        )
        with by_steps, convolved, patch.object(nets, "vae", theirs):
            return plain()

    return {
        "plain": as_the_authors,
        "plain, our layers": plain,
        "uploaded, fast encoder": lambda: ask("fox", new_picture=True, fast=True),
        "uploaded": lambda: ask("fox", new_picture=True),  # leaves the latent for those that follow
        "another phrase": lambda: ask("owl"),
        "just generated": of_the_generation,
        f"{PHRASES} phrases": lambda: ask(*WORDS),
    }
