"""The stand-alone host: Sticker-SD, a diffusers folder, a single .safetensors file or a hub model, on our own modules."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ldznet_ext.backbone import Conditioning
from ldznet_ext.errors import ModelError, NetworkError, OptionError
from ldznet_ext.hosts.adding import add
from ldznet_ext.hosts.autoencoder import Autoencoder
from ldznet_ext.hosts.base import BaseBackbone
from ldznet_ext.hosts.dual_text import size_vector
from ldznet_ext.hosts.fast_encoder import read_fast_encoder
from ldznet_ext.hosts.hub import cached, parse_hub_id
from ldznet_ext.hosts.inpainting import with_beside
from ldznet_ext.hosts.loading import Parts, read_checkpoint, read_folder
from ldznet_ext.hosts.prediction import check_prediction
from ldznet_ext.hosts.sampling import sample
from ldznet_ext.hosts.unet_settings import INPAINTING
from ldznet_ext.hosts.wearing import Named, Weighted, put_on
from ldznet_ext.nets.unet import UNet
from ldznet_ext.sampling import Progress, Sampling, Start
from ldznet_ext.shapes import Float
from ldznet_ext.watch import UNWATCHED, Watch
from ldznet_ext.weights import DEFAULT_MODEL, find_model, model_folders

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


class StandaloneBackbone(BaseBackbone):
    """A Stable Diffusion model of our own modules."""

    unet: UNet
    vae: Autoencoder

    def __init__(self, parts: Parts, *, folder: Path | None = None, offload: bool = False) -> None:
        super().__init__()
        self.folder, self.offload = folder, offload
        if parts.unet.config.context_dim != parts.text_encoder.width:
            raise ModelError(
                f"{parts.name} has a text encoder {parts.text_encoder.width} wide; expected "
                f"{parts.unet.config.context_dim}, which its UNet reads, so restore the one that belongs to it."
            )
        self.name, self.family, self.native = parts.name, parts.family, parts.native
        self.unet, self.text_encoder = parts.unet, parts.text_encoder
        # nothing but convolutions: up to twice as fast this way on a CPU
        self.vae = parts.vae.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.tokens, self.second_tokens, self.schedule = parts.tokens, parts.second_tokens, parts.schedule
        self.factor = parts.vae.config.factor
        self.latent_channels = parts.vae.config.latent_channels

    @torch.inference_mode()
    def encode(self, pixels: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b c lh lw"]:
        """Pixels in [-1, 1] to the scaled latent mean."""
        own = next(self.vae.parameters()).dtype  # SDXL's computes in float32 where the UNet has half precision
        return self.vae.encode(pixels.to(device=self.device, dtype=own)).to(self.dtype)

    @torch.inference_mode()
    def posterior(self, pixels: Float[Tensor, "b 3 h w"]) -> tuple[Tensor, Tensor]:
        """Mean and deviation of the latents that pixels in [-1, 1] may have, both scaled and (b c lh lw)."""
        own = next(self.vae.parameters()).dtype
        mean, deviation = self.vae.posterior(pixels.to(device=self.device, dtype=own))
        return mean.to(self.dtype), deviation.to(self.dtype)

    @torch.inference_mode()
    def decode(self, latent: Float[Tensor, "b c lh lw"]) -> Float[Tensor, "b 3 h w"]:
        """A scaled latent to float32 pixels in [-1, 1]."""
        own = next(self.vae.parameters()).dtype
        return self.vae.decode(latent.to(device=self.device, dtype=own)).float().clamp(-1, 1)

    def encode_text(self, phrase: str) -> Float[Tensor, "1 tokens c"]:
        """Last hidden state for one phrase; of SDXL's two towers what its UNet reads."""
        return self._told(phrase)[0]

    @torch.inference_mode()
    def conditioning(self, texts: Sequence[str]) -> Conditioning:
        """What the UNet is told by the texts; SDXL's is cached with its vector."""
        if self.second_tokens is None:
            return super().conditioning(texts)
        keys = [(key, "conditioning") for key in self.text_keys(texts)]
        kept = [self.caches.texts.get_or(key, lambda key=key: self._told(key[0].phrase)) for key in keys]
        return Conditioning.join([Conditioning(*told) for told in kept])

    def _told(self, phrase: str) -> tuple[Tensor, ...]:
        """Text states of one phrase, and of SDXL its vector."""
        ids = torch.tensor([self.tokens.encode(phrase)], device=self.device)
        if self.second_tokens is None:
            return (self.text_encoder(ids),)
        more = torch.tensor([self.second_tokens.encode(phrase)], device=self.device)
        states, pooled = self.text_encoder(ids, more, end=self.second_tokens.end_of(phrase))
        return states, size_vector(pooled, self.native)

    def unknown_words(self, phrase: str) -> tuple[str, ...]:
        """Words with tokens that are not in the model's `tokens_seen.json`; none where it has no such list."""
        return self.tokens.unknown_words(phrase)

    def token_ids(self, text: str) -> list[int]:
        """Ids of all tokens of a text, nothing around them."""
        return self.tokens.ids(text)

    def overflow(self, phrase: str) -> int:
        """Tokens beyond the 75 that are read."""
        return self.tokens.overflow(phrase)

    @torch.inference_mode()
    def predict(
        self, noisy: Float[Tensor, "b c lh lw"], timestep: int, context: Conditioning | Tensor
    ) -> Float[Tensor, "b c lh lw"]:
        """One call of the UNet, counted even when a harvest ends it early."""
        times = torch.full((1,), timestep, device=noisy.device).expand(noisy.shape[0])
        told = Conditioning.of(context)
        if self.inpaints:
            noisy = with_beside(self, noisy, told)
        with self.lock:  # another thread's harvest would read this call
            self.unet_calls += 1
            return self.unet(noisy, times, told.states, told.vector)

    @property
    def inpaints(self) -> bool:
        """Whether the UNet was trained to inpaint, and is told the mask and what surrounds it beside the latent."""
        return self.unet.config.in_channels == INPAINTING

    def generate(
        self,
        prompts: Sequence[str],
        seeds: Sequence[int],
        sampling: Sampling | None = None,
        *,
        start: Start | None = None,
        progress: Progress | None = None,
    ) -> Float[Tensor, "b c lh lw"]:
        """Scaled latents painted from words: DDIM, one UNet call a step."""
        return sample(self, prompts, seeds, sampling or Sampling(), start=start, progress=progress)


