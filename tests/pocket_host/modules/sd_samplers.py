"""The list of samplers: one."""

from dataclasses import dataclass, field
from typing import Any

from modules.sd_samplers_kdiffusion import KDiffusionSampler


@dataclass
class SamplerData:
    """A sampler's name and how it is made."""

    name: str
    aliases: list[str] = field(default_factory=list)
    options: dict[str, str] = field(default_factory=dict)


all_samplers = samplers = samplers_for_img2img = [SamplerData("Euler", ["k_euler"])]
all_samplers_map = samplers_map = {sampler.name: sampler for sampler in all_samplers}


def create_sampler(name: str | None, model: Any) -> KDiffusionSampler:
    """Whatever is asked for, Euler is what there is."""
    return KDiffusionSampler(model)


def visible_sampler_names() -> list[str]:
    """For the page."""
    return [sampler.name for sampler in samplers]
