"""CLIP's text tower, the part Stable Diffusion reads: token ids to the last hidden state.

Follows openai/CLIP `model.py`; parameter names are transformers' `CLIPTextModel` without the `text_model.` prefix.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from ldznet_ext.errors import ModelError
from ldznet_ext.shapes import Float, Int


@dataclass(frozen=True, kw_only=True)
class TextConfig:
    """The numbers of a text encoder's `config.json` that shape it."""

    vocab_size: int = 49_408
    hidden_size: int = 768
    intermediate_size: int = 3072
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    max_position_embeddings: int = 77
    hidden_act: str = "quick_gelu"
    layer_norm_eps: float = 1e-5


def quick_gelu(x: Tensor) -> Tensor:
    """OpenAI's approximation of GELU."""
    return x * torch.sigmoid(1.702 * x)


ACTIVATIONS = {"quick_gelu": quick_gelu, "gelu": F.gelu}


class SelfAttention(nn.Module):
    """Causal multi-head attention with biases."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"{width} channels cannot be shared by {heads} heads")
        self.heads = heads
        self.k_proj = nn.Linear(width, width)
        self.v_proj = nn.Linear(width, width)
        self.q_proj = nn.Linear(width, width)
        self.out_proj = nn.Linear(width, width)

    def forward(self, x: Float[Tensor, "b tokens c"]) -> Float[Tensor, "b tokens c"]:
        q, k, v = (
            rearrange(project(x), "b n (heads d) -> b heads n d", heads=self.heads)
            for project in (self.q_proj, self.k_proj, self.v_proj)
        )
        out = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.out_proj(rearrange(out, "b heads n d -> b n (heads d)"))


class Mlp(nn.Module):
    """Two linear layers around the activation."""

    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.activation = ACTIVATIONS[config.hidden_act]
        self.fc1 = nn.Linear(config.hidden_size, config.intermediate_size)
        self.fc2 = nn.Linear(config.intermediate_size, config.hidden_size)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(self.activation(self.fc1(x)))


class EncoderLayer(nn.Module):
    """Pre-norm attention and MLP, both residual."""

    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.self_attn = SelfAttention(config.hidden_size, config.num_attention_heads)
        self.layer_norm1 = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.mlp = Mlp(config)
        self.layer_norm2 = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.self_attn(self.layer_norm1(x))
        return x + self.mlp(self.layer_norm2(x))


class Embeddings(nn.Module):
    """Token and position embeddings."""

    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.token_embedding = nn.Embedding(config.vocab_size, config.hidden_size)
        self.position_embedding = nn.Embedding(config.max_position_embeddings, config.hidden_size)

    def forward(self, ids: Int[Tensor, "b tokens"]) -> Float[Tensor, "b tokens c"]:
        return self.token_embedding(ids) + self.position_embedding.weight[: ids.shape[1]]


class Encoder(nn.Module):
    """The stack of layers."""

    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.layers = nn.ModuleList(EncoderLayer(config) for _ in range(config.num_hidden_layers))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return x


class ClipText(nn.Module):
    """Token ids (b tokens) to the last hidden state (b tokens c), after the final norm, as SD conditions its UNet."""

    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        if config.hidden_act not in ACTIVATIONS:
            raise ModelError(
                f"The text encoder uses the activation '{config.hidden_act}'; expected one of {', '.join(ACTIVATIONS)}, so "
                "choose another model."
            )
        self.config = config
        self.embeddings = Embeddings(config)
        self.encoder = Encoder(config)
        self.final_layer_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)

    @property
    def width(self) -> int:
        """Channels of the text states."""
        return self.config.hidden_size

    def forward(self, ids: Int[Tensor, "b tokens"]) -> Float[Tensor, "b tokens c"]:
        return self.final_layer_norm(self.encoder(self.embeddings(ids)))

    def last_two(self, ids: Int[Tensor, "b tokens"]) -> tuple[Float[Tensor, "b tokens c"], Float[Tensor, "b tokens c"]]:
        """What goes into the last layer, as it is, and the last hidden state after the final norm."""
        before = self.embeddings(ids)
        *layers, last = self.encoder.layers
        for layer in layers:
            before = layer(before)
        return before, self.final_layer_norm(last(before))


def clip_keys(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Drop the prefix older transformers write and the position table they save without need."""
    bare = {key.removeprefix("text_model."): value for key, value in state.items()}
    return {
        key: value for key, value in bare.items() if key != "embeddings.position_ids" and "text_projection" not in key
    }
