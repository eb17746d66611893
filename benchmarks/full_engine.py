"""The engine itself over networks of full size: `segment()`, with all that it does around them."""

from collections.abc import Callable

import numpy as np
import torch

from benchmarks.full_size import Networks, fill
from ldznet_ext.geometry import Size
from ldznet_ext.harvest.taps import LDZNET_TAPS
from ldznet_ext.hosts.clip_text import ClipText, TextConfig
from ldznet_ext.hosts.loading import Parts
from ldznet_ext.hosts.schedule import Schedule
from ldznet_ext.hosts.standalone import StandaloneBackbone
from ldznet_ext.hosts.tokens import load_tokens
from ldznet_ext.pipeline import segment
from ldznet_ext.result import Segmentation
from ldznet_ext.segmenters.ldznet import LDZNetSegmenter
from ldznet_ext.tensors import uninitialised
from ldznet_ext.weights import DEFAULT_MODEL, HeadInfo, find_model

WORDS = ("fox", "owl", "snow", "red ball", "grass", "sky", "house", "tree")


def make_backbone(nets: Networks, side: int) -> StandaloneBackbone:
    """A model of these networks, with CLIP's text tower of full size and its vocabulary; pictures of `side` are its own."""
    width = nets.unet.config.context_dim
    tower = (
        TextConfig() if width == 768 else TextConfig(hidden_size=width, intermediate_size=width, num_attention_heads=4)
    )
    weight = next(nets.unet.parameters())
    with uninitialised(), torch.device(weight.device):
        text = ClipText(tower)
    sticker = find_model(DEFAULT_MODEL)
    assert sticker is not None, "the repository ships it, and CLIP's vocabulary with it"
    return StandaloneBackbone(
        Parts(
            name="random SD 1.5",
            family="sd1",
            native=Size(side, side),
            unet=nets.unet,
            vae=nets.vae,
            text_encoder=fill(text, seed=5).to(dtype=weight.dtype).eval().requires_grad_(False),
            tokens=load_tokens(sticker / "tokenizer"),
            schedule=Schedule(),
        )
    )


def engine_calls(nets: Networks, side: int) -> dict[str, Callable[[], Segmentation]]:
    """What a person asks for, as `segment()` is asked: name -> call; each empties the caches as far as its name says."""
    backbone = make_backbone(nets, side)
    segmenter = LDZNetSegmenter(nets.head, HeadInfo(kind="ldznet", family="sd1", preset="sd1", taps=LDZNET_TAPS))
    picture = np.random.default_rng(0).integers(0, 255, (side, side, 3), dtype=np.uint8)

    def ask(*words: str, forget: bool) -> Segmentation:
        (backbone.caches if forget else backbone.caches.texts).clear()
        backbone.caches.features.clear()
        return segment(picture, words, backbone=backbone, method=segmenter)

    return {
        "uploaded": lambda: ask("fox", forget=True),
        "another phrase": lambda: ask("owl", forget=False),
        "8 phrases": lambda: ask(*WORDS, forget=False),
    }
