"""A fake of what a web UI does around a generation: the hooks in its order, denoisers that batch as the hosts do, samplers.

Only what `hosts/webui/script.py` meets, on a real UNet of the CompVis layout. Facts: the hosts' `processing.py`,
`sd_samplers_cfg_denoiser.py` (A1111 1.10.1) and `backend/sampling/sampling_function.py` (Forge).
"""

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from ldznet_ext.hosts.standalone import StandaloneBackbone
from ldznet_ext.nets.unet import UNet

Args = Sequence[Any]


class Interrupted(BaseException):
    """As the hosts' InterruptedException: no Exception."""


class HostUNet(UNet):
    """A UNet that takes what hosts give theirs."""

    def forward(  # type: ignore[override]
        self,
        x: Tensor,
        timesteps: Tensor | None = None,
        context: Tensor | None = None,
        y: Tensor | None = None,
        control: Any = None,
        transformer_options: Any = None,
    ) -> Tensor:
        assert timesteps is not None and context is not None
        return super().forward(x, timesteps, context)


class FakeHost:
    """The part of `hosts.webui.host.Host` that a generation needs."""

    kind, name = "a1111", "a fake, not A1111"

    def __init__(self, backbone: StandaloneBackbone) -> None:
        backbone.unet.__class__ = HostUNet
        backbone.decode = quick_decode  # type: ignore[method-assign]
        self.backbone_now = backbone
        self.inside_now = 0
        self.networks_now: Hashable = ()
        self.asked_under: list[Any] = []

    def loaded(self) -> StandaloneBackbone:
        return self.backbone_now

    def borrow(self, model: StandaloneBackbone) -> StandaloneBackbone:
        return model

    def active(self) -> Hashable:
        return self.networks_now

    @contextmanager
    def inside(self, networks: Any = None) -> Iterator[None]:
        self.inside_now += 1
        self.asked_under.append(networks)
        try:
            yield
        finally:
            self.inside_now -= 1


def quick_decode(latent: Tensor) -> Tensor:
    """Pixels of a latent without its decoder, which is not what is tested here and takes the longest."""
    return torch.nn.functional.interpolate(latent[:, :3], scale_factor=8.0, mode="bilinear").clamp(-1, 1)


class Conds:
    """As A1111's MulticondLearnedConditioning: for each picture its prompt's parts with their weights."""

    def __init__(self, parts: Sequence[Sequence[tuple[Tensor, float]]]) -> None:
        self.batch = [[SimpleNamespace(states=states, weight=weight) for states, weight in one] for one in parts]


@dataclass
class Seen:
    """One call of the denoiser: what each picture's conditional rows were given."""

    timestep: float
    latent: Tensor
    states: list[list[Tensor]]


class Denoiser(nn.Module):
    """`model_wrap_cfg`. order: "a1111" or "forge"; split: conditional and unconditional rows in calls of their own."""

    def __init__(self, unet: nn.Module, *, order: str = "a1111", split: bool = False, guided: bool = True) -> None:
        super().__init__()
        self._unet = [unet]  # not a child: its hooks are its own
        self.order, self.split, self.guided = order, split, guided
        self.steps = self.total_steps = 0
        self.seen: list[Seen] = []
        self.callbacks: list[Callable[[], None]] = []

    def forward(self, x: Tensor, sigma: Tensor, *, cond: Conds, uncond: Tensor) -> Tensor:
        states = [[part.states for part in parts] for parts in cond.batch]
        self.seen.append(Seen(float(sigma[0]), x.clone(), states))
        for callback in self.callbacks:
            callback()
        run = self._forge if self.order == "forge" else self._a1111
        return run(x, sigma, states, uncond)

    def _a1111(self, x: Tensor, sigma: Tensor, states: list[list[Tensor]], uncond: Tensor) -> Tensor:
        """All parts of each picture, then the unconditional rows."""
        rows = [index for index, parts in enumerate(states) for _ in parts]
        count = len(rows)
        latents = torch.cat([x[rows], x]) if self.guided else x[rows]
        times = torch.cat([sigma[rows], sigma]) if self.guided else sigma[rows]
        context = torch.cat([*(state[None] for parts in states for state in parts), *([uncond] if self.guided else [])])
        out = torch.zeros_like(latents)
        width = len(x) if self.split else len(latents)
        for first in range(0, len(latents), width):
            part = slice(first, first + width)
            out[part] = self._unet[0](latents[part], times[part], context=context[part])
        plain = out[count:] if self.guided else torch.zeros_like(x)
        return plain + 2 * (torch.stack([out[rows.index(index)] for index in range(len(x))]) - plain)

    def _forge(self, x: Tensor, sigma: Tensor, states: list[list[Tensor]], uncond: Tensor) -> Tensor:
        """Chunks of a row a picture from the last to the first, the unconditional one before the prompt's parts."""
        parts = [torch.stack(part) for part in zip(*states, strict=False)]
        to_run = [*((part, 0) for part in parts), *([(uncond, 1)] if self.guided else [])][::-1]
        sums = [torch.zeros_like(x), torch.zeros_like(x)]
        for group in [[one] for one in to_run] if self.split else [to_run]:
            marks = [mark for _, mark in group]
            options = {"cond_or_uncond": marks, "sigmas": sigma}
            out = self._unet[0](
                torch.cat([x] * len(group)),
                torch.cat([sigma] * len(group)),
                context=torch.cat([context for context, _ in group]),
                control=None,
                transformer_options=options,
            )
            for mark, rows in zip(marks, out.chunk(len(group)), strict=True):
                sums[mark] = sums[mark] + rows
        return sums[1] + 2 * (sums[0] - sums[1])


