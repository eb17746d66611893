"""Repainting what the words name: in each picture right after it is painted, and in img2img's own input pictures.

The first runs the host's own `process_images` on the picture and its mask within its hooks, as ADetailer made usual: without
any scripts, so that neither we nor others see it. The second gives img2img a mask before it begins; one that is there stays.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from ldznet_ext.errors import LdznetError
from ldznet_ext.hosts.webui.find import ask, at_size, masks_of, say_found, whole
from ldznet_ext.hosts.webui.plain import own_forward, settings
from ldznet_ext.hosts.webui.session import INNER, Mask, Outcome, Session, size_of

if TYPE_CHECKING:
    from ldznet_ext.hosts.webui.host import Host

FILL_ORIGINAL = 1
COPIED = (
    "outpath_samples",
    "outpath_grids",
    "subseed",
    "subseed_strength",
    "seed_resize_from_h",
    "seed_resize_from_w",
    "sampler_name",
    "scheduler",
    "steps",
    "cfg_scale",
    "distilled_cfg_scale",
    "tiling",
    "eta",
    "s_min_uncond",
    "s_churn",
    "s_tmax",
    "s_tmin",
    "s_noise",
    "disable_extra_networks",
)
"""What an inner run has from the outer one, where its host has it; styles are in the prompts already.

Not a refiner: which checkpoint is loaded is the host's business, and each run of its own begins with the one that is chosen, so
what the words name is painted by that one alone.
"""
NOT_HERE = "Nothing was found in the input picture, so it was left as it is."


def repaint(p: Any, picture: Image.Image, outcome: Outcome, session: Session) -> Image.Image:
    """The picture with what was found in it painted anew; itself where nothing was, or the run is interrupted."""
    from modules import processing, shared

    mask = _union(outcome.masks)
    if mask is None or not mask.any() or shared.state.interrupted or shared.state.skipped:
        return picture
    inner = inner_run(p, picture, Image.fromarray(whole(mask, None, size_of(picture))), outcome, session)
    with _left_as_it_was(p), own_forward(p.sd_model):
        painted = processing.process_images(inner)
    if shared.state.interrupted or shared.state.skipped or not painted.images:
        return picture
    return at_size(painted.images[0], size_of(picture))


def inner_run(p: Any, picture: Image.Image, mask: Image.Image, outcome: Outcome, session: Session) -> Any:
    """The host's img2img of one picture and its mask, with the outer run's sampler and ours of everything else."""
    from modules import processing

    job, number = session.job, p.iteration * p.batch_size + outcome.batch_index
    # a whole picture is repainted at its own size (hires), a part of it at that of the first pass
    width, height = (p.width, p.height) if job.only_masked else (side // 8 * 8 for side in picture.size)
    inner = processing.StableDiffusionProcessingImg2Img(
        init_images=[picture],
        resize_mode=0,
        denoising_strength=job.denoise,
        mask=mask,
        mask_blur=job.mask_blur,
        inpainting_fill=FILL_ORIGINAL,
        inpaint_full_res=job.only_masked,
        inpaint_full_res_padding=job.padding,
        inpainting_mask_invert=0,
        width=width,
        height=height,
        prompt=job.inpaint_prompt or p.all_prompts[number],
        negative_prompt=job.inpaint_negative or p.all_negative_prompts[number],
        seed=outcome.seed,
        batch_size=1,
        n_iter=1,
        do_not_save_samples=True,
        do_not_save_grid=True,
        **{name: getattr(p, name) for name in COPIED if hasattr(p, name)},
    )
    setattr(inner, INNER, True)
    inner.scripts, inner.script_args = _no_scripts(p), []
    return inner


def _no_scripts(p: Any) -> Any:
    """A runner of the host's kind without a script in it: reForge asks it for one by name, and None has no answer."""
    runner = getattr(p, "scripts", None)
    return None if runner is None else type(runner)()


def mask_inputs(host: "Host", p: Any, session: Session) -> None:
    """Give img2img the words' mask of its input picture; where they are not found it paints nothing.

    "Keep" then lets the file go out as it came, "skip" lets it give nothing. The accordion's inpainting settings count: those of
    the Inpaint tabs are not to be seen from here.
    """
    job, picture = session.job, p.init_images[0]
    masks: list[Mask] = []
    try:
        array = np.asarray(picture.convert("RGB"))
        result = ask(host, array, [job.mask.words], job.mask, None)
        masks = masks_of(result, job, array)
        session.say(say_found(result))
        session.say(result.message)
    except LdznetError as error:
        session.say(error.line)
    mask = _union(masks)
    if mask is None or not mask.any():
        session.say(NOT_HERE)
        session.unchanged, session.active = picture, False
        session.set(p, n_iter=0, do_not_save_grid=True)
        return
    session.set(
        p,
        image_mask=Image.fromarray(mask),
        mask_blur_x=job.mask_blur,
        mask_blur_y=job.mask_blur,
        inpainting_fill=FILL_ORIGINAL,
        inpaint_full_res=job.only_masked,
        inpaint_full_res_padding=job.padding,
        inpainting_mask_invert=0,
    )


def _union(masks: list[Mask]) -> np.ndarray | None:
    return np.maximum.reduce([mask.grey for mask in masks]) if masks else None


@contextmanager
def _left_as_it_was(p: Any) -> Iterator[None]:
    """An inner run in the body: what it changes of the host's state for the outer one is put back."""
    from modules import sd_models, shared

    shared.state.job_count += 1
    try:
        with settings(multiple_tqdm=False):  # the console's bar counts the outer run's steps
            yield
    finally:
        # the host ends every run with token merging off, and the outer one may have batches to come
        if hasattr(sd_models, "apply_token_merging"):
            sd_models.apply_token_merging(p.sd_model, p.get_token_merging_ratio())
