"""What a UNet was trained to predict, the noise or the velocity (arXiv 2202.00512): the shapes of both are the same.

Said by the user, or else by the file: its settings, its metadata, a marker among its tensors, a web UI's .yaml beside it. Where
nobody says it (most SD 2.x checkpoints), it is measured.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from torch import Tensor

from ldznet_ext.errors import OptionError
from ldznet_ext.hosts.schedule import Schedule
from ldznet_ext.nets.unet import UNet
from ldznet_ext.sampling import seeded_noise
from ldznet_ext.shapes import Float

EPSILON, VELOCITY = "epsilon", "v_prediction"
SPELLINGS = {"epsilon": EPSILON, "eps": EPSILON, "v_prediction": VELOCITY, "v": VELOCITY, "v-prediction": VELOCITY}
MODELSPEC = "modelspec.prediction_type"  # https://github.com/Stability-AI/ModelSpec
MARKER, ZERO_SNR = "v_pred", "ztsnr"
"""Empty tensors by which finetunes of SDXL say that they predict velocity, and that their last timestep is nothing but noise."""
YAML = re.compile(r"^\s*parameterization\s*:\s*[\"']?(\w+)", re.MULTILINE)

EARLY, LATE = 300, 999
"""Timesteps of the measurement: much of the picture is left at the first, next to nothing at the second."""
GRID = 16
"""Latent cells on a side of what is measured on."""
CLEAR = 0.3
"""Part of the noise that must come back at `EARLY` for the answer to mean anything; an untrained UNet gives none of it."""


def check_prediction(said: str | None) -> str | None:
    """The name of a kind of prediction that a person gave in any of its spellings; OptionError for others."""
    if said is None or said in SPELLINGS:
        return said and SPELLINGS[said]
    raise OptionError(f"The prediction is '{said}'; expected {EPSILON} or {VELOCITY}, so choose one of them.")


def told_prediction(path: Path, metadata: Mapping[str, str], names: Iterable[str] = ()) -> str | None:
    """What a checkpoint's file says of itself: in its metadata, by a marker among its tensors, or in a .yaml of its name."""
    said = SPELLINGS.get(metadata.get(MODELSPEC, "").lower())
    if said is None and MARKER in names:
        said = VELOCITY
    if said is None:
        try:
            found = YAML.search(path.with_suffix(".yaml").read_text("utf-8", errors="replace"))
        except OSError:
            found = None
        said = SPELLINGS.get(found[1]) if found else None
    return said


@torch.inference_mode()
def measure_prediction(unet: UNet, nothing: Float[Tensor, "1 tokens c"], schedule: Schedule | None = None) -> str:
    """What a UNet predicts, from its answer to plain noise. nothing: the text states of no words.

    Of the noise in its input one that predicts noise returns all at any timestep, one that predicts velocity the part
    sqrt(alpha-bar), which is 0.77 at timestep 300 and 0.07 at the last. A UNet that returns it at neither is not trained, and
    taken for one that predicts noise.
    """
    early, late = (_returned(unet, nothing, timestep, schedule or Schedule()) for timestep in (EARLY, LATE))
    return VELOCITY if early > CLEAR and late < early / 2 else EPSILON


def _returned(unet: UNet, nothing: Tensor, timestep: int, schedule: Schedule) -> float:
    """The slope of the prediction over the noise, where the noised latent is one of plain grey."""
    parameter = next(unet.parameters())
    place = {"device": parameter.device, "dtype": parameter.dtype}
    shape = (1, unet.config.in_channels, GRID, GRID)
    noise = seeded_noise(0, shape, parameter.device, torch.float32)
    noisy = schedule.add_noise(torch.zeros_like(noise), noise, timestep).to(**place)
    predicted = unet(noisy, torch.tensor([timestep], device=parameter.device), nothing.to(**place)).float()
    noise = noise[:, : predicted.shape[1]]
    return float((predicted * noise).sum() / noise.square().sum())