def euler(denoiser: Denoiser, x: Tensor, times: Sequence[float], **extra: Any) -> Tensor:
    """One call a step, timesteps with fractions."""
    for time in times:
        x = x - 0.1 * denoiser(x, torch.full((len(x),), time), **extra)
    return x


def heun(denoiser: Denoiser, x: Tensor, times: Sequence[float], **extra: Any) -> Tensor:
    """Two calls a step, one in the last."""
    denoiser.total_steps = 2 * denoiser.steps
    for time, later in zip(times, [*times[1:], None], strict=True):
        slope = denoiser(x, torch.full((len(x),), time), **extra)
        if later is not None:
            slope = (slope + denoiser(x - 0.1 * slope, torch.full((len(x),), later), **extra)) / 2
        x = x - 0.1 * slope
    return x


def ddim(denoiser: Denoiser, x: Tensor, times: Sequence[float], **extra: Any) -> Tensor:
    """Whole timesteps, one call less than steps."""
    denoiser.alphas = torch.ones(1)
    for time in times[:-1]:
        x = x - 0.1 * denoiser(x, torch.full((len(x),), int(time)), **extra)
    return x


@dataclass(eq=False)
class Run:
    """A processing object. Like the hosts' it cannot be compared: it holds tensors."""

    prompt: str = "a fox on snow"
    parts: tuple[tuple[str, float], ...] = (("a fox on snow", 1.0),)
    seed: int = 7
    batch_size: int = 1
    n_iter: int = 1
    steps: int = 4
    width: int = 128
    height: int = 64
    sampler_of: Callable[..., Tensor] = euler
    order: str = "a1111"
    split: bool = False
    guided: bool = True
    enable_hr: bool = False
    init_images: list[Image.Image] | None = None
    image_mask: Image.Image | None = None
    paste_to: tuple[int, int, int, int] | None = None
    within: Callable[[], None] | None = None
    """Called by another extension in the middle of the sampling."""
    after_batch: Callable[[int], None] | None = None
    extra_generation_params: dict[str, Any] = field(default_factory=dict)
    outpath_samples: str = "out"
    do_not_save_samples: bool = False
    do_not_save_grid: bool = False
    grid: bool = False
    iteration: int = 0
    batch_index: int = 0
    mask_blur_x: int = 1
    denoisers: list[Denoiser] = field(default_factory=list)

    def __eq__(self, other: object) -> bool:
        raise AssertionError("processing objects must not be compared")

    def save_samples(self) -> bool:
        return not self.do_not_save_samples


@dataclass
class Processed:
    """What a run gives."""

    images: list[Image.Image]
    infotexts: list[str]
    index_of_first_image: int = 0
    comments: str = ""


class Scripts:
    """Our script among the others of a tab; like the hosts', it lets no hook's failure through."""

    def __init__(self, generation: Any, args: Args) -> None:
        self.generation, self.args = generation, args
        self.raised: list[Exception] = []

    def call(self, hook: str, p: Run, *given: Any, **kwargs: Any) -> None:
        try:
            getattr(self.generation, hook)(p, *given, self.args, **kwargs)
        except Exception as error:
            self.raised.append(error)


