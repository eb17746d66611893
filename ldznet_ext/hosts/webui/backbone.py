"""A diffusion model that a web UI has loaded, borrowed: what the hosts' backbones share.

Nothing is copied and nothing of it is kept alive: the host may drop its checkpoint whenever it likes. All calls happen inside
`Host.job` or `Host.inside`, which hold the lock, the autocast and the networks the words name.
"""

import weakref
from abc import abstractmethod
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from ldznet_ext.backbone import Conditioning
from ldznet_ext.caches import TextKey
from ldznet_ext.errors import ModelError
from ldznet_ext.hosts.base import BaseBackbone
from ldznet_ext.hosts.tokens import POSITIONS, Tokens, load_tokens, only_marks
from ldznet_ext.hosts.webui.facts import (
    INPAINTING,
    checkpoint_key,
    checkpoint_name,
    family_of,
    in_channels,
    native_size,
    text_settings,
    text_width,
    vae_key,
)
from ldznet_ext.hosts.webui.networks import networks_key
from ldznet_ext.hosts.webui.text import for_parser, tokens_of
from ldznet_ext.sampling import Progress, Sampling, Start
from ldznet_ext.shapes import Float
from ldznet_ext.weights import DEFAULT_MODEL, find_model


class BorrowedBackbone(BaseBackbone):
    """Shared by `compvis` and `forge`; what differs is where a host keeps its parts and how it calls them."""

    elsewhere = "a real Stable Diffusion checkpoint may know it, so choose one in the web UI"

    def __init__(self, model: Any) -> None:
        super().__init__()
        self._model = weakref.ref(model)
        self._unet, self._checkpoint = weakref.ref(self.unet), checkpoint_key(model)
        self.name = checkpoint_name(model)
        self.text_width = text_width(self.unet, self.name)
        self.in_channels = in_channels(self.unet, self.name)
        self.family = family_of(self.text_width)
        self.native = native_size(self.family, velocity=self.predicts_velocity)

    @property
    def model(self) -> Any:
        """The host's model object, while the host has it."""
        model = self._model()
        if model is None:
            raise ModelError(
                f"The checkpoint {self.name} is no longer loaded; expected it to stay while a mask is made, so ask again."
            )
        return model

    def is_of(self, model: Any) -> bool:
        """Whether it still stands for this model object, with the same UNet and the same checkpoint in it."""
        return self._model() is model and self._unet() is self.unet and self._checkpoint == checkpoint_key(model)

    @property
    def file_key(self) -> Hashable:
        """The state of the file that the weights are of; None where it is not there any more."""
        path, saved, _ = self._checkpoint
        return (path, saved) if saved else None

    # what differs between hosts

    @property
    @abstractmethod
    def predicts_velocity(self) -> bool:
        """Whether the UNet was trained to predict velocities. Its features are as good, so nothing else depends on it."""

    @property
    @abstractmethod
    def clip(self) -> Any:
        """The host's object that cuts prompts into chunks of 77 tokens (`tokenize_line`)."""

    @abstractmethod
    def learned(self, text: str) -> Any:
        """The host's own conditioning of one text that is escaped already."""

    @abstractmethod
    def last_layer(self) -> Any:
        """A context in which `learned` gives the encoder's last layer, whatever the user's CLIP skip is."""

    @abstractmethod
    def call_unet(self, noisy: Tensor, timestep: int, told: Conditioning, extra: Tensor | None) -> Tensor:
        """The host's way through its memory management to the UNet. extra: what an inpainting model is told beside it."""

    @abstractmethod
    def settle(self) -> None:
        """Have the UNet's weights ready, so that its layers may be asked for keys."""

    def grading(self) -> Any:
        """The mode the host itself runs its models in: what it writes into them in another cannot be written again."""
        return no_grad()

    @abstractmethod
    def encode(self, pixels: Tensor) -> Tensor:
        """Pixels (b 3 h w) in [-1, 1] to the scaled latent mean."""

    @abstractmethod
    def decode(self, latent: Tensor) -> Tensor:
        """A scaled latent to float32 pixels in [-1, 1]."""

    # texts

    def state_key(self, part: str) -> Hashable:
        """A key of the present weights of "vae", "text" or "unet", LoRA included."""
        where = checkpoint_key(self.model)
        if part == "vae":
            return where, vae_key(self.model)
        return where, networks_key(self.model)

    def conditioning_keys(self, texts: Sequence[str]) -> tuple[TextKey, ...]:
        """The keys of the texts' conditioning: the user's settings of the text encoder, and the embeddings, are in them."""
        encoder = (self.state_key("text"), "conditioning", text_settings(), self.known_embeddings())
        return tuple(TextKey(encoder=encoder, phrase=text) for text in texts)

    def text_keys(self, phrases: Sequence[str]) -> tuple[TextKey, ...]:
        """The keys of the phrases' text states."""
        encoder = (self.state_key("text"), "last layer", self.known_embeddings())
        return tuple(TextKey(encoder=encoder, phrase=phrase) for phrase in phrases)

    def conditioning(self, texts: Sequence[str]) -> Conditioning:
        """What the UNet is told, as the host encodes it for a picture: CLIP skip and text embeddings are the user's.

        The texts hold no weights: brackets are words here. The UNet is made ready after it.
        """
        parts = []
        for key in self.conditioning_keys(texts):
            kept = self.caches.texts.get_or(key, lambda key=key: _as_tensors(self._told(key.phrase)))
            parts.append(Conditioning(*kept))
        self.settle()
        return Conditioning.join(parts)

    def encode_text(self, phrase: str) -> Float[Tensor, "1 tokens c"]:
        """Last layer, unweighted: what heads were trained on. SDXL has no heads yet, and what its UNet is told stands for it."""
        with self.last_layer() if self.family != "sdxl" else nullcontext():
            return self._told(phrase).states

    def _told(self, text: str) -> Conditioning:
        with self.grading():
            learned = self.learned(for_parser(text))
        states = learned["crossattn"] if isinstance(learned, dict) else learned
        vector = learned.get("vector") if isinstance(learned, dict) else None
        place = {"device": self.device, "dtype": self.dtype}
        return Conditioning(states[:, :POSITIONS].to(**place), None if vector is None else vector.to(**place))

    def token_ids(self, text: str) -> list[int]:
        """Tokens as the host's own chunks hold them: a text embedding takes as many places as it has vectors."""
        return tokens_of(self.clip, text)

    def overflow(self, phrase: str) -> int:
        """How many tokens are beyond the 75 of one chunk."""
        return max(0, len(self.token_ids(phrase)) - (POSITIONS - 2))

    def unknown_words(self, phrase: str) -> tuple[str, ...]:
        """Words our own small model never saw, where it is the one that is loaded; and phrases that are nothing but marks."""
        if only_marks(phrase) or not self.token_ids(phrase):
            return (phrase.strip() or phrase,)
        return () if self._vocabulary is None else self._vocabulary.unknown_words(phrase)

    @cached_property
    def _vocabulary(self) -> Tokens | None:
        folder = find_model(DEFAULT_MODEL) if self.family == "sticker" else None
        if folder is None or not (folder / "tokens_seen.json").is_file():
            return None
        return load_tokens(folder / "tokenizer", folder / "tokens_seen.json")

    def known_embeddings(self) -> Hashable:
        """The user's text embeddings: those of a folder that has changed are read anew, under the same names."""
        known = getattr(self.embeddings, "word_embeddings", {})
        return hash(frozenset((name, id(embedding)) for name, embedding in known.items()))

    @property
    @abstractmethod
    def embeddings(self) -> Any:
        """The host's table of text embeddings."""

    # the UNet

    def predict(
        self, noisy: Float[Tensor, "b c lh lw"], timestep: int, context: Conditioning | Tensor
    ) -> Float[Tensor, "b c lh lw"]:
        """One call of the UNet through the host, counted."""
        with self.lock, self.grading():
            extra = self._beside(noisy) if self.in_channels == INPAINTING else None
            self.unet_calls += 1
            return self.call_unet(noisy, timestep, Conditioning.of(context), extra)

    def _beside(self, noisy: Tensor) -> Float[Tensor, "b 5 lh lw"]:
        """What an inpainting model is told where everything is to be painted, as hosts do without a mask: ones, and grey."""
        height, width = (side * self.factor for side in noisy.shape[-2:])
        key = (self.state_key("vae"), "grey", height, width, str(self.dtype))
        grey = self.caches.latents.get_or(key, lambda: self.encode(torch.zeros(1, 3, height, width)))
        told = torch.cat([torch.ones_like(grey[:, :1]), grey], dim=1)
        return told.expand(len(noisy), -1, -1, -1)

    def generate(
        self,
        prompts: Sequence[str],
        seeds: Sequence[int],
        sampling: Sampling | None = None,
        *,
        start: Start | None = None,
        progress: Progress | None = None,
    ) -> Tensor:
        """Not here: the web UI paints."""
        raise ModelError(
            f"A picture was asked of {self.name} inside a web UI; expected masks only, so paint with the web UI itself."
        )


@contextmanager
def no_grad() -> Iterator[None]:
    """No gradients, and no inference mode either: what a host moves or merges inside it, it must be able to write into later."""
    with torch.inference_mode(False), torch.no_grad():
        yield


def _as_tensors(told: Conditioning) -> tuple[Tensor, ...]:
    return (told.states,) if told.vector is None else (told.states, told.vector)
