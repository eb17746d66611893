"""The authors' networks once more, written straight from the specification: functions over a state dict, no module of ours.

An oracle for geometries whose outputs are not stored. It is held to the stored numbers (test_geometries.py). Slow and plain.
"""

import math
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

State = Mapping[str, Tensor]
HEADS = 8
NAMES = {"input_blocks.8.1": "in.8", "middle_block.1": "mid"} | {f"output_blocks.{n}.1": f"out.{n}" for n in (3, 4, 5)}


def diffusion(state: State, noisy: Tensor, timesteps: Tensor, context: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """The frozen UNet: the noise it predicts, and what comes out of each spatial transformer, by the authors' module names."""
    hidden, seen = _hidden(state, noisy, timesteps, context, {}, parity=True)
    return _conv(state, "out.2", F.silu(_norm(state, "out.0", hidden, 1e-5))), seen


def segmentation(
    state: State, latent: Tensor, context: Tensor, features: Mapping[str, Tensor], *, parity: bool = True
) -> tuple[Tensor, dict[str, Tensor]]:
    """LD-ZNet: logits, and what comes out of each spatial transformer and pool. features: of `diffusion`, by its names."""
    hidden, seen = _hidden(state, latent, torch.zeros(len(latent)), context, features, parity=parity)
    x = F.silu(_conv(state, "out.2", F.silu(_norm(state, "out.0", hidden, 1e-5))))
    seen["seg_head_lowres"] = x
    for number in (0, 2, 4, 6, 8, 10, 12):
        weight, bias = state[f"final.{number}.weight"], state[f"final.{number}.bias"]
        doubles = number in (2, 6, 10)
        x = F.conv_transpose2d(x, weight, bias, stride=2) if doubles else F.conv2d(x, weight, bias, padding=1)
        x = F.silu(x) if number < 12 else x
    return x, seen


def _hidden(
    state: State, x: Tensor, timesteps: Tensor, context: Tensor, features: Mapping[str, Tensor], *, parity: bool
) -> tuple[Tensor, dict[str, Tensor]]:
    width = state["time_embed.0.weight"].shape[1]
    half = width // 2
    angles = timesteps.float()[:, None] * torch.exp(-math.log(10000) * torch.arange(half) / half)
    emb = torch.cat([torch.cos(angles), torch.sin(angles)], dim=1)  # cosines first
    emb = _linear(state, "time_embed.2", F.silu(_linear(state, "time_embed.0", emb)))
    seen: dict[str, Tensor] = {"time_embed": emb}
    skips = []
    for number in range(12):
        x = _block(state, f"input_blocks.{number}", x, emb, context, features, seen, parity)
        skips.append(x)
    x = _block(state, "middle_block", x, emb, context, features, seen, parity)
    for number in range(12):
        x = torch.cat([x, skips.pop()], dim=1)
        x = _block(state, f"output_blocks.{number}", x, emb, context, features, seen, parity)
    return x, seen


def _block(
    state: State,
    block: str,
    x: Tensor,
    emb: Tensor,
    context: Tensor,
    features: Mapping[str, Tensor],
    seen: dict[str, Tensor],
    parity: bool,
) -> Tensor:
    for number in range(3):
        name = f"{block}.{number}"
        if f"{name}.weight" in state:
            x = _conv(state, name, x)
        elif f"{name}.op.weight" in state:
            x = F.conv2d(x, state[f"{name}.op.weight"], state[f"{name}.op.bias"], stride=2, padding=1)
        elif f"{name}.conv.weight" in state:
            x = _conv(state, f"{name}.conv", F.interpolate(x, scale_factor=2, mode="nearest"))
        elif f"{name}.in_layers.0.weight" in state:
            x = _residual(state, name, x, emb)
        elif f"{name}.norm.weight" in state:
            x = seen[name] = _transformer(state, name, x, context, features, seen, parity)
    return x


def _residual(state: State, name: str, x: Tensor, emb: Tensor) -> Tensor:
    h = _conv(state, f"{name}.in_layers.2", F.silu(_norm(state, f"{name}.in_layers.0", x, 1e-5)))
    h = h + _linear(state, f"{name}.emb_layers.1", F.silu(emb))[:, :, None, None]
    h = _conv(state, f"{name}.out_layers.3", F.silu(_norm(state, f"{name}.out_layers.0", h, 1e-5)))
    return h + (_conv(state, f"{name}.skip_connection", x) if f"{name}.skip_connection.weight" in state else x)


def _transformer(
    state: State,
    name: str,
    x: Tensor,
    context: Tensor,
    features: Mapping[str, Tensor],
    seen: dict[str, Tensor],
    parity: bool,
) -> Tensor:
    batch, channels, height, width = x.shape
    block = f"{name}.transformer_blocks.0"
    h = _conv(state, f"{name}.proj_in", _norm(state, f"{name}.norm", x, 1e-6)).flatten(2).transpose(1, 2)
    normed = _layer_norm(state, f"{block}.norm1", h)
    h = h + _attention(state, f"{block}.attn1", normed, normed)
    h = h + _attention(state, f"{block}.attn2", _layer_norm(state, f"{block}.norm2", h), context)
    if f"{block}.attn3.to_q.weight" in state:
        pooled = seen[f"pool.{name}"] = _pool(state, f"{name}.attentionpool2D", features[name], parity)
        h = h + _attention(state, f"{block}.attn3", _layer_norm(state, f"{block}.norm_sd", h), pooled.transpose(1, 2))
    value, gate = _linear(state, f"{block}.ff.net.0.proj", _layer_norm(state, f"{block}.norm3", h)).chunk(2, dim=-1)
    h = h + _linear(state, f"{block}.ff.net.2", value * (gate * 0.5 * (1 + torch.erf(gate / math.sqrt(2)))))
    h = h.transpose(1, 2).reshape(batch, channels, height, width)
    return x + _conv(state, f"{name}.proj_out", h)


def _attention(state: State, name: str, x: Tensor, context: Tensor) -> Tensor:
    q = x @ state[f"{name}.to_q.weight"].T
    k, v = context @ state[f"{name}.to_k.weight"].T, context @ state[f"{name}.to_v.weight"].T
    size = q.shape[-1] // HEADS
    heads = []
    for number in range(HEADS):
        part = slice(number * size, (number + 1) * size)
        weight = (q[..., part] @ k[..., part].transpose(1, 2) * size**-0.5).softmax(dim=-1)
        heads.append(weight @ v[..., part])
    return _linear(state, f"{name}.to_out.0", torch.cat(heads, dim=-1))


def _pool(state: State, name: str, feature: Tensor, parity: bool) -> Tensor:
    height, width = feature.shape[-2:]
    cells = feature.flatten(2)
    tokens = torch.cat([cells.mean(dim=2, keepdim=True), cells], dim=2)
    stored = state[f"{name}.positional_embedding"]
    side = math.isqrt(stored.shape[1] - 1)
    fits = tokens.shape[2] == stored.shape[1] if parity else (height, width) == (side, side)
    if not fits:
        square = stored[:, 1:].reshape(1, -1, side, side)
        grown = F.interpolate(square, size=(height, width), mode="bicubic", align_corners=False)
        stored = torch.cat([stored[:, :1], grown.flatten(2)[0]], dim=1)
    tokens = (tokens + stored).transpose(1, 2)
    q, k, v = _linear(state, f"{name}.qkv_proj", tokens).chunk(3, dim=-1)
    size = q.shape[-1] // HEADS
    heads = []
    for number in range(HEADS):
        part = slice(number * size, (number + 1) * size)
        weight = ((q[..., part] * size**-0.25) @ (k[..., part] * size**-0.25).transpose(1, 2)).softmax(dim=-1)
        heads.append(weight @ v[..., part])
    return _linear(state, f"{name}.c_proj", torch.cat(heads, dim=-1)).transpose(1, 2)


def _norm(state: State, name: str, x: Tensor, eps: float) -> Tensor:
    return F.group_norm(x, 32, state[f"{name}.weight"], state[f"{name}.bias"], eps)


def _layer_norm(state: State, name: str, x: Tensor) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], state[f"{name}.weight"], state[f"{name}.bias"], 1e-5)


def _linear(state: State, name: str, x: Tensor) -> Tensor:
    weight = state[f"{name}.weight"]
    return F.linear(x, weight.flatten(1), state[f"{name}.bias"])  # a 1x1 convolution is one too


def _conv(state: State, name: str, x: Tensor) -> Tensor:
    weight = state[f"{name}.weight"]
    return F.conv2d(x, weight, state[f"{name}.bias"], padding=weight.shape[-1] // 2)
