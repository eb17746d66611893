"""The noise schedule against the authors': alpha-bar at ten timesteps, and the noisy latents of the cases."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from ldznet_ext.hosts.schedule import Schedule

GOLDEN = json.loads((Path(__file__).parent / "data" / "schedule.json").read_text())


@pytest.mark.parametrize("timestep", sorted(GOLDEN, key=int))
def test_alpha_bar(timestep: str) -> None:
    want = GOLDEN[timestep]
    alpha = float(Schedule().alpha_bar[int(timestep)])
    assert alpha == pytest.approx(want["alphas_cumprod"], abs=1e-6)
    assert alpha**0.5 == pytest.approx(want["sqrt_ac"], abs=1e-6)
    assert (1 - alpha) ** 0.5 == pytest.approx(want["sqrt_1mac"], abs=1e-6)


@pytest.mark.parametrize("name", ["A", "C"])
def test_noisy_latents(name: str, golden_case: Callable[[str], dict[str, Tensor]]) -> None:
    case = golden_case(name)
    for z, noise, timestep, want in zip(case["z"], case["noise"], case["t_ldm"], case["z_noisy"], strict=True):
        got = Schedule().add_noise(z, noise, int(timestep))
        torch.testing.assert_close(got, want, atol=2e-6, rtol=0)
