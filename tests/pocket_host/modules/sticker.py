"""Sticker-SD in the CompVis layout, as a web UI holds a checkpoint: LatentDiffusion's names over our own modules."""

import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from modules import devices, paths_internal, prompt_parser


def checkout() -> Any:
    """Import the package of the checkout, which is on sys.path only while its scripts are imported, as in A1111."""
    before = list(sys.path)
    sys.path.insert(0, paths_internal.extension_path)
    try:
        import ldznet_ext.hosts.loading as loading

        return loading
    finally:
        sys.path[:] = before


class LatentDiffusion(nn.Module):
    """ldm's LatentDiffusion as far as a web UI and its extensions touch it."""

    parameterization = "eps"
    is_sd1, is_sd2, is_sdxl, is_sd3, is_ssd, is_sdxl_inpaint = True, False, False, False, False, False
    latent_channels = 4
    lowvram = False

    def __init__(self, parts: Any, info: Any) -> None:
        super().__init__()
        self.model = DiffusionWrapper(parts.unet)
        self.first_stage_model = FirstStage(parts.vae)
        self.cond_stage_model = Conditioner(parts.text_encoder, parts.tokens)
        self.scale_factor = parts.vae.config.scaling_factor
        self.register_buffer("alphas_cumprod", torch.tensor(parts.schedule.alpha_bar, dtype=torch.float32))
        self.sd_checkpoint_info, self.sd_model_hash = info, info.shorthash
        self.sd_model_checkpoint = info.filename
        self.used_config = str(Path(info.filename, "model_index.json"))
        self.native = parts.native

    @property
    def device(self) -> torch.device:
        """Where the networks live."""
        return self.alphas_cumprod.device

    def ema_scope(self) -> Any:
        """There are no averaged weights to swap in."""
        import contextlib

        return contextlib.nullcontext()

    def apply_model(self, x: Tensor, t: Tensor, cond: Any) -> Tensor:
        """The UNet: x noised as DDPM does, t its timesteps, cond a tensor or {"c_crossattn": [tensor], ...}."""
        if isinstance(cond, dict):
            cond = torch.cat(cond["c_crossattn"], dim=1)
        return self.model(x, t, c_crossattn=[cond])

    def get_learned_conditioning(self, prompts: Sequence[str]) -> Tensor:
        """Texts to states (b 77k c), weights as written."""
        return self.cond_stage_model(prompts)

    def encode_first_stage(self, x: Tensor) -> "Posterior":
        """Pixels in [-1, 1] to what the latent is drawn from."""
        return self.first_stage_model.encode(x)

    def get_first_stage_encoding(self, posterior: Any) -> Tensor:
        """A draw, scaled."""
        drawn = posterior.sample() if isinstance(posterior, Posterior) else posterior
        return drawn * self.scale_factor

    def decode_first_stage(self, z: Tensor) -> Tensor:
        """A scaled latent to pixels, about [-1, 1]."""
        return self.first_stage_model.decode(z / self.scale_factor)


class DiffusionWrapper(nn.Module):
    """`sd_model.model`: holds the UNet, picks its arguments."""

    conditioning_key = "crossattn"

    def __init__(self, unet: nn.Module) -> None:
        super().__init__()
        self.diffusion_model = unet

    def forward(self, x: Tensor, t: Tensor, c_concat: Any = None, c_crossattn: Any = None) -> Tensor:
        return self.diffusion_model(x, t, context=torch.cat(c_crossattn, dim=1))


class Posterior:
    """A diagonal Gaussian."""

    def __init__(self, moments: Tensor) -> None:
        self.mean, logvar = moments.chunk(2, dim=1)
        self.std = torch.exp(0.5 * logvar.clamp(-30, 20))

    def sample(self) -> Tensor:
        """A draw."""
        return self.mean + self.std * torch.randn_like(self.mean)

    def mode(self) -> Tensor:
        """Its middle."""
        return self.mean


class FirstStage(nn.Module):
    """`sd_model.first_stage_model`: the auto-encoder with unscaled latents."""

    def __init__(self, vae: nn.Module) -> None:
        super().__init__()
        self.vae = vae.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def encode(self, x: Tensor) -> Posterior:
        """Pixels to a distribution."""
        return Posterior(self.vae.quant_conv(self.vae.encoder(x)))

    def decode(self, z: Tensor) -> Tensor:
        """A latent to pixels."""
        return self.vae.decoder(self.vae.post_quant_conv(z))


