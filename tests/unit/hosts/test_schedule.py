"""Timesteps and noise levels; whole runs are compared with diffusers in the contract tests."""

import numpy as np
import pytest
import torch

from ldznet_ext.errors import ModelError, OptionError
from ldznet_ext.hosts.schedule import Schedule, read_schedule


def test_the_papers_noise_levels() -> None:
    levels = Schedule().alpha_bar
    np.testing.assert_allclose(levels[[300, 400, 499]], [0.590501, 0.424483, 0.277670], atol=1e-6)


def test_twenty_steps_pass_near_400() -> None:
    assert 401 in Schedule().timesteps(20) and Schedule().timesteps(20)[0] == 951
    assert Schedule().timesteps(1) == [1]
    assert Schedule(spacing="trailing").timesteps(4) == [999, 749, 499, 249]
    assert Schedule(spacing="linspace").timesteps(3) == [999, 500, 0]


@pytest.mark.parametrize("count", [0, -1, 1001, 2.5])
def test_impossible_numbers_of_steps(count: float) -> None:
    with pytest.raises(OptionError, match="number of steps"):
        Schedule().timesteps(count)


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_a_perfect_prediction_gives_the_clean_latent(prediction: str) -> None:
    schedule = Schedule(prediction=prediction)
    clean, noise = torch.randn(1, 4, 3, 5), torch.randn(1, 4, 3, 5)
    noisy = schedule.add_noise(clean, noise, 600)
    signal, spread = schedule.alpha_bar[600] ** 0.5, (1 - schedule.alpha_bar[600]) ** 0.5
    perfect = noise if prediction == "epsilon" else signal * noise - spread * clean
    torch.testing.assert_close(schedule.step(perfect, noisy, 600, 200), schedule.add_noise(clean, noise, 200))


def test_the_end_of_a_run() -> None:
    clean, noise = torch.ones(1, 1, 1, 2), torch.full((1, 1, 1, 2), 2.0)
    noisy = Schedule().add_noise(clean, noise, 1)
    at_zero = Schedule().step(noise, noisy, 1, -49)
    torch.testing.assert_close(at_zero, Schedule().add_noise(clean, noise, 0))
    torch.testing.assert_close(Schedule(last_is_clean=True).step(noise, noisy, 1, -49), clean)


def test_reading_settings() -> None:
    assert read_schedule({}) == Schedule()
    given = {"prediction_type": "v_prediction", "timestep_spacing": "trailing"}
    assert read_schedule(given) == Schedule(prediction="v_prediction", spacing="trailing")
    with pytest.raises(ModelError, match="squaredcos_cap_v2"):
        read_schedule({"beta_schedule": "squaredcos_cap_v2"})
    with pytest.raises(ModelError, match="garbled"):
        read_schedule({"beta_start": "low"})
