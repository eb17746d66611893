"""What a method looks at: the picture as the network sees it, and its latent and features once someone needs them."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ldznet_ext.caches import FeaturesKey, LatentKey, digest, state_key
from ldznet_ext.geometry import Size
from ldznet_ext.harvest.hooks import harvest
from ldznet_ext.harvest.sampling import Kept
from ldznet_ext.harvest.taps import last_tap, parse_tap
from ldznet_ext.masks.imaging import Fit, fit, to_network
from ldznet_ext.sampling import seeded_noise
from ldznet_ext.shapes import Float

if TYPE_CHECKING:
    from ldznet_ext.backbone import Backbone


@dataclass(frozen=True, kw_only=True, eq=False)
class View:
    """A picture in front of a model.

    picture: uint8 (h w 3). pixels: float32 (3 h' w') in [-1, 1] at the network's size. given_latent: the scaled latent
    (1 c lh lw) that a generation ended with. given: what calls of the UNet left that painted it, as the method wanted.
    """

    picture: np.ndarray
    fit: Fit
    pixels: np.ndarray
    given_latent: Tensor | None = None
    given: tuple[Kept, ...] = ()
    picture_digest: str = field(default="")

    @property
    def given_features(self) -> Mapping[str, Tensor] | None:
        """Tap -> (1 c h w) of the one call, or the last of those, that was kept; None where nothing was."""
        return self.given[-1].features or None if self.given else None

    @property
    def given_timestep(self) -> int | None:
        """The timestep of that call."""
        return round(self.given[-1].timestep) if self.given else None

    def latent(self, backbone: "Backbone") -> Float[Tensor, "1 c lh lw"]:
        """The clean scaled latent, encoded once for each picture and VAE."""
        if self.given_latent is not None:
            return self.given_latent
        return backbone.caches.latents.get_or(
            self.latent_key(backbone), lambda: _encode(backbone, self.tensor(backbone))
        )

    def latent_key(self, backbone: "Backbone") -> Hashable:
        """What the latent depends on."""
        digested = self.picture_digest if self.given_latent is None else digest(self.given_latent.cpu().float().numpy())
        fast = _fast_encoder(backbone)
        if self.given_latent is None and fast is not None:
            return LatentKey(vae=state_key(fast), picture=digested, size=self.fit.network, kind="fast")
        kind = "mean" if self.given_latent is None else "given"
        return LatentKey(vae=backbone.state_key("vae"), picture=digested, size=self.fit.network, kind=kind)

    def tensor(self, backbone: "Backbone") -> Float[Tensor, "1 3 h w"]:
        """The pixels on the model's device."""
        return torch.from_numpy(self.pixels)[None].to(device=backbone.device, dtype=backbone.dtype)


def look(picture: np.ndarray, backbone: "Backbone", native: Size | None = None) -> View:
    """Put a picture (uint8 h w 3) in front of a model: stretched to multiples of 64 near its native area, or the one given."""
    fitted = fit(Size(*picture.shape[:2]), native or backbone.native)
    pixels = to_network(picture, fitted)
    return View(picture=picture, fit=fitted, pixels=pixels, picture_digest=digest(pixels))


def _fast_encoder(backbone: "Backbone") -> Any:
    """What a host has in place of its VAE for looking at pictures (`hosts.fast_encoder`), mostly None."""
    return getattr(backbone, "fast_encoder", None)


def _encode(backbone: "Backbone", pixels: Float[Tensor, "1 3 h w"]) -> Float[Tensor, "1 c lh lw"]:
    fast = _fast_encoder(backbone)
    if fast is None:
        return backbone.encode(pixels)
    with torch.inference_mode():
        return fast.encode(pixels)


def features_key(
    backbone: "Backbone", view: View, phrases: tuple[str, ...], taps: tuple[str, ...], *, timestep: int, seed: int
) -> FeaturesKey:
    """What features of the picture under these phrases depend on."""
    return FeaturesKey(
        latent=view.latent_key(backbone),
        texts=backbone.conditioning_keys(phrases),
        unet=backbone.state_key("unet"),
        timestep=timestep,
        seed=seed,
        taps=taps,
        dtype=str(backbone.dtype),
    )


def features_of(
    backbone: "Backbone",
    view: View,
    phrases: tuple[str, ...],
    taps: tuple[str, ...],
    *,
    timestep: int,
    seed: int,
) -> tuple[dict[str, Float[Tensor, "p c h w"]], int]:
    """Diffusion features of the picture under each phrase, and how many passes of the UNet that took: 0 or 1.

    The noise depends on (seed, size) alone, so all phrases share it. The pass ends right after the last tap. They are kept in
    main memory, so that what the device holds does not grow with the pictures and words that were asked for.
    """
    key = features_key(backbone, view, phrases, taps, timestep=timestep, seed=seed)
    kept = backbone.caches.features.get(key)
    if kept is not None:
        return {tap: value.to(backbone.device) for tap, value in kept.items()}, 0
    latent = view.latent(backbone)
    noise = seeded_noise(seed, tuple(latent.shape), latent.device, latent.dtype)
    noisy = backbone.add_noise(latent, noise, timestep).expand(len(phrases), -1, -1, -1)
    if any(
        parse_tap(tap).part for tap in taps
    ):  # before the words come in, our own UNet computes what is expanded once
        noisy = noisy.clone(memory_format=torch.contiguous_format)
    context = backbone.conditioning(phrases)
    with backbone.lock, harvest(backbone.unet, taps, stop_after=last_tap(taps)) as store:
        backbone.predict(noisy, timestep, context)
    features = store.take()
    backbone.caches.features.put(key, {tap: value.cpu() for tap, value in features.items()})
    return features, 1
