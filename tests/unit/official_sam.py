"""A tiny Segment Anything in the official layout: names and shapes of facebookresearch/segment-anything's `Sam.state_dict()`.

64x64 pixels, two blocks of width 16 (the first over windows of 3x3 patches), a decoder of width 16.
"""

from collections.abc import Iterator

import numpy as np

WIDTH, GRID, WINDOW, HEADS, INNER = 16, 4, 3, 2, 32

Shapes = dict[str, tuple[int, ...]]


def shapes() -> Shapes:
    """All of them."""
    return dict([*_encoder(), *_prompts(), *_decoder()])


def numbers() -> dict[str, np.ndarray]:
    """A value for each, float32, the same everywhere: waves, and 1 added where a norm scales."""
    out = {}
    for place, (name, shape) in enumerate(sorted(shapes().items())):
        wave = 0.3 * np.sin(0.37 * np.arange(np.prod(shape)) + place)
        out[name] = (wave.reshape(shape) + (len(shape) == 1 and name.endswith("weight"))).astype(np.float32)
    return out


def _both(name: str, *shape: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield f"{name}.weight", shape
    yield f"{name}.bias", shape[:1]


def _encoder() -> Iterator[tuple[str, tuple[int, ...]]]:
    yield "image_encoder.pos_embed", (1, GRID, GRID, WIDTH)
    yield from _both("image_encoder.patch_embed.proj", WIDTH, 3, 16, 16)
    for number, side in enumerate((WINDOW, GRID)):
        block = f"image_encoder.blocks.{number}"
        yield from _both(f"{block}.norm1", WIDTH)
        for axis in "hw":
            yield f"{block}.attn.rel_pos_{axis}", (2 * side - 1, WIDTH // HEADS)
        yield from _both(f"{block}.attn.qkv", 3 * WIDTH, WIDTH)
        yield from _both(f"{block}.attn.proj", WIDTH, WIDTH)
        yield from _both(f"{block}.norm2", WIDTH)
        yield from _both(f"{block}.mlp.lin1", 4 * WIDTH, WIDTH)
        yield from _both(f"{block}.mlp.lin2", WIDTH, 4 * WIDTH)
    yield "image_encoder.neck.0.weight", (INNER, WIDTH, 1, 1)
    yield from _both("image_encoder.neck.1", INNER)
    yield "image_encoder.neck.2.weight", (INNER, INNER, 3, 3)
    yield from _both("image_encoder.neck.3", INNER)


def _prompts() -> Iterator[tuple[str, tuple[int, ...]]]:
    yield "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix", (2, INNER // 2)
    for name in (*(f"point_embeddings.{number}" for number in range(4)), "not_a_point_embed", "no_mask_embed"):
        yield f"prompt_encoder.{name}.weight", (1, INNER)
    yield from _both("prompt_encoder.mask_downscaling.0", 4, 1, 2, 2)
    yield from _both("prompt_encoder.mask_downscaling.1", 4)
    yield from _both("prompt_encoder.mask_downscaling.3", 16, 4, 2, 2)
    yield from _both("prompt_encoder.mask_downscaling.4", 16)
    yield from _both("prompt_encoder.mask_downscaling.6", INNER, 16, 1, 1)


def _decoder() -> Iterator[tuple[str, tuple[int, ...]]]:
    transformer = "mask_decoder.transformer"
    for number in range(2):
        layer = f"{transformer}.layers.{number}"
        yield from _attention(f"{layer}.self_attn", INNER)
        yield from _attention(f"{layer}.cross_attn_token_to_image", INNER // 2)
        yield from _attention(f"{layer}.cross_attn_image_to_token", INNER // 2)
        yield from _both(f"{layer}.mlp.lin1", 40, INNER)
        yield from _both(f"{layer}.mlp.lin2", INNER, 40)
        for norm in range(1, 5):
            yield from _both(f"{layer}.norm{norm}", INNER)
    yield from _attention(f"{transformer}.final_attn_token_to_image", INNER // 2)
    yield from _both(f"{transformer}.norm_final_attn", INNER)
    yield "mask_decoder.iou_token.weight", (1, INNER)
    yield "mask_decoder.mask_tokens.weight", (4, INNER)
    yield from _upscaling("mask_decoder.output_upscaling.0", INNER, INNER // 4)
    yield from _both("mask_decoder.output_upscaling.1", INNER // 4)
    yield from _upscaling("mask_decoder.output_upscaling.3", INNER // 4, INNER // 8)
    for number in range(4):
        yield from _perceptron(f"mask_decoder.output_hypernetworks_mlps.{number}", INNER, INNER // 8)
    yield from _perceptron("mask_decoder.iou_prediction_head", 24, 4)


def _attention(name: str, inner: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    for part in "qkv":
        yield from _both(f"{name}.{part}_proj", inner, INNER)
    yield from _both(f"{name}.out_proj", INNER, inner)


def _upscaling(name: str, wide: int, narrow: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield f"{name}.weight", (wide, narrow, 2, 2)
    yield f"{name}.bias", (narrow,)


def _perceptron(name: str, hidden: int, last: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield from _both(f"{name}.layers.0", hidden, INNER)
    yield from _both(f"{name}.layers.1", hidden, hidden)
    yield from _both(f"{name}.layers.2", last, hidden)