def process_images(p: Run, host: FakeHost, scripts: Scripts | None) -> Processed:
    """A run from beginning to end, as `process_images` and `process_images_inner` have it."""
    call = scripts.call if scripts is not None else lambda *args, **kwargs: None
    call("before_process", p)
    p.all_prompts = [p.prompt] * p.batch_size * p.n_iter
    p.all_seeds = [p.seed + index for index in range(len(p.all_prompts))]
    call("process", p)
    pictures: list[Image.Image] = []
    texts: list[str] = []
    with torch.no_grad():
        for number in range(p.n_iter):
            p.iteration = number
            rows = slice(p.iteration * p.batch_size, (p.iteration + 1) * p.batch_size)
            p.prompts, p.seeds = p.all_prompts[rows], p.all_seeds[rows]
            samples = _sample(p, host.loaded(), call)
            after = SimpleNamespace(samples=samples)
            call("post_sample", p, after)
            for p.batch_index, pixels in enumerate(_decoded(after.samples, host.loaded())):
                picture = SimpleNamespace(image=_to_pil(pixels))
                call("postprocess_image", p, picture)
                picture.image = _composite(p, picture.image)
                call("postprocess_image_after_composite", p, picture)
                pictures.append(picture.image)
                texts.append(f"{p.prompt} {p.extra_generation_params}")
            if p.after_batch is not None:
                p.after_batch(p.iteration)
    if p.grid:
        pictures.insert(0, Image.new("RGB", (8, 4)))
        texts.insert(0, "grid")
    processed = Processed(pictures, texts or ["nothing"], int(p.grid))
    call("postprocess", p, processed)
    return processed


def _sample(p: Run, backbone: StandaloneBackbone, call: Callable[..., None]) -> Any:
    noise = torch.stack([torch.randn(4, p.height // 8, p.width // 8, generator=_generator(seed)) for seed in p.seeds])
    samples = _loop(p, backbone, noise, call, range(p.steps))
    if not p.enable_hr:
        return samples
    larger = torch.nn.functional.interpolate(samples, scale_factor=2.0)
    samples = _loop(p, backbone, larger, call, range(p.steps // 3, p.steps))
    return Decoded(backbone.decode(row[None])[0] for row in samples)


def _loop(p: Run, backbone: StandaloneBackbone, x: Tensor, call: Callable[..., None], steps: range) -> Tensor:
    denoiser = Denoiser(backbone.unet, order=p.order, split=p.split, guided=p.guided)
    p.sampler = SimpleNamespace(model_wrap_cfg=denoiser)
    p.denoisers.append(denoiser)
    states = [(backbone.text([text])[0].clone(), weight) for text, weight in p.parts]
    uncond = backbone.text([""]).clone().expand(len(x), -1, -1)
    times = [999 - (index + 0.5) * 999 / p.steps for index in steps]
    if p.within is not None:
        denoiser.callbacks.append(lambda: len(denoiser.seen) == 3 and p.within and p.within())
    call("process_before_every_sampling", p, x=x, noise=x, c=None, uc=None)
    denoiser.steps = denoiser.total_steps = len(times)
    try:
        return p.sampler_of(denoiser, x, times, cond=Conds([states] * len(x)), uncond=uncond)
    except Interrupted:
        return denoiser.seen[-1].latent


class Decoded(list):
    """What hires gives."""

    already_decoded = True


def _decoded(samples: Any, backbone: StandaloneBackbone) -> list[Tensor]:
    if getattr(samples, "already_decoded", False):
        return list(samples)
    return [backbone.decode(row[None])[0] for row in samples]


def _to_pil(pixels: Tensor) -> Image.Image:
    scaled = (255 * (pixels.clamp(-1, 1) + 1) / 2).permute(1, 2, 0).numpy()
    return Image.fromarray(np.ascontiguousarray(scaled.astype(np.uint8)))


def _composite(p: Run, picture: Image.Image) -> Image.Image:
    if p.paste_to is None or not p.init_images:
        return picture
    x, y, width, height = p.paste_to
    out = p.init_images[0].copy()
    out.paste(picture.resize((width, height)), (x, y))
    return out


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def hooks_left(*modules: nn.Module) -> int:
    """How many hooks hang anywhere in these modules."""
    every = [module for root in modules for module in root.modules()]
    return sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in every)