class Conditioner(nn.Module):
    """`sd_model.cond_stage_model`: A1111's wrapper of a text encoder, as far as it is asked for chunks of tokens.

    `wrapped.transformer` takes ids and gives `last_hidden_state`; `wrapped.tokenizer` is CLIP's.
    """

    chunk_length = 75

    def __init__(self, encoder: nn.Module, tokens: Any) -> None:
        super().__init__()
        self.wrapped = Wrapped(encoder, tokens)
        self._tokens = tokens
        self.id_start, self.id_end, self.id_pad = tokens._start, tokens._end, tokens._pad

    @property
    def tokenizer(self) -> Any:
        """CLIP's."""
        return self.wrapped.tokenizer

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids without start and end."""
        return [self._tokens.ids(text) for text in texts]

    def tokenize_line(self, line: str) -> tuple[list[Any], int]:
        """Chunks of 77 with `tokens` and `multipliers`, and how many tokens there were."""
        ids, weights = [], []
        for text, weight in prompt_parser.parse_prompt_attention(line):
            found = self._tokens.ids(text) if text != "BREAK" else []
            ids += found
            weights += [weight] * len(found)
        chunks = [self._chunk(ids[at : at + 75], weights[at : at + 75]) for at in range(0, max(len(ids), 1), 75)]
        return chunks, len(ids)

    def _chunk(self, ids: list[int], weights: list[float]) -> Any:
        rest = self.chunk_length - len(ids)
        return SimpleNamespace(
            tokens=[self.id_start, *ids, self.id_end, *[self.id_pad] * rest],
            multipliers=[1.0, *weights, *[1.0] * (rest + 1)],
            fixes=[],
        )

    def process_texts(self, texts: Sequence[str]) -> tuple[list[list[Any]], int]:
        """Chunks of each text, and the greatest count of tokens."""
        answers = [self.tokenize_line(text) for text in texts]
        return [chunks for chunks, _ in answers], max((count for _, count in answers), default=0)

    def encode_with_transformers(self, tokens: Tensor) -> Tensor:
        """Ids (b 77) to states (b 77 c)."""
        return self.wrapped.transformer(input_ids=tokens).last_hidden_state

    def forward(self, texts: Sequence[str]) -> Tensor:
        batches, _ = self.process_texts(texts)
        longest = max(len(chunks) for chunks in batches)
        empty = self.tokenize_line("")[0][0]
        columns = [[chunks[at] if at < len(chunks) else empty for chunks in batches] for at in range(longest)]
        return torch.cat([self._encode(column) for column in columns], dim=1)

    def _encode(self, chunks: Sequence[Any]) -> Tensor:
        """States of one chunk a text, weighed, with the mean brought back."""
        states = self.encode_with_transformers(torch.tensor([chunk.tokens for chunk in chunks], device=devices.device))
        weights = torch.tensor([chunk.multipliers for chunk in chunks], device=states.device)[..., None]
        weighed = states * weights
        return weighed * (states.mean() / weighed.mean())


class Wrapped(nn.Module):
    """FrozenCLIPEmbedder."""

    max_length = 77

    def __init__(self, encoder: nn.Module, tokens: Any) -> None:
        super().__init__()
        self.transformer = Transformer(encoder)
        self.tokenizer = Tokenizer(tokens)


class Transformer(nn.Module):
    """transformers' CLIPTextModel: what is asked of it by name."""

    def __init__(self, text_model: nn.Module) -> None:
        super().__init__()
        self.text_model = text_model
        self.config = SimpleNamespace(**vars(text_model.config))

    def forward(self, input_ids: Tensor, **_: Any) -> Any:
        states = self.text_model(input_ids)
        return SimpleNamespace(last_hidden_state=states, hidden_states=(states,), pooler_output=states[:, 0])


class Tokenizer:
    """transformers' CLIPTokenizer: ids of texts, and back."""

    model_max_length = 77

    def __init__(self, tokens: Any) -> None:
        self._tokens = tokens

    def get_vocab(self) -> dict[str, int]:
        """Token to id."""
        return self._tokens._tokenizer.get_vocab()

    def __call__(self, texts: Sequence[str], **_: Any) -> dict[str, list[list[int]]]:
        return {"input_ids": [self._tokens.ids(text) for text in texts]}

    def convert_ids_to_tokens(self, ids: Sequence[int]) -> list[str]:
        """Ids to tokens."""
        return [self._tokens._tokenizer.id_to_token(number) for number in ids]
