"""Networks of SD 1.5's and LD-ZNet's full size with random weights, and what a mask asks of them in each situation.

No real weights can be had here, and time and memory do not depend on them: drawn so that every layer keeps its signal near one,
they also tell what half precision costs. `benchmarks/gpu.py` and `benchmarks/real_speed.py` measure with them.
"""

import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from ldznet_ext.harvest.hooks import harvest
from ldznet_ext.harvest.taps import LDZNET_TAPS, last_tap
from ldznet_ext.hosts.autoencoder import Autoencoder, AutoencoderConfig
from ldznet_ext.hosts.fast_encoder import FastEncoder, FastEncoderConfig
from ldznet_ext.hosts.schedule import Schedule
from ldznet_ext.nets.heads import build_head
from ldznet_ext.nets.unet import UNet, UNetConfig
from ldznet_ext.nets.znet import ZNet
from ldznet_ext.tensors import uninitialised

Network = TypeVar("Network", bound=nn.Module)

TIMESTEP = 400
TOKENS = 77
SCHEDULE = Schedule()
PHRASES = 8
BRANCH_ENDS = ("proj_out", "out_layers.3", "ff.net.2", "to_out.0", "c_proj", "conv2", "conv.4")
"""The last layers of residual branches: halved, so that a sum of sixty branches stays near one."""


@dataclass(kw_only=True)
class Networks:
    """The four networks of a mask, all of one type and on one device."""

    vae: Autoencoder
    fast: FastEncoder
    unet: UNet
    head: ZNet

    def each(self) -> Mapping[str, nn.Module]:
        """Name -> network."""
        return {"vae": self.vae, "fast": self.fast, "unet": self.unet, "head": self.head}

    def noisy(self, latent: Tensor) -> Tensor:
        """The latent (b c lh lw) with the noise of timestep 400."""
        return SCHEDULE.add_noise(latent, _noise(latent.shape, latent.device, latent.dtype), TIMESTEP)

    def step(self, latent: Tensor, context: Tensor) -> Tensor:
        """One whole call of the UNet, a row for each text."""
        times = torch.full((context.shape[0],), TIMESTEP, device=latent.device)
        return self.unet(latent.expand(context.shape[0], -1, -1, -1), times, context)

    def features(self, latent: Tensor, context: Tensor, *, early: bool = True) -> dict[str, Tensor]:
        """What the head reads, of a pass that ends after the last tap, or goes to its end as the authors' does."""
        with harvest(self.unet, LDZNET_TAPS, stop_after=last_tap(LDZNET_TAPS) if early else None) as store:
            self.step(self.noisy(latent), context)
        return store.take()

    def plain(self, pixels: Tensor, context: Tensor) -> Tensor:
        """What the authors' code does: the VAE, the whole UNet, the whole head."""
        latent = self.vae.encode(pixels)
        return self.head(latent, context, self.features(latent, context, early=False))

    def uploaded(self, pixels: Tensor, context: Tensor) -> Tensor:
        """A picture never seen before."""
        return self.again(self.vae.encode(pixels), context)

    def uploaded_fast(self, pixels: Tensor, context: Tensor) -> Tensor:
        """The same through the fast encoder."""
        return self.again(self.fast.encode(pixels), context)

    def again(self, latent: Tensor, context: Tensor) -> Tensor:
        """Another phrase, or several, on a picture whose latent is at hand."""
        return self.head(latent, context, self.features(latent, context))


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """What the networks are asked about: pixels in [-1, 1], their latent, text states, and the features of the first text."""

    pixels: Tensor
    latent: Tensor
    context: Tensor
    features: Mapping[str, Tensor]

    @property
    def one(self) -> Tensor:
        """The states of one text."""
        return self.context[:1]


