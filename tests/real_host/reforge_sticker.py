"""A test-only extension for reForge, which knows models by their exact sizes: put it into extensions/reforge_sticker/scripts/.

STICKER_SD names Sticker-SD's diffusers folder, from whose settings the sizes of its parts are read.
"""

import functools
import json
import os
from pathlib import Path

import ldm_patched.modules.supported_models as known
import modules_forge.forge_loader as loader
from ldm_patched.modules import latent_formats, sd1_clip
from ldm_patched.modules.supported_models_base import ClipTarget

FOLDER = Path(os.environ["STICKER_SD"])
VAE = json.loads((FOLDER / "vae" / "config.json").read_text("utf-8"))
WIDTHS = VAE["block_out_channels"]
AUTOENCODER = {
    "embed_dim": 4,
    "ddconfig": {
        "double_z": True,
        "z_channels": 4,
        "resolution": 256,
        "in_channels": 3,
        "out_ch": 3,
        "ch": WIDTHS[0],
        "ch_mult": [width // WIDTHS[0] for width in WIDTHS],
        "num_res_blocks": VAE["layers_per_block"],
        "attn_resolutions": [],
        "dropout": 0.0,
    },
}
text_model = functools.partial(
    sd1_clip.SDClipModel,
    return_projected_pooled=False,
    textmodel_json_config=str(FOLDER / "text_encoder" / "config.json"),
)


class StickerSD(known.SD15):
    """SD 1.5 in small."""

    unet_config = known.SD15.unet_config | {"context_dim": 96, "model_channels": 64}
    latent_format = functools.partial(latent_formats.SD15, VAE["scaling_factor"])

    def clip_target(self, state_dict=None):
        return ClipTarget(sd1_clip.SD1Tokenizer, functools.partial(sd1_clip.SD1ClipModel, clip_model=text_model))


def autoencoder(sd=None, **more):
    """reForge's, of Sticker-SD's sizes where the weights are."""
    small = bool(sd) and sd["decoder.conv_in.weight"].shape[0] == WIDTHS[-1]
    return kept(sd=sd, **more, **({"config": {"params": AUTOENCODER}} if small else {}))


kept = getattr(loader.VAE, "kept", loader.VAE)
autoencoder.kept = kept
loader.VAE = autoencoder
known.models[:] = [model for model in known.models if model.__name__ != "StickerSD"] + [StickerSD]
