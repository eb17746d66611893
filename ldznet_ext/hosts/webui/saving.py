"""Saving from the tab: the mask and the cut-out, where and how the host saves its own pictures."""

from pathlib import Path

import numpy as np
from PIL import Image


def save_cut_out(cut: Image.Image, mask: np.ndarray, words: str) -> str:
    """Write the cut-out (RGBA) and the mask (uint8 h w, as RGB) as PNG under the host's names; the answer says where."""
    from modules import images, shared

    folder = shared.opts.outdir_samples or shared.opts.outdir_img2img_samples
    saved = [
        images.save_image(
            picture, folder, "", prompt=words, extension="png", info=f"LD-ZNet words: {words}", suffix=suffix
        )
        for picture, suffix in ((cut, "-cutout"), (Image.fromarray(mask).convert("RGB"), "-mask"))
    ]
    names = " and ".join(Path(path).name for path, _ in saved)
    where = " and ".join(
        dict.fromkeys(str(Path(path).parent) for path, _ in saved)
    )  # the host may make dated folders in it
    return f"Saved {names} in {where}."