@cache
def _noise(shape: torch.Size, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Drawn on the CPU, once: a graph of a GPU's work may not copy from there."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(1)).to(device=device, dtype=dtype)


def situations(nets: Networks, inputs: Inputs) -> dict[str, Callable[[], Tensor]]:
    """The rows of the table, and what they are compared with: name -> what has to be computed."""
    return {
        "plain": lambda: nets.plain(inputs.pixels, inputs.one),
        "uploaded": lambda: nets.uploaded(inputs.pixels, inputs.one),
        "uploaded, fast encoder": lambda: nets.uploaded_fast(inputs.pixels, inputs.one),
        "another phrase": lambda: nets.again(inputs.latent, inputs.one),
        "just generated": lambda: nets.head(inputs.latent, inputs.one, inputs.features),
        f"{PHRASES} phrases": lambda: nets.again(inputs.latent, inputs.context),
        "UNet step": lambda: nets.step(inputs.latent, inputs.one),
        "UNet step, 2 rows": lambda: nets.step(inputs.latent, inputs.context[:2]),
    }


def build(*, device: torch.device | str, dtype: torch.dtype, tiny: bool = False, fill_them: bool = True) -> Networks:
    """Networks of SD 1.5's sizes (tiny: of its shape alone), random, the same every time on one kind of device.

    fill_them: draw their weights; on the meta device there are none.
    """
    unet = UNetConfig(model_channels=32, context_dim=64) if tiny else UNetConfig()
    vae = AutoencoderConfig(block_out_channels=(32, 32, 64, 64)) if tiny else AutoencoderConfig()

    def make(number: int, network: Callable[[], Network]) -> Network:
        return random_network(network, seed=number, device=device, dtype=dtype, fill_it=fill_them)

    return Networks(
        vae=make(1, lambda: Autoencoder(vae)),
        fast=make(2, lambda: FastEncoder(FastEncoderConfig(channels=16 if tiny else 64))),
        unet=make(3, lambda: UNet(unet)),
        head=make(4, lambda: build_head("ldznet", "golden" if tiny else "sd1")),
    )


def random_network(
    make: Callable[[], Network],
    *,
    seed: int,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
    fill_it: bool = True,
) -> Network:
    """One network, frozen, with weights as `fill` draws them."""
    with uninitialised(), torch.device(device):
        made = make()
    made = fill(made, seed=seed) if fill_it else made
    return made.to(dtype=dtype).eval().requires_grad_(False)


def make_inputs(nets: Networks, side: int) -> Inputs:
    """A smooth random picture of this side, random texts, and what the networks make of them."""
    weight = next(nets.unet.parameters())
    drawn = torch.Generator().manual_seed(side)
    coarse = torch.randn(1, 3, side // 32, side // 32, generator=drawn)
    pixels = nn.functional.interpolate(coarse, size=(side, side), mode="bicubic").clamp(-1, 1).to(weight)
    context = torch.randn(PHRASES, TOKENS, nets.unet.config.context_dim, generator=drawn).to(weight)
    latent = nets.vae.encode(pixels)
    return Inputs(pixels=pixels, latent=latent, context=context, features=nets.features(latent, context[:1]))


@torch.no_grad()
def fill(network: Network, *, seed: int) -> Network:
    """Random weights that keep a signal's size from layer to layer; in place, drawn where the weights are."""
    device = next(network.parameters()).device
    drawn = torch.Generator(device).manual_seed(seed)
    for name, weight in network.named_parameters():
        if weight.ndim > 1 and "positional" not in name:
            gain = 0.5 if name.rsplit(".", 1)[0].endswith(BRANCH_ENDS) else 1.3
            weight.normal_(0, gain / math.sqrt(weight[0].numel()), generator=drawn)
        elif weight.ndim > 1:
            weight.normal_(0, weight.shape[0] ** -0.5, generator=drawn)
        else:
            weight.zero_()
    for module in network.modules():
        if isinstance(module, (nn.GroupNorm, nn.LayerNorm)):
            module.weight.fill_(1)
    if isinstance(network, Autoencoder):
        # latents as the UNet sees them have a spread of one
        network.quant_conv.weight.div_(network.config.scaling_factor)
    if isinstance(network, ZNet):
        _open_decoder(network)
    return network


def _open_decoder(head: ZNet) -> None:
    """The authors' decoder has one channel: random weights would close it, so it passes on what it gets, little changed."""
    *_, last, _ = head.out.children()
    nn.init.constant_(last.get_parameter("bias"), 3)  # where SiLU is steep
    for layer in head.final.modules():
        if isinstance(layer, nn.ConvTranspose2d):
            layer.weight.fill_(1)
        elif isinstance(layer, nn.Conv2d):
            layer.weight.mul_(0.1)
            layer.weight[:, :, 1, 1].add_(1)
