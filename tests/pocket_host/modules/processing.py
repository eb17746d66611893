"""A generation from beginning to end: the hooks in A1111's order, its batches, hires, inpainting, infotext."""

import json
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageFilter
from torch import Tensor

from modules import (
    devices,
    extra_networks,
    images,
    infotext_utils,
    lowvram,
    masking,
    prompt_parser,
    script_callbacks,
    scripts,
    sd_hijack,
    sd_models,
    sd_samplers,
    sd_samplers_common,
    sd_unet,
    shared,
)
from modules.shared import opts, state

opt_C, opt_f = 4, 8


@dataclass(repr=False)
class StableDiffusionProcessing:
    """All that a generation is asked for, and what it gathers on its way."""

    sd_model: Any = None
    outpath_samples: str | None = None
    outpath_grids: str | None = None
    prompt: Any = ""
    negative_prompt: Any = ""
    styles: list[str] | None = None
    seed: int = -1
    subseed: int = -1
    subseed_strength: float = 0
    sampler_name: str | None = None
    scheduler: str | None = None
    batch_size: int = 1
    n_iter: int = 1
    steps: int = 20
    cfg_scale: float = 7.0
    width: int = 256
    height: int = 256
    do_not_save_samples: bool = False
    do_not_save_grid: bool = False
    extra_generation_params: dict[str, Any] = field(default_factory=dict)
    override_settings: dict[str, Any] = field(default_factory=dict)
    override_settings_restore_afterwards: bool = True
    denoising_strength: float | None = None
    disable_extra_networks: bool = False
    script_args_value: list[Any] = field(default_factory=list)
    scripts_value: Any = None
    user: str | None = None

    def __post_init__(self) -> None:
        self.all_prompts: list[str] = []
        self.all_negative_prompts: list[str] = []
        self.all_seeds: list[int] = []
        self.all_subseeds: list[int] = []
        self.prompts: list[str] = []
        self.negative_prompts: list[str] = []
        self.seeds: list[int] = []
        self.subseeds: list[int] = []
        self.extra_network_data: dict[str, Any] = {}
        self.c: Any = None
        self.uc: Any = None
        self.iteration = self.batch_index = 0
        self.sampler: Any = None
        self.color_corrections = None
        self.overlay_images: list[Image.Image] | None = None
        self.paste_to: tuple[int, int, int, int] | None = None
        self.mask_for_overlay: Image.Image | None = None
        self.is_hr_pass = False
        self.restore_faces = self.tiling = False
        self.comments: dict[str, int] = {}
        self.sd_model = self.sd_model or shared.sd_model

    @property
    def scripts(self) -> Any:
        """The tab's scripts."""
        return self.scripts_value

    @scripts.setter
    def scripts(self, value: Any) -> None:
        self.scripts_value = value
        self._set_up_scripts()

    @property
    def script_args(self) -> list[Any]:
        """All their arguments."""
        return self.script_args_value

    @script_args.setter
    def script_args(self, value: list[Any]) -> None:
        self.script_args_value = value
        self._set_up_scripts()

    def _set_up_scripts(self) -> None:
        if self.scripts_value and self.script_args_value:
            self.scripts_value.setup_scrips(self)

    def comment(self, text: str) -> None:
        """A remark under the picture."""
        self.comments[text] = 1

    def save_samples(self) -> bool:
        """Whether pictures go to the disk."""
        return bool(opts.samples_save and not self.do_not_save_samples)

    def get_token_merging_ratio(self, for_hr: bool = False) -> float:
        """None."""
        return 0.0

    def setup_prompts(self) -> None:
        """One prompt a picture."""
        count = self.batch_size * self.n_iter
        self.all_prompts = self.prompt if isinstance(self.prompt, list) else [self.prompt] * count
        negative = self.negative_prompt
        self.all_negative_prompts = negative if isinstance(negative, list) else [negative] * len(self.all_prompts)

    def setup_conds(self) -> None:
        """Text states of this batch: for each picture its AND parts with their weights."""
        size = {"width": self.width, "height": self.height}
        self.c = []
        for prompt in self.prompts:
            parts = prompt_parser.split_and(prompt)
            texts = prompt_parser.SdConditioning([text for text, _ in parts], **size)
            states = self.sd_model.get_learned_conditioning(texts)
            self.c.append([(state, weight) for state, (_, weight) in zip(states, parts, strict=True)])
        self.uc = self.sd_model.get_learned_conditioning(
            prompt_parser.SdConditioning(self.negative_prompts, is_negative_prompt=True, **size)
        )

    def parse_extra_network_prompts(self) -> None:
        """`<lora:...>` out of the prompts."""
        self.prompts, self.extra_network_data = extra_networks.parse_prompts(self.prompts)

    def init(self, all_prompts: list[str], all_seeds: list[int], all_subseeds: list[int]) -> None:
        """What is prepared once, before the batches."""

    def sample(self, conditioning: Any, unconditional_conditioning: Any, seeds: list[int], **_: Any) -> Tensor:
        """The latents of one batch."""
        raise NotImplementedError

    def noise(self, height: int, width: int, seeds: list[int]) -> Tensor:
        """Standard normal, each picture's from its seed alone."""
        shape = (opt_C, height // opt_f, width // opt_f)
        drawn = [torch.randn(shape, generator=torch.Generator("cpu").manual_seed(seed)) for seed in seeds]
        return torch.stack(drawn).to(devices.device)

    def close(self) -> None:
        """Let go of what is large."""
        self.sampler = self.c = self.uc = None


@dataclass(repr=False)
class StableDiffusionProcessingTxt2Img(StableDiffusionProcessing):
    """From words alone, with an optional second pass at a larger size."""

    enable_hr: bool = False
    denoising_strength: float = 0.75
    hr_scale: float = 2.0
    hr_upscaler: str | None = None
    hr_second_pass_steps: int = 0
    hr_resize_x: int = 0
    hr_resize_y: int = 0
    firstphase_width: int = 0
    firstphase_height: int = 0

    def init(self, all_prompts: list[str], all_seeds: list[int], all_subseeds: list[int]) -> None:
        if not self.enable_hr:
            return
        self.hr_upscale_to_x = self.hr_resize_x or int(self.width * self.hr_scale) // 64 * 64
        self.hr_upscale_to_y = self.hr_resize_y or int(self.height * self.hr_scale) // 64 * 64
        self.extra_generation_params |= {"Hires upscale": self.hr_scale, "Hires upscaler": "Latent"}
        state.job_count = self.n_iter * 2

    def sample(self, conditioning: Any, unconditional_conditioning: Any, seeds: list[int], **_: Any) -> Tensor:
        self.sampler = sd_samplers.create_sampler(self.sampler_name, self.sd_model)
        noise = self.noise(self.height, self.width, seeds)
        samples = self.sampler.sample(self, noise, conditioning, unconditional_conditioning)
        return self._second_pass(samples, seeds) if self.enable_hr and not state.interrupted else samples

    def _second_pass(self, samples: Tensor, seeds: list[int]) -> Tensor:
        """The same pictures larger: latents stretched, noised, sampled on, decoded here as A1111 does."""
        self.is_hr_pass = True
        state.nextjob()
        grid = (self.hr_upscale_to_y // opt_f, self.hr_upscale_to_x // opt_f)
        samples = torch.nn.functional.interpolate(samples, size=grid, mode="bilinear", antialias=False)
        self.sampler = sd_samplers.create_sampler(self.sampler_name, self.sd_model)
        noise = self.noise(self.hr_upscale_to_y, self.hr_upscale_to_x, seeds)
        if self.scripts is not None:
            self.scripts.before_hr(self)
        samples = self.sampler.sample_img2img(
            self, samples, noise, self.c, self.uc, steps=self.hr_second_pass_steps or self.steps
        )
        self.is_hr_pass = False
        return Decoded(decode_latent_batch(self.sd_model, samples, devices.cpu))  # type: ignore[return-value]


class Decoded(list):
    """Pictures that a second pass has decoded already."""

    already_decoded = True


@dataclass(repr=False)
class StableDiffusionProcessingImg2Img(StableDiffusionProcessing):
    """From a picture, whole or inside a mask (white is painted anew)."""

    init_images: list[Any] | None = None
    resize_mode: int = 0
    denoising_strength: float = 0.75
    mask: Any = None
    mask_blur: int | None = None
    mask_blur_x: int = 4
    mask_blur_y: int = 4
    mask_round: bool = True
    inpainting_fill: int = 0
    inpaint_full_res: bool = True
    inpaint_full_res_padding: int = 0
    inpainting_mask_invert: int = 0
    initial_noise_multiplier: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.image_mask, self.mask = self.mask, None
        self.nmask: Tensor | None = None
        self.latent_mask: Image.Image | None = None
        self.init_latent: Tensor | None = None
        if self.mask_blur is not None:
            self.mask_blur_x = self.mask_blur_y = self.mask_blur

    def init(self, all_prompts: list[str], all_seeds: list[int], all_subseeds: list[int]) -> None:
        crop = self._prepare_mask() if self.image_mask is not None else None
        pixels = [self._prepare_picture(images.flatten(picture, "#ffffff"), crop) for picture in self.init_images or ()]
        if len(pixels) == 1:
            pixels *= self.batch_size
            if self.overlay_images is not None:
                self.overlay_images *= self.batch_size
        batch = torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2)
        self.init_latent = sd_samplers_common.images_tensor_to_samples(batch, 0, self.sd_model)
        if self.latent_mask is not None:
            self._prepare_latent_mask(all_seeds)

    def _prepare_mask(self) -> tuple[int, int, int, int] | None:
        """Blurred, inverted where wanted; the crop for "only masked"."""
        from PIL import ImageOps

        mask = create_binary_mask(self.image_mask, round=self.mask_round)
        if self.inpainting_mask_invert:
            mask = ImageOps.invert(mask)
            self.extra_generation_params["Mask mode"] = "Inpaint not masked"
        if self.mask_blur_x or self.mask_blur_y:
            mask = mask.filter(ImageFilter.GaussianBlur(max(self.mask_blur_x, self.mask_blur_y)))
            self.extra_generation_params["Mask blur"] = max(self.mask_blur_x, self.mask_blur_y)
        crop = masking.get_crop_region(mask, self.inpaint_full_res_padding) if self.inpaint_full_res else None
        if crop:
            crop = masking.expand_crop_region(crop, self.width, self.height, mask.width, mask.height)
            self.mask_for_overlay = mask
            self.paste_to = (crop[0], crop[1], crop[2] - crop[0], crop[3] - crop[1])
            self.latent_mask = images.resize_image(2, mask.crop(crop), self.width, self.height)
            self.extra_generation_params |= {
                "Inpaint area": "Only masked",
                "Masked area padding": self.inpaint_full_res_padding,
            }
        else:
            mask = images.resize_image(self.resize_mode, mask, self.width, self.height)
            self.mask_for_overlay = self.latent_mask = mask
        self.overlay_images = []
        return crop

    def _prepare_picture(self, picture: Image.Image, crop: tuple[int, int, int, int] | None) -> np.ndarray:
        """Float32 (h w 3) in 0..1 at the generation's size; the overlay that goes over the result is kept."""
        if crop is None:
            picture = images.resize_image(self.resize_mode, picture, self.width, self.height)
        if self.image_mask is not None and self.mask_for_overlay is not None and self.overlay_images is not None:
            hole = Image.new("RGBa", picture.size)
            outside = Image.eval(self.mask_for_overlay.convert("L"), lambda value: 255 - value)
            hole.paste(picture.convert("RGBA").convert("RGBa"), mask=outside)
            self.overlay_images.append(hole.convert("RGBA"))
        if crop is not None:
            picture = images.resize_image(2, picture.crop(crop), self.width, self.height)
        if self.image_mask is not None and self.inpainting_fill == 0 and self.latent_mask is not None:
            picture = _filled(picture, self.latent_mask)
        return np.asarray(picture, np.float32) / 255.0

    def _prepare_latent_mask(self, all_seeds: list[int]) -> None:
        assert self.latent_mask is not None and self.init_latent is not None
        grid = self.init_latent.shape[-1], self.init_latent.shape[-2]
        cells = np.asarray(self.latent_mask.convert("L").resize(grid, Image.Resampling.BOX), np.float32) / 255
        repaint = torch.from_numpy(np.around(cells) if self.mask_round else cells).to(self.init_latent)
        self.nmask, self.mask = repaint[None, None], 1 - repaint[None, None]
        if self.inpainting_fill == 2:
            noise = self.noise(self.height, self.width, all_seeds[: len(self.init_latent)])
            self.init_latent = self.init_latent * self.mask + noise * self.nmask
        elif self.inpainting_fill == 3:
            self.init_latent = self.init_latent * self.mask

    def sample(self, conditioning: Any, unconditional_conditioning: Any, seeds: list[int], **_: Any) -> Tensor:
        self.sampler = sd_samplers.create_sampler(self.sampler_name, self.sd_model)
        noise = self.noise(self.height, self.width, seeds)
        assert self.init_latent is not None
        latent = self.init_latent[: len(noise)]
        return self.sampler.sample_img2img(self, latent, noise, conditioning, unconditional_conditioning)


def _filled(picture: Image.Image, mask: Image.Image) -> Image.Image:
    """The masked part blurred over from around it."""
    outside = Image.eval(mask.convert("L"), lambda value: 255 - value)
    known = Image.new("RGBa", picture.size)
    known.paste(picture.convert("RGBA").convert("RGBa"), mask=outside)
    out = Image.new("RGBA", picture.size)
    for radius in (256, 64, 16, 4):
        out.alpha_composite(known.filter(ImageFilter.GaussianBlur(radius)).convert("RGBA"))
        out.alpha_composite(known.convert("RGBA"))
    return out.convert("RGB")


def create_binary_mask(picture: Image.Image, round: bool = True) -> Image.Image:  # noqa: A002  the hosts call it so
    """A mask picture as L: its alpha where it has a real one, else its brightness."""
    if picture.mode == "RGBA" and picture.getextrema()[-1] != (255, 255):
        alpha = picture.split()[-1].convert("L")
        return alpha.point(lambda value: 255 if value > 128 else 0) if round else alpha
    return picture.convert("L")


class Processed:
    """The result."""

    def __init__(
        self,
        p: Any,
        images_list: list[Image.Image],
        seed: int = -1,
        info: str = "",
        subseed: int | None = None,
        all_prompts: list[str] | None = None,
        all_negative_prompts: list[str] | None = None,
        all_seeds: list[int] | None = None,
        all_subseeds: list[int] | None = None,
        index_of_first_image: int = 0,
        infotexts: list[str] | None = None,
        comments: str = "",
    ) -> None:
        self.images, self.info, self.infotexts = images_list, info, infotexts or [info]
        self.prompt, self.negative_prompt, self.seed, self.subseed = p.prompt, p.negative_prompt, seed, subseed
        self.width, self.height, self.steps, self.cfg_scale = p.width, p.height, p.steps, p.cfg_scale
        self.all_prompts = all_prompts or p.all_prompts
        self.all_negative_prompts = all_negative_prompts or p.all_negative_prompts
        self.all_seeds = all_seeds or p.all_seeds
        self.all_subseeds = all_subseeds or p.all_subseeds
        self.index_of_first_image = index_of_first_image
        self.extra_generation_params = p.extra_generation_params
        self.comments = "".join(f"{comment}\n" for comment in p.comments) + comments
        self.batch_size, self.sampler_name = p.batch_size, p.sampler_name

    def js(self) -> str:
        """For the page and the API."""
        shown = (
            "prompt",
            "negative_prompt",
            "seed",
            "subseed",
            "width",
            "height",
            "steps",
            "cfg_scale",
            "all_prompts",
            "all_negative_prompts",
            "all_seeds",
            "all_subseeds",
            "index_of_first_image",
            "infotexts",
            "extra_generation_params",
            "batch_size",
            "sampler_name",
        )
        return json.dumps({name: getattr(self, name) for name in shown}, default=str)

    def infotext(self, p: Any, index: int) -> str:
        """Of one picture."""
        return create_infotext(p, self.all_prompts, self.all_seeds, self.all_subseeds, index=index)


def create_infotext(
    p: Any,
    all_prompts: list[str],
    all_seeds: list[int],
    all_subseeds: list[int],
    comments: Any = None,
    iteration: int = 0,
    position_in_batch: int = 0,
    use_main_prompt: bool = False,
    index: int | None = None,
    all_negative_prompts: list[str] | None = None,
) -> str:
    """Prompt, negative prompt and a line of fields."""
    at = position_in_batch + iteration * p.batch_size if index is None else index
    fields = {
        "Steps": p.steps,
        "Sampler": "Euler",
        "CFG scale": p.cfg_scale,
        "Seed": p.all_seeds[0] if use_main_prompt else all_seeds[at],
        "Size": f"{p.width}x{p.height}",
        "Model hash": p.sd_model.sd_model_hash,
        "Model": p.sd_model.sd_checkpoint_info.name_for_extra,
        "Denoising strength": p.extra_generation_params.get(
            "Denoising strength", getattr(p, "denoising_strength", None)
        )
        if isinstance(p, StableDiffusionProcessingImg2Img) or getattr(p, "enable_hr", False)
        else None,
        **p.extra_generation_params,
        "Version": "pocket",
    }
    written = {key: value(p=p) if callable(value) else value for key, value in fields.items()}
    line = ", ".join(f"{key}: {infotext_utils.quote(value)}" for key, value in written.items() if value is not None)
    prompt = p.all_prompts[0] if use_main_prompt else all_prompts[at]
    negative = (all_negative_prompts or p.all_negative_prompts)[0 if use_main_prompt else at]
    return "\n".join(part for part in (prompt, f"Negative prompt: {negative}" if negative else "", line) if part)


def decode_latent_batch(
    model: Any, batch: Tensor, target_device: Any = None, check_for_nans: bool = False
) -> list[Tensor]:
    """Scaled latents to pixels (3 h w) in [-1, 1], one after the other."""
    decoded = [sd_samplers_common.decode_first_stage(model, row[None])[0] for row in batch]
    return [picture if target_device is None else picture.to(target_device) for picture in decoded]


def get_fixed_seed(seed: Any) -> int:
    """-1 and nothing are a random one."""
    return random.randrange(2**32) if seed in (None, "", -1) else int(seed)


def apply_overlay(picture: Image.Image, paste_to: Any, overlay: Image.Image | None) -> tuple[Image.Image, Image.Image]:
    """The inpainted part under the original with its hole; and without it."""
    if overlay is None:
        return picture, picture
    if paste_to is not None:
        x, y, width, height = paste_to
        base = Image.new("RGB", overlay.size)
        base.paste(images.resize_image(1, picture, width, height), (x, y))
        picture = base
    whole = picture.convert("RGBA")
    whole.alpha_composite(overlay)
    return whole.convert("RGB"), picture


def process_images(p: Any) -> Processed:
    """One request; settings it overrides are put back."""
    if p.scripts is not None:
        p.scripts.before_process(p)
    stored = {key: opts.data[key] for key in p.override_settings if key in opts.data}
    try:
        for key, value in p.override_settings.items():
            opts.set(key, value, is_api=True, run_callbacks=False)
        p.sd_model = sd_models.reload_model_weights()
        return process_images_inner(p)
    finally:
        if p.override_settings_restore_afterwards:
            for key, value in stored.items():
                setattr(opts, key, value)


def process_images_inner(p: Any) -> Processed:
    """The walk over the batches."""
    seed, subseed = get_fixed_seed(p.seed), get_fixed_seed(p.subseed)
    sd_hijack.model_hijack.clear_comments()
    p.setup_prompts()
    p.all_seeds = seed if isinstance(seed, list) else [seed + at for at in range(len(p.all_prompts))]
    p.all_subseeds = [subseed + at for at in range(len(p.all_prompts))]
    if p.scripts is not None:
        p.scripts.process(p)
    pictures: list[Image.Image] = []
    infotexts: list[str] = []
    with torch.no_grad(), p.sd_model.ema_scope(), devices.autocast():
        p.init(p.all_prompts, p.all_seeds, p.all_subseeds)
        sd_unet.apply_unet()
        if state.job_count == -1:
            state.job_count = p.n_iter
        for number in range(p.n_iter):
            p.iteration = number
            state.skipped = False
            if state.interrupted or state.stopping_generation:
                break
            _one_batch(p, number, pictures, infotexts)
        first = _add_grid(p, pictures, infotexts)
    if not p.disable_extra_networks and p.extra_network_data:
        extra_networks.deactivate(p, p.extra_network_data)
    devices.torch_gc()
    result = Processed(
        p,
        pictures,
        p.all_seeds[0],
        (infotexts or [""])[0],
        p.all_subseeds[0],
        index_of_first_image=first,
        infotexts=infotexts,
    )
    if p.scripts is not None:
        p.scripts.postprocess(p, result)
    return result


def _one_batch(p: Any, number: int, pictures: list[Image.Image], infotexts: list[str]) -> None:
    rows = slice(number * p.batch_size, (number + 1) * p.batch_size)
    p.prompts, p.negative_prompts = p.all_prompts[rows], p.all_negative_prompts[rows]
    p.seeds, p.subseeds = p.all_seeds[rows], p.all_subseeds[rows]
    about = {"batch_number": number, "prompts": p.prompts, "seeds": p.seeds, "subseeds": p.subseeds}
    if p.scripts is not None:
        p.scripts.before_process_batch(p, **about)
    p.parse_extra_network_prompts()
    if not p.disable_extra_networks:
        extra_networks.activate(p, p.extra_network_data)
        if p.scripts is not None:
            p.scripts.after_extra_networks_activate(p, **about, extra_network_data=p.extra_network_data)
    if p.scripts is not None:
        p.scripts.process_batch(p, **{**about, "prompts": p.prompts})
    p.setup_conds()
    samples = p.sample(conditioning=p.c, unconditional_conditioning=p.uc, seeds=p.seeds)
    if p.scripts is not None:
        after = scripts.PostSampleArgs(samples)
        p.scripts.post_sample(p, after)
        samples = after.samples
    decoded = (
        samples if getattr(samples, "already_decoded", False) else decode_latent_batch(p.sd_model, samples, devices.cpu)
    )
    batch: Any = ((torch.stack(list(decoded)).float() + 1) / 2).clamp(0, 1)
    if lowvram.is_enabled(p.sd_model):
        lowvram.send_everything_to_cpu()
    state.nextjob()
    if p.scripts is not None:
        p.scripts.postprocess_batch(p, batch, batch_number=number)
        listed = scripts.PostprocessBatchListArgs(list(batch))
        p.scripts.postprocess_batch_list(p, listed, batch_number=number)
        batch = listed.images
    for index, tensor in enumerate(batch):
        p.batch_index = index
        pictures.append(_one_picture(p, index, tensor, infotexts))


def _one_picture(p: Any, index: int, tensor: Tensor, infotexts: list[str]) -> Image.Image:
    picture = Image.fromarray((255.0 * np.moveaxis(tensor.cpu().numpy(), 0, 2)).astype(np.uint8))
    overlays = p.overlay_images if opts.overlay_inpaint and p.overlay_images else []
    overlay = overlays[index] if index < len(overlays) else None
    if p.scripts is not None:
        args = scripts.PostprocessImageArgs(picture)
        p.scripts.postprocess_image(p, args)
        over = scripts.PostProcessMaskOverlayArgs(index, p.mask_for_overlay, overlay)
        p.scripts.postprocess_maskoverlay(p, over)
        picture, overlay = args.image, over.overlay_image
    picture, _ = apply_overlay(picture, p.paste_to, overlay)
    if p.scripts is not None:
        args = scripts.PostprocessImageArgs(picture)
        p.scripts.postprocess_image_after_composite(p, args)
        picture = args.image
    text = create_infotext(p, p.prompts, p.seeds, p.subseeds, index=index, all_negative_prompts=p.negative_prompts)
    infotexts.append(text)
    if p.save_samples():
        images.save_image(
            picture, p.outpath_samples, "", p.seeds[index], p.prompts[index], opts.samples_format, info=text, p=p
        )
    if opts.enable_pnginfo:
        picture.info["parameters"] = text
    if p.mask_for_overlay is not None and opts.save_mask and p.save_samples():
        mask = p.mask_for_overlay.convert("RGB")
        images.save_image(mask, p.outpath_samples, "", p.seeds[index], info=text, p=p, suffix="-mask")
    return picture


def _add_grid(p: Any, pictures: list[Image.Image], infotexts: list[str]) -> int:
    """Where the first picture stands after a grid was put before them, or was not."""
    if not opts.return_grid or p.do_not_save_grid or (len(pictures) < 2 and opts.grid_only_if_multiple) or not pictures:
        return 0
    grid = images.image_grid(pictures, p.batch_size)
    text = create_infotext(p, p.prompts, p.seeds, p.subseeds, use_main_prompt=True, index=0)
    infotexts.insert(0, text)
    grid.info["parameters"] = text
    pictures.insert(0, grid)
    if opts.grid_save and p.outpath_grids:
        images.save_image(grid, str(Path(p.outpath_grids)), "grid", info=text, p=p, grid=True)
    return 1


__all__ = [
    "Processed",
    "StableDiffusionProcessing",
    "StableDiffusionProcessingImg2Img",
    "StableDiffusionProcessingTxt2Img",
    "create_binary_mask",
    "create_infotext",
    "get_fixed_seed",
    "process_images",
    "process_images_inner",
    "script_callbacks",
]
