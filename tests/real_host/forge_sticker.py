"""A test-only extension for Forge, which knows models by their exact sizes: put it into extensions/sticker/scripts/.

STICKER_SD names Sticker-SD's diffusers folder, from which Forge reads the sizes of the parts.
"""

import os

import huggingface_guess.model_list as known

FOLDER = os.environ["STICKER_SD"]
SIZES = {"context_dim": 96, "model_channels": 64}
Sticker = type("StickerSD", (known.SD15,), {"huggingface_repo": FOLDER, "unet_config": known.SD15.unet_config | SIZES})
known.models[:] = [model for model in known.models if model.__name__ != "StickerSD"] + [Sticker]