def load_backbone(
    source: str | os.PathLike[str] | None = None,
    device: str | torch.device | None = None,
    dtype: str | torch.dtype | None = None,
    *,
    lora: Weighted | None = None,
    embeddings: Named | Sequence[Named] | None = None,
    prediction: str | None = None,
    offload: bool = False,
    fast_encoder: str | os.PathLike[str] | None = None,
    watch: Watch = UNWATCHED,
) -> StandaloneBackbone:
    """Load a diffusion model: Stable Diffusion 1.x, 2.x or XL, plain or for inpainting.

    source: None for Sticker-SD; a folder in the diffusers layout; one .safetensors file in the CompVis layout, or the tensors
    of a .ckpt; the name of either in a model folder; or a hub id ("owner/name"), the only one that may use the network.
    device: an accelerator where there is one, else the CPU. dtype: float32 on the CPU, float16 elsewhere. lora, embeddings: LoRA
    files (a name, several, or name -> weight) and learned words that the model is to have; see `hosts.wearing`. prediction:
    "epsilon" or "v_prediction", where the model's files say the wrong one. offload: a trained head waits in main memory and is
    on the device only while it is asked. fast_encoder: TAESD's encoder (`hosts.fast_encoder`), which then reads the pictures that
    are looked at in place of the VAE; painting keeps the VAE. watch: told how much of the weights has been read; a cancel stops
    between two tensors.
    """
    chosen, said = pick_device(device), check_prediction(prediction)
    kind = pick_dtype(dtype, chosen)
    path = find_source(source, watch=watch)
    parts = _read(path, device=chosen, dtype=kind, watch=watch, prediction=said)
    backbone = StandaloneBackbone(parts, folder=path.absolute().parent, offload=offload)
    put_on(backbone, lora=lora, embeddings=embeddings)
    if fast_encoder is not None:
        shape = {"latent_channels": backbone.latent_channels, "factor": backbone.factor}
        backbone.fast_encoder = read_fast_encoder(fast_encoder, **shape, device=chosen, dtype=kind)
    return backbone


