"""Segment Anything's tensors: the official names as transformers calls them, and the network's shape read off the tensors.

Official names are those of facebookresearch/segment-anything (sam_vit_b_01ec64.pth and its like); a file with transformers' own
names passes through unchanged.
"""

import re
from collections.abc import Mapping
from typing import Any

from ldznet_ext.errors import ModelError

Shapes = Mapping[str, tuple[int, ...]]
SHARED = "prompt_encoder.shared_embedding.positional_embedding"
SHARED_TWICE = "shared_image_embedding.positional_embedding"
"""One tensor under two names: transformers has it at both places."""
DECODER_HEADS = 8
"""Attention heads of the mask decoder in every published SAM; no tensor's shape tells them."""
_OFFICIAL = "image_encoder.patch_embed.proj.weight"
_OURS = "vision_encoder.patch_embed.projection.weight"
_OF_ANOTHER = "mask_decoder.hf_token.weight"
"""SAM-HQ's: its decoder has parts that ours lacks."""
_RENAMED = (
    (r"^image_encoder\.", "vision_encoder."),
    (r"^vision_encoder\.blocks\.", "vision_encoder.layers."),
    (r"patch_embed\.proj\.", "patch_embed.projection."),
    (r"neck\.0\.", "neck.conv1."),
    (r"neck\.1\.", "neck.layer_norm1."),
    (r"neck\.2\.", "neck.conv2."),
    (r"neck\.3\.", "neck.layer_norm2."),
    (r"\.norm(\d|_final_attn)\.", r".layer_norm\1."),
    (r"pe_layer\.positional_encoding_gaussian_matrix", "shared_embedding.positional_embedding"),
    (r"point_embeddings\.", "point_embed."),
    (r"mask_downscaling\.0\.", "mask_embed.conv1."),
    (r"mask_downscaling\.1\.", "mask_embed.layer_norm1."),
    (r"mask_downscaling\.3\.", "mask_embed.conv2."),
    (r"mask_downscaling\.4\.", "mask_embed.layer_norm2."),
    (r"mask_downscaling\.6\.", "mask_embed.conv3."),
    (r"output_upscaling\.0\.", "upscale_conv1."),
    (r"output_upscaling\.1\.", "upscale_layer_norm."),
    (r"output_upscaling\.3\.", "upscale_conv2."),
    (r"(hypernetworks_mlps\.\d+|iou_prediction_head)\.layers\.0\.", r"\1.proj_in."),
    (r"(hypernetworks_mlps\.\d+|iou_prediction_head)\.layers\.1\.", r"\1.layers.0."),
    (r"(hypernetworks_mlps\.\d+|iou_prediction_head)\.layers\.2\.", r"\1.proj_out."),
)


def is_sam(shapes: Shapes) -> bool:
    """Whether these are the tensors of a SAM as Meta published it, under either names; MobileSAM and SAM-HQ are others."""
    return (_OFFICIAL in shapes or _OURS in shapes) and _OF_ANOTHER not in shapes


def renamed(name: str, shapes: Shapes) -> str:
    """The name in transformers of a tensor of the file with these shapes.

    >>> renamed("image_encoder.blocks.3.norm1.bias", {_OFFICIAL: ()})
    'vision_encoder.layers.3.layer_norm1.bias'
    """
    for pattern, name_there in _RENAMED if _OFFICIAL in shapes else ():
        name = re.sub(pattern, name_there, name)
    return name


def settings_of(shapes: Shapes, source: str) -> dict[str, dict[str, Any]]:
    """transformers' `SamConfig` arguments for tensors under its names; ModelError where they make none."""
    try:
        return _settings(shapes)
    except (KeyError, IndexError, ValueError, ZeroDivisionError) as cause:
        raise ModelError(
            f"{source} is no Segment Anything network of the published kind (ViT-B, L or H); expected sam_vit_b_01ec64.pth or "
            "its like, so choose that."
        ) from cause


def _settings(shapes: Shapes) -> dict[str, dict[str, Any]]:
    width, _, patch, _ = shapes[_OURS]
    _, grid, _, _ = shapes["vision_encoder.pos_embed"]
    blocks = [
        shapes[f"vision_encoder.layers.{n}.attn.rel_pos_h"] for n in range(_count(shapes, "vision_encoder.layers."))
    ]
    whole = [number for number, (steps, _) in enumerate(blocks) if steps == 2 * grid - 1]
    windows = {(steps + 1) // 2 for steps, _ in blocks if steps != 2 * grid - 1}
    inner = shapes["prompt_encoder.no_mask_embed.weight"][1]
    decoder = "mask_decoder.transformer.layers."
    image = {"image_size": grid * patch, "patch_size": patch}
    return {
        "vision_config": {
            **image,
            "hidden_size": width,
            "output_channels": shapes["vision_encoder.neck.conv1.weight"][0],
            "num_hidden_layers": len(blocks),
            "num_attention_heads": width // blocks[0][1],
            "mlp_dim": shapes["vision_encoder.layers.0.mlp.lin1.weight"][0],
            "mlp_ratio": shapes["vision_encoder.layers.0.mlp.lin1.weight"][0] / width,
            "global_attn_indexes": whole,
            "window_size": windows.pop() if windows else 0,
            "num_pos_feats": shapes[SHARED][1],
        },
        "prompt_encoder_config": {
            **image,
            "hidden_size": inner,
            "image_embedding_size": grid,
            "mask_input_channels": shapes["prompt_encoder.mask_embed.conv2.weight"][0],
        },
        "mask_decoder_config": {
            "hidden_size": inner,
            "mlp_dim": shapes[f"{decoder}0.mlp.lin1.weight"][0],
            "num_hidden_layers": _count(shapes, decoder),
            "num_attention_heads": DECODER_HEADS,
            "num_multimask_outputs": shapes["mask_decoder.mask_tokens.weight"][0] - 1,
            "iou_head_hidden_dim": shapes["mask_decoder.iou_prediction_head.proj_in.weight"][0],
        },
    }


def _count(shapes: Shapes, prefix: str) -> int:
    """How many layers are numbered under a prefix."""
    return 1 + max(int(name.removeprefix(prefix).partition(".")[0]) for name in shapes if name.startswith(prefix))
