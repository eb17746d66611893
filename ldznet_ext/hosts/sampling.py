"""DDIM sampling with guidance, over any backbone: from words, from a picture, and only inside a mask.

Holding the rest of the picture at every step follows blended latent diffusion (arXiv 2206.02779).
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ldznet_ext.errors import OptionError
from ldznet_ext.geometry import Size
from ldznet_ext.hosts.base import BaseBackbone
from ldznet_ext.sampling import Progress, Sampling, Start, seeded_noise


@torch.inference_mode()
def sample(
    backbone: BaseBackbone,
    prompts: Sequence[str],
    seeds: Sequence[int],
    sampling: Sampling,
    *,
    start: Start | None = None,
    progress: Progress | None = None,
) -> Tensor:
    """Scaled latents (b c lh lw), one for each prompt with its seed; the noise of a picture depends on its seed alone.

    The UNet sees the rows without words first and the conditional rows in the second half of one batch.
    """
    if not prompts or len(prompts) != len(seeds):
        raise OptionError(
            f"There are {len(prompts)} prompts and {len(seeds)} seeds; expected as many of both, at least "
            "one, so give a seed for each prompt."
        )
    guided, plain = sampling.guided, [sampling.negative] * len(prompts)
    told = backbone.conditioning([*plain, *prompts] if guided else prompts)
    if start is not None and start.masked is not None:
        told = replace(told, beside=torch.cat([start.repaint.to(start.masked), start.masked], dim=1))
    noise = _noise(backbone, seeds, sampling.size or backbone.native, start)
    latent, walk = noise, _walk(backbone, sampling.steps, start)
    for index, (timestep, previous) in enumerate(walk):
        latent = _held(backbone, latent, noise, timestep, start, first=index == 0)
        prediction = backbone.predict(torch.cat([latent, latent]) if guided else latent, timestep, told)
        if guided:
            unconditional, conditional = prediction.chunk(2)
            prediction = unconditional + sampling.guidance * (conditional - unconditional)
        latent = backbone.schedule.step(prediction.float(), latent.float(), timestep, previous).to(latent.dtype)
        if progress:
            progress(index + 1, len(walk))
    return latent if start is None else torch.lerp(start.latent.to(latent), latent, start.repaint.to(latent))


def _noise(backbone: BaseBackbone, seeds: Sequence[int], size: Size, start: Start | None) -> Tensor:
    grid = Size(*start.latent.shape[-2:]) if start else backbone.latent_size(size)
    shape = (1, backbone.latent_channels, *grid)
    return torch.cat([seeded_noise(seed, shape, backbone.device, backbone.dtype) for seed in seeds])


def _walk(backbone: BaseBackbone, steps: int, start: Start | None) -> list[tuple[int, int]]:
    """(timestep, where it lands) of the run; a strength below 1 skips the noisiest part, but never everything."""
    times = backbone.schedule.timesteps(steps)
    skip = min(steps - 1, round(steps * (1 - start.strength))) if start else 0
    landings = [*times[1:], backbone.schedule.previous(times[-1], steps)]
    return list(zip(times, landings, strict=True))[skip:]


def _held(
    backbone: BaseBackbone, latent: Tensor, noise: Tensor, timestep: int, start: Start | None, *, first: bool
) -> Tensor:
    """The latent with everything outside the repainted cells put back to the original at this noise level."""
    if start is None:
        return latent
    original = backbone.add_noise(start.latent.to(noise), noise, timestep)
    if first:
        latent = noise if start.strength == 1 else original
    return torch.lerp(original, latent, start.repaint.to(noise))
