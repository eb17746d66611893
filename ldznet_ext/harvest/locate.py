"""Finding a tap's module in a UNet of the diffusers or the CompVis layout (A1111, Forge, our own), by attribute names.

Blocks are enumerated, never indexed blindly: pruned and SDXL-shaped UNets have other blocks than SD 1.x.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from torch import nn

from ldznet_ext.errors import ModelError
from ldznet_ext.harvest.taps import Tap, parse_tap

Layout = Literal["diffusers", "compvis"]
PROJECTIONS = {"q": "to_q", "k": "to_k", "v": "to_v"}


@dataclass(frozen=True)
class Port:
    """Where to read: the output of a module, or what goes into it."""

    module: nn.Module
    side: Literal["in", "out"]


@dataclass(frozen=True)
class Block:
    """A place of a UNet: its first residual block and its spatial transformer, where it has them."""

    res: nn.Module | None
    transformer: nn.Module | None


def detect_layout(unet: nn.Module) -> Layout:
    """Which of the two attribute layouts a UNet has."""
    if all(hasattr(unet, name) for name in ("down_blocks", "mid_block", "up_blocks")):
        return "diffusers"
    if all(hasattr(unet, name) for name in ("input_blocks", "middle_block", "output_blocks")):
        return "compvis"
    raise ModelError(
        f"The UNet is a {type(unet).__name__} without UNet blocks; expected a Stable Diffusion UNet of the diffusers or the "
        "CompVis layout, so load an SD 1.x, 2.x or XL checkpoint."
    )


def find_blocks(unet: nn.Module) -> dict[str, Block]:
    """Every place of a UNet by name, in the order of a forward pass."""
    walk = _walk_diffusers if detect_layout(unet) == "diffusers" else _walk_compvis
    return dict(walk(unet))


def find_taps(unet: nn.Module) -> tuple[str, ...]:
    """The spatial transformers a UNet has, in the order of a forward pass: `in.1 in.2 ... out.11` for SD 1.x."""
    return tuple(place for place, block in find_blocks(unet).items() if block.transformer is not None)


def locate(unet: nn.Module, taps: Iterable[str]) -> dict[str, Port]:
    """The port of each tap. A tap that this UNet lacks is an error that lists what exists."""
    blocks = find_blocks(unet)
    return {name: _find_port(blocks, parse_tap(name)) for name in taps}


def _find_port(blocks: dict[str, Block], tap: Tap) -> Port:
    block = blocks.get(tap.place, Block(None, None))
    kind = "res" if tap.part.startswith("res.") else "transformer"
    owner = getattr(block, kind)
    if owner is None:
        having = [place for place, other in blocks.items() if getattr(other, kind) is not None]
        suffix = f".{tap.part}" if tap.part else ""
        raise ModelError(
            f"The tap is '{tap}', which this UNet lacks; expected one of "
            f"{', '.join(place + suffix for place in having)}, so choose one of them or load a model of another family."
        )
    if not tap.part:
        return Port(owner, "out")
    layer, port = tap.part.split(".")
    if layer != "res":
        owner = find_attention(owner, tap)
    if port in PROJECTIONS:
        return Port(getattr(owner, PROJECTIONS[port]), "out")
    return Port(owner, "in" if port == "in" else "out")


def find_attention(transformer: nn.Module, tap: Tap) -> nn.Module:
    """The attention, attn1 or attn2, that a tap is a part of."""
    blocks: nn.ModuleList = transformer.transformer_blocks  # type: ignore[assignment]
    if tap.block >= len(blocks):
        raise ModelError(
            f"The tap is '{tap}', but the transformer at {tap.place} has {len(blocks)} block{'s' * (len(blocks) > 1)}; "
            f"expected a number below {len(blocks)}, so choose another or load a model of another family."
        )
    return getattr(blocks[tap.block], tap.part.partition(".")[0])


def find_strides(unet: nn.Module) -> dict[str, int]:
    """Side of the cells of every place in latent cells: 1, 2, 4 or 8, from the shape of this UNet."""
    blocks = find_blocks(unet)
    strides, stride = {}, 1
    for place, block in blocks.items():
        if place.startswith("in."):
            # neither residual block nor transformer: conv_in at the entry, a down-sampler elsewhere
            stride *= 2 if block == Block(None, None) and place != "in.0" else 1
            strides[place] = stride
    strides["mid"] = stride
    ascent = [place for place in blocks if place.startswith("out.")]
    levels = stride.bit_length()
    for index, place in enumerate(ascent):
        strides[place] = stride >> (index * levels // len(ascent))
    return strides


def _walk_compvis(unet: nn.Module) -> Iterator[tuple[str, Block]]:
    for index, block in enumerate(unet.input_blocks):  # type: ignore[arg-type]
        yield f"in.{index}", _read_compvis(block)
    yield "mid", _read_compvis(unet.middle_block)  # type: ignore[arg-type]
    for index, block in enumerate(unet.output_blocks):  # type: ignore[arg-type]
        yield f"out.{index}", _read_compvis(block)


def _read_compvis(block: nn.Module) -> Block:
    layers = list(block.children())
    res = next((layer for layer in layers if hasattr(layer, "in_layers")), None)
    return Block(res, next((layer for layer in layers if hasattr(layer, "transformer_blocks")), None))


def _walk_diffusers(unet: nn.Module) -> Iterator[tuple[str, Block]]:
    """Number diffusers' nested lists as CompVis' flat ones: conv_in and each down-sampler count as input blocks."""
    yield "in.0", Block(None, None)
    index = 1
    for down in unet.down_blocks:  # type: ignore[union-attr]
        for block in _read_diffusers(down):
            yield f"in.{index}", block
            index += 1
        if getattr(down, "downsamplers", None):
            yield f"in.{index}", Block(None, None)
            index += 1
    yield "mid", next(_read_diffusers(unet.mid_block))  # type: ignore[arg-type]
    blocks = (block for up in unet.up_blocks for block in _read_diffusers(up))  # type: ignore[union-attr]
    for number, block in enumerate(blocks):
        yield f"out.{number}", block


def _read_diffusers(stage: nn.Module) -> Iterator[Block]:
    attentions = getattr(stage, "attentions", None)
    for index, res in enumerate(stage.resnets):  # type: ignore[arg-type]
        transformer = attentions[index] if attentions is not None and index < len(attentions) else None
        yield Block(res, transformer if hasattr(transformer, "transformer_blocks") else None)
