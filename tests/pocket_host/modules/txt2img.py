"""The txt2img tab's button."""

from typing import Any

from modules import processing, scripts, shared
from modules.infotext_utils import quote  # noqa: F401  hosts offer it here too


def txt2img(
    id_task: str,
    prompt: str,
    negative: str,
    steps: int,
    n_iter: int,
    batch_size: int,
    cfg_scale: float,
    height: int,
    width: int,
    seed: float,
    enable_hr: bool,
    denoising: float,
    hr_scale: float,
    hr_steps: int,
    *args: Any,
) -> tuple[Any, ...]:
    """Pictures, what the page keeps of them, infotext, remarks."""
    p = processing.StableDiffusionProcessingTxt2Img(
        outpath_samples=shared.opts.outdir_samples or shared.opts.outdir_txt2img_samples,
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
        enable_hr=enable_hr,
        denoising_strength=denoising,
        hr_scale=hr_scale,
        hr_second_pass_steps=int(hr_steps),
    )
    p.scripts = scripts.scripts_txt2img
    p.script_args = args
    try:
        return results(processing.process_images(p))
    finally:
        p.close()


def results(processed: Any) -> tuple[Any, ...]:
    """For the gallery and what is under it."""
    from html import escape

    info = "".join(f"<p>{escape(line)}</p>" for line in processed.info.split("\n"))
    return processed.images, processed.js(), info, f"<p>{escape(processed.comments)}</p>" if processed.comments else ""
