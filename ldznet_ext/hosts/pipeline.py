"""A pipeline of diffusers that a program has loaded, borrowed: its LoRA, learned words and merged weights act in the mask.

Nothing is copied and nothing of it is changed: features are read by hooks that leave no trace. Its own text encoding is used, so
that words which were learned are those that it paints with.
"""

import copy
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ldznet_ext.backbone import Conditioning
from ldznet_ext.caches import state_key
from ldznet_ext.errors import ModelError
from ldznet_ext.hosts.base import BaseBackbone
from ldznet_ext.hosts.inpainting import with_beside
from ldznet_ext.hosts.loading import native_size
from ldznet_ext.hosts.sampling import sample
from ldznet_ext.hosts.schedule import read_schedule
from ldznet_ext.hosts.tokens import POSITIONS, only_marks
from ldznet_ext.hosts.unet_settings import INPAINTING, family_of, unet_config
from ldznet_ext.sampling import Progress, Sampling, Start
from ldznet_ext.shapes import Float

PARTS = ("unet", "vae", "text_encoder", "tokenizer", "scheduler")


def is_pipeline(source: object) -> bool:
    """Whether something has the parts of a Stable Diffusion pipeline."""
    return all(getattr(source, part, None) is not None for part in PARTS)


class PipelineBackbone(BaseBackbone):
    """Over a `StableDiffusionPipeline`, its XL and inpainting kinds; ModelError for a UNet of another kind."""

    unet: Any
    vae: Any

    def __init__(self, pipeline: Any) -> None:
        super().__init__()
        config = unet_config(dict(pipeline.unet.config))
        second = getattr(pipeline, "text_encoder_2", None)
        if bool(config.vector_dim) != (second is not None):
            raise ModelError(
                f"The pipeline has {'a' if second is not None else 'no'} second text encoder, which does not go with its UNet; "
                "expected a whole Stable Diffusion 1.x, 2.x or XL, so load both from the same model."
            )
        self.pipeline = pipeline
        self.name = Path(str(getattr(pipeline.config, "_name_or_path", "") or "pipeline")).name
        self.family, self.text_width = family_of(config), config.context_dim
        self.inpaints = config.in_channels == INPAINTING
        self.unet, self.vae, self.text_encoder = pipeline.unet, pipeline.vae, pipeline.text_encoder
        self.factor = 2 ** (len(pipeline.vae.config.block_out_channels) - 1)
        self.latent_channels = pipeline.vae.config.latent_channels
        self.native = native_size(pipeline.unet.config, self.factor)
        self.schedule = read_schedule(dict(pipeline.scheduler.config))

    def state_key(self, part: str) -> Hashable:
        """A key of the present weights, of adapters that are on, and of both text encoders."""
        if part != "text":
            return state_key(getattr(self, part)), _adapters(getattr(self, part))
        encoders = [self.text_encoder, getattr(self.pipeline, "text_encoder_2", None)]
        return tuple((state_key(each), _adapters(each)) for each in encoders if each is not None)

    @torch.inference_mode()
    def encode(self, pixels: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b c lh lw"]:
        """Pixels in [-1, 1] to the scaled latent mean."""
        vae = self._precise_vae()
        found = vae.encode(pixels.to(self.device, vae.dtype)).latent_dist.mean
        return (found * vae.config.scaling_factor).to(self.dtype)

    @torch.inference_mode()
    def decode(self, latent: Float[Tensor, "b c lh lw"]) -> Float[Tensor, "b 3 h w"]:
        """A scaled latent to float32 pixels in [-1, 1]."""
        vae = self._precise_vae()
        latent = latent.to(self.device, vae.dtype) / vae.config.scaling_factor
        return vae.decode(latent).sample.float().clamp(-1, 1)

    def _precise_vae(self) -> Any:
        """The pipeline's, or where that is SDXL's in half precision, which overflows, a copy of it in float32."""
        fragile = self.family == "sdxl" and self.vae.dtype == torch.float16 and self.vae.config.force_upcast
        return copy.deepcopy(self.vae).float() if fragile else self.vae

    def encode_text(self, phrase: str) -> Float[Tensor, "1 tokens c"]:
        """Text states as the pipeline's UNet reads them."""
        return self._told(phrase)[0]

    @torch.inference_mode()
    def conditioning(self, texts: Sequence[str]) -> Conditioning:
        """What the UNet is told by the texts. vector: of SDXL the pooled text; the sizes are added when the UNet is called."""
        keys = [(key, "conditioning") for key in self.text_keys(texts)]
        kept = [self.caches.texts.get_or(key, lambda key=key: self._told(key[0].phrase)) for key in keys]
        return Conditioning.join([Conditioning(*told) for told in kept])

    def _told(self, phrase: str) -> tuple[Tensor, ...]:
        encoded = self.pipeline.encode_prompt(
            prompt=phrase, device=self.device, num_images_per_prompt=1, do_classifier_free_guidance=False
        )
        return (encoded[0], encoded[2]) if self.family == "sdxl" else (encoded[0],)

    def token_ids(self, text: str) -> list[int]:
        """Ids of all tokens of a text, nothing around them; a learned word has one for each of its vectors."""
        tokenizer = self.pipeline.tokenizer
        return tokenizer(self.pipeline.maybe_convert_prompt(text, tokenizer), add_special_tokens=False).input_ids

    def overflow(self, phrase: str) -> int:
        """Tokens beyond the 75 that are read."""
        return max(0, len(self.token_ids(phrase)) - (POSITIONS - 2))

    def unknown_words(self, phrase: str) -> tuple[str, ...]:
        """A phrase that is nothing but marks; of others nobody can tell."""
        return (phrase.strip() or phrase,) if only_marks(phrase) or not self.token_ids(phrase) else ()

    @torch.inference_mode()
    def predict(
        self, noisy: Float[Tensor, "b c lh lw"], timestep: int, context: Conditioning | Tensor
    ) -> Float[Tensor, "b c lh lw"]:
        """One call of the UNet, counted even when a harvest ends it early."""
        told, more = Conditioning.of(context), {}
        if told.vector is not None:
            sizes = torch.tensor([[*self.native, 0, 0, *self.native]], device=noisy.device, dtype=told.vector.dtype)
            more["added_cond_kwargs"] = {"text_embeds": told.vector, "time_ids": sizes.expand(len(told.vector), -1)}
        noisy = with_beside(self, noisy, told) if self.inpaints else noisy
        with self.lock:  # another thread's harvest would read this call
            self.unet_calls += 1
            return self.unet(noisy, timestep, told.states, **more).sample

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


def _adapters(module: Any) -> Hashable:
    """Which adapters (peft's) are switched on: that changes no weight and no scale."""
    layers = (each for each in module.modules() if isinstance(getattr(each, "disable_adapters", None), bool))
    return tuple((each.disable_adapters, tuple(getattr(each, "active_adapters", ()))) for each in layers)
