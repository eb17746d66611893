"""Seeds, noise and the settings of painting."""

import numpy as np
import pytest
import torch

from ldznet_ext.errors import OptionError
from ldznet_ext.geometry import Size
from ldznet_ext.hosts.schedule import Schedule
from ldznet_ext.sampling import Sampling, Start, check_seed, check_strength, seeded_noise

CPU = torch.device("cpu")


def test_noise_depends_on_seed_and_size_alone() -> None:
    one = seeded_noise(3, (1, 4, 3, 5), CPU, torch.float32)
    torch.manual_seed(99)
    assert torch.equal(one, seeded_noise(3, (1, 4, 3, 5), CPU, torch.float32))
    assert not torch.equal(one, seeded_noise(4, (1, 4, 3, 5), CPU, torch.float32))
    # drawn in float32, then rounded: the same noise at any precision
    assert torch.equal(one.half(), seeded_noise(3, (1, 4, 3, 5), CPU, torch.float16))


def test_drawing_noise_leaves_the_hosts_randomness_alone() -> None:
    before = torch.random.get_rng_state()
    seeded_noise(3, (1, 4, 3, 5), CPU, torch.float32)
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize("seed", [0, 2**63 - 1, np.int64(7)])
def test_seeds(seed: int) -> None:
    assert check_seed(seed) == int(seed)


@pytest.mark.parametrize("seed", [-1, 2**63, 1.0, True, "1", None])
def test_no_seeds(seed: object) -> None:
    with pytest.raises(OptionError, match="seed"):
        check_seed(seed)


def test_sampling_settings_at_their_ends() -> None:
    Sampling(steps=1, guidance=0)
    Sampling(steps=1000, guidance=100.0)
    nan = float("nan")
    for bad in (
        *({"steps": steps} for steps in (0, 1001, True, 2.5)),
        *({"guidance": guidance} for guidance in (101, -1, nan, "5")),
        *({"size": size} for size in ((100, 192), (0, 64), (64,), 64, "ab", (64.0, 64), (64, -64))),
    ):
        with pytest.raises(OptionError, match=next(iter(bad))):
            Sampling(**bad)
    check_strength(1)
    check_strength(0.001)
    for strength in (0, 1.1, nan, "1"):
        with pytest.raises(OptionError, match="strength"):
            Start(latent=torch.zeros(1), repaint=torch.zeros(1), strength=strength)


def test_numpys_numbers_and_a_pair_become_pythons_and_a_size() -> None:
    made = Sampling(steps=np.int64(7), guidance=np.float32(2.5), size=(64, np.int32(192)))
    assert made == Sampling(steps=7, guidance=2.5, size=Size(64, 192))
    assert (type(made.steps), type(made.guidance), type(made.size)) == (int, float, Size)
    assert Schedule().timesteps(np.int64(4)) == [751, 501, 251, 1]


def test_a_guidance_of_one_needs_no_second_row() -> None:
    assert Sampling().guided and Sampling(guidance=0).guided and not Sampling(guidance=1).guided