def pick_device(device: str | torch.device | None = None) -> torch.device:
    """The named device, checked, or the best there is."""
    if device is None:
        return _accelerator() or torch.device("cpu")
    try:
        chosen = torch.device(device)
        torch.ones(1, device=chosen).item()  # "meta" has tensors, but nothing in them
    except Exception as error:  # each kind of device raises its own
        here = ", ".join(dict.fromkeys([*([found.type] if (found := _accelerator()) else []), "cpu"]))
        raise OptionError(
            f"The device '{device}' cannot be used; expected one this machine and its torch have ({here}), so choose one."
        ) from error
    return chosen


def _accelerator() -> torch.device | None:
    """The accelerator of this machine; torch before 2.6 does not say."""
    found = torch.accelerator.current_accelerator() if hasattr(torch, "accelerator") else None
    return found if found is not None and torch.accelerator.is_available() else None


def pick_dtype(dtype: str | torch.dtype | None, device: torch.device) -> torch.dtype:
    """The named type, or float32 on the CPU and float16 elsewhere."""
    if dtype is None:
        return torch.float32 if device.type == "cpu" else torch.float16
    chosen = DTYPES.get(dtype) if isinstance(dtype, str) else dtype
    if chosen is None or chosen not in DTYPES.values():
        raise OptionError(f"The type is '{dtype}'; expected one of {', '.join(DTYPES)}, so choose one.")
    return chosen


def find_source(source: str | os.PathLike[str] | None = None, *, watch: Watch = UNWATCHED) -> Path:
    """The folder or file of a model as `load_backbone` takes it; a hub's model is fetched where it is not on this machine."""
    if source is None:
        return _sticker()
    if not isinstance(source, (str, os.PathLike)):
        raise ModelError(
            f"The model is a {type(source).__name__}; expected a path, a name or a hub id, so give one of them."
        )
    if not str(source).strip():
        raise ModelError("The model's name is blank; expected a path, a name or a hub id, so give one of them.")
    path = Path(source).expanduser()
    return path if path.exists() else find_model(str(source)) or _from_hub(str(source), watch)


def _read(path: Path, **placing: Any) -> Parts:
    if path.is_dir():
        return read_folder(path, **placing)
    return read_checkpoint(path, find_model(DEFAULT_MODEL), **placing)


def _sticker() -> Path:
    found = find_model(DEFAULT_MODEL)
    if found is None:
        places = ", ".join(str(folder) for folder in model_folders())
        raise ModelError(
            f"The model {DEFAULT_MODEL} is in none of {places}; expected it there, so restore it or name another."
        )
    return found


def _from_hub(source: str, watch: Watch) -> Path:
    """A hub's model: one that is on this machine, or else fetched into a model folder."""
    hub = parse_hub_id(source)
    if hub is None:
        raise ModelError(
            f"The model '{source}' does not exist; expected a diffusers folder, a .safetensors file, a name in a model folder "
            "or a hub id such as owner/name, so check it."
        )
    local = cached(hub)
    if local is not None:
        return local

    def told(what: str, done: int, total: int) -> None:
        watch.check()
        watch.tell(done / max(total, 1), f"fetching {what}, {done / 1e6:,.0f} of {total / 1e6:,.0f} MB")

    try:
        return add(source, told=told).path
    except NetworkError as error:
        raise NetworkError(f"The model '{source}' is not here and could not be fetched. {error}") from error
