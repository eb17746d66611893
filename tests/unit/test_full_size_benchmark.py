"""What benchmarks/ compares computes the same: a figure about other work would say nothing."""

import pytest
import torch

from benchmarks import full_size
from benchmarks.gpu_steps import Trunk
from benchmarks.harvesting import upper_bound
from benchmarks.timing import alternate


@pytest.fixture(scope="module")
def networks() -> full_size.Networks:
    return full_size.build(device="cpu", dtype=torch.float32, tiny=True)


@torch.inference_mode()
def test_every_situation_has_the_plain_paths_answer(networks: full_size.Networks) -> None:
    inputs = full_size.make_inputs(networks, 64)
    answers = {name: call() for name, call in full_size.situations(networks, inputs).items()}
    plain = answers["plain"]
    assert plain.shape == (1, 1, 64, 64) and 0.1 < float(plain.std()) < 10
    for name in ("uploaded", "another phrase", "just generated"):
        assert torch.equal(answers[name], plain), name
    torch.testing.assert_close(answers["8 phrases"][:1], plain, rtol=1e-3, atol=1e-3)
    assert answers["uploaded, fast encoder"].isfinite().all()


@torch.inference_mode()
def test_the_compilers_unet_is_the_hooked_one(networks: full_size.Networks) -> None:
    inputs = full_size.make_inputs(networks, 64)
    read = Trunk(networks.unet)(networks.noisy(inputs.latent), inputs.one)
    assert {tap: torch.equal(value, inputs.features[tap]) for tap, value in read.items()} == dict.fromkeys(
        inputs.features, True
    )


def test_things_are_timed_in_turns() -> None:
    order: list[str] = []
    times = alternate({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, rounds=3, warm=1)
    assert order == ["a", "b"] * 4
    assert times["a"]["runs"] == 3 and times["a"]["least"] <= times["a"]["median"] <= times["a"]["most"]


def test_the_upper_bound_is_near_the_median_of_many_and_far_from_it_of_few() -> None:
    assert upper_bound([1.0] * 20 + [1.5]) == 1.0
    assert upper_bound([0.99, 1.0, 1.2]) == 1.2
