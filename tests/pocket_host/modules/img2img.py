"""The img2img tab's button: whole, inpaint, inpaint sketch, inpaint upload, batch."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from modules import images, processing, scripts, shared
from modules.txt2img import results

IMG2IMG, SKETCH, INPAINT, INPAINT_SKETCH, INPAINT_UPLOAD, BATCH = range(6)


def img2img(
    id_task: str,
    mode: Any,
    prompt: str,
    negative: str,
    init: Any,
    sketch: Any,
    inpaint: Any,
    color_sketch: Any,
    color_original: Any,
    upload: Any,
    upload_mask: Any,
    steps: int,
    mask_blur: int,
    mask_mode: int,
    fill: int,
    full_res: int,
    padding: int,
    n_iter: int,
    batch_size: int,
    cfg_scale: float,
    denoising: float,
    height: int,
    width: int,
    resize_mode: int,
    seed: float,
    batch_files: Any,
    *args: Any,
) -> tuple[Any, ...]:
    """Pictures, what the page keeps of them, infotext, remarks."""
    mode = int(mode or 0)
    image, mask = _source(mode, init, sketch, inpaint, color_sketch, color_original, upload, upload_mask)
    p = processing.StableDiffusionProcessingImg2Img(
        outpath_samples=shared.opts.outdir_samples or shared.opts.outdir_img2img_samples,
        outpath_grids=shared.opts.outdir_grids,
        prompt=prompt,
        negative_prompt=negative,
        steps=int(steps),
        n_iter=int(n_iter),
        batch_size=int(batch_size),
        cfg_scale=cfg_scale,
        width=int(width),
        height=int(height),
        seed=int(seed),
        init_images=[image],
        mask=mask,
        mask_blur=int(mask_blur),
        inpainting_fill=fill,
        inpaint_full_res=bool(full_res),
        inpaint_full_res_padding=int(padding),
        inpainting_mask_invert=mask_mode,
        resize_mode=resize_mode,
        denoising_strength=denoising,
    )
    p.scripts = scripts.scripts_img2img
    p.script_args = args
    try:
        if mode == BATCH:
            return results(process_batch(p, batch_files or []))
        if image is None:
            raise ValueError("There is no picture; drop one into the tab.")
        return results(processing.process_images(p))
    finally:
        p.close()


def _source(
    mode: int,
    init: Any,
    sketch: Any,
    inpaint: Any,
    color_sketch: Any,
    color_original: Any,
    upload: Any,
    upload_mask: Any,
) -> tuple[Image.Image | None, Image.Image | None]:
    if mode == INPAINT and inpaint:
        return inpaint["image"], processing.create_binary_mask(inpaint["mask"])
    if mode == INPAINT_SKETCH and color_sketch is not None:
        painted = np.asarray(color_sketch.convert("RGB")) != np.asarray((color_original or color_sketch).convert("RGB"))
        return color_sketch.convert("RGB"), Image.fromarray(painted.any(-1).astype(np.uint8) * 255)
    if mode == INPAINT_UPLOAD:
        return upload, upload_mask
    return {IMG2IMG: init, SKETCH: sketch}.get(mode), None


def process_batch(p: Any, files: list[Any]) -> processing.Processed:
    """Each file in its turn with the same scripts; the results together."""
    pictures: list[Image.Image] = []
    infotexts: list[str] = []
    last = processing.Processed(p, [], p.seed, "")
    p.do_not_save_grid = True
    shared.state.job_count = len(files) * p.n_iter
    for file in files:
        name = getattr(file, "name", file)
        shared.state.job = f"{Path(name).name}"
        if shared.state.interrupted or shared.state.stopping_generation:
            break
        p.init_images = [images.read(name).convert("RGB")]
        last = processing.process_images(p)
        pictures += last.images
        infotexts += last.infotexts
    last.images, last.infotexts = pictures, infotexts
    return last
