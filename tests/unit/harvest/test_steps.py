"""Steps of a sampler: several pictures, several UNet calls a step, two policies, and what is refused."""

import pytest
import torch
from torch import Tensor, nn

from ldznet_ext.errors import ModelError
from ldznet_ext.geometry import Size
from ldznet_ext.harvest.steps import StepHarvest
from ldznet_ext.harvest.wanted import Wanted

GRID = Size(2, 4)
NEAR = Wanted(taps=("mid",))


def step(
    harvest: StepHarvest,
    timestep: float,
    calls: list[dict[int, int]],
    *,
    pictures: int = 2,
    total: int = 4,
    grid: Size = GRID,
    tap: str = "mid",
    tensor: Tensor | None = None,
) -> None:
    """One step; the value of a row is its number plus ten for each call before, and the timestep."""
    harvest.begin_step(pictures, grid, total)
    for number, rows in enumerate(calls):
        latent = torch.arange(4.0)[:, None, None, None].expand(4, 4, *grid) + 10 * number
        harvest.begin_call(latent, lambda: timestep, rows)
        harvest.read(tap, latent + timestep if tensor is None else tensor)
        harvest.end_call()
    harvest.end_step()


def values(harvest: StepHarvest) -> list[list[float]]:
    return [[float(kept.latent[0, 0, 0, 0]) for kept in one] for one in harvest.kept]


def test_the_nearest_step_of_each_picture(compvis_unet: nn.Module) -> None:
    harvest = StepHarvest(compvis_unet, NEAR)
    for timestep in (900.0, 450.0, 380.0, 20.0):
        step(harvest, timestep, [{0: 1, 1: 2}])
    assert values(harvest) == [[1], [2]] and harvest.steps == 4
    assert [kept.timestep for one in harvest.kept for kept in one] == [380, 380]
    assert float(harvest.kept[1][0].features["mid"][0, 0, 0, 0]) == 382


def test_rows_in_different_calls_come_together_in_the_pictures_order(compvis_unet: nn.Module) -> None:
    harvest = StepHarvest(compvis_unet, NEAR)
    step(harvest, 400.0, [{1: 3}, {0: 2}, {}])
    assert values(harvest) == [[12], [3]]


def test_a_step_without_all_pictures_or_that_failed_is_none(compvis_unet: nn.Module) -> None:
    harvest = StepHarvest(compvis_unet, NEAR)
    step(harvest, 400.0, [{0: 1}])
    assert harvest.kept == ()
    step(harvest, 450.0, [{0: 1, 1: 2}])
    harvest.begin_step(2, GRID, 4)
    harvest.begin_call(torch.zeros(4, 4, *GRID), lambda: 400.0, {0: 0, 1: 1})
    step(harvest, 900.0, [{0: 1, 1: 2}])
    assert [kept.timestep for kept in harvest.kept[0]] == [450]


def test_a_call_of_another_size_in_a_step_is_a_tile(compvis_unet: nn.Module) -> None:
    harvest = StepHarvest(compvis_unet, NEAR)
    harvest.begin_step(1, Size(4, 4), 4)
    harvest.begin_call(torch.zeros(2, 4, 2, 4), lambda: 400.0, {0: 0})
    harvest.end_call()
    harvest.end_step()
    assert harvest.kept == ()


def test_another_size_starts_anew(compvis_unet: nn.Module) -> None:
    harvest = StepHarvest(compvis_unet, NEAR)
    step(harvest, 400.0, [{0: 0}], pictures=1)
    step(harvest, 300.0, [{0: 3}], pictures=1, grid=Size(4, 8))
    assert [kept.timestep for kept in harvest.kept[0]] == [300]


@pytest.mark.parametrize(("total", "kept"), [(6, [3, 4, 5]), (1, [0])])
def test_the_last_half_of_the_steps(compvis_unet: nn.Module, total: int, kept: list[int]) -> None:
    harvest = StepHarvest(compvis_unet, Wanted(taps=("mid",), near=None))
    for number in range(total):
        step(harvest, float(number), [{0: 0, 1: 1}], total=total)
    assert [one.timestep for one in harvest.kept[1]] == kept
    assert harvest.kept[0][0].features["mid"].dtype == torch.float16


def test_no_more_bytes_than_allowed_for_all_pictures(compvis_unet: nn.Module) -> None:
    each = 2 * 4 * GRID.area * 2  # two pictures of four channels in 16 bits
    harvest = StepHarvest(compvis_unet, Wanted(taps=("mid",), near=None, limit=2 * each + 1))
    for number in range(8):
        step(harvest, float(number), [{0: 0, 1: 1}], total=8)
    assert [one.timestep for one in harvest.kept[0]] == [5, 7]
    assert sum(one.features["mid"].nbytes for kept in harvest.kept for one in kept) == 2 * each


def test_the_device_is_not_waited_for_where_nothing_hangs_on_it(compvis_unet: nn.Module) -> None:
    harvest = StepHarvest(compvis_unet, Wanted(taps=("mid",), near=None))
    asked: list[int] = []

    def timestep(number: int) -> float:
        asked.append(number)
        return float(number)

    for number in range(6):
        harvest.begin_step(1, GRID, 6)
        harvest.begin_call(torch.zeros(2, 4, *GRID), lambda number=number: timestep(number), {0: 0})
        harvest.read("mid", torch.zeros(2, 4, 1, 1))
        harvest.end_call()
        harvest.end_step()
    assert asked == [3, 4, 5]


def test_merged_cells_are_refused(compvis_unet: nn.Module) -> None:
    harvest = StepHarvest(compvis_unet, Wanted(taps=("out.10.attn1.q",), near=None))
    harvest.begin_step(1, GRID, 4)
    harvest.begin_call(torch.zeros(2, 4, *GRID), lambda: 400.0, {0: 0})
    harvest.read("out.10.attn1.q", torch.zeros(2, 8, 32))
    with pytest.raises(ModelError, match="token merging"):
        harvest.read("out.10.attn1.q", torch.zeros(2, 5, 32))


def test_a_unet_whose_layers_never_ran_is_said(compvis_unet: nn.Module) -> None:
    harvest = StepHarvest(compvis_unet, NEAR)
    harvest.begin_step(1, GRID, 4)
    harvest.begin_call(torch.zeros(2, 4, *GRID), lambda: 400.0, {0: 0})
    harvest.end_call()
    with pytest.raises(ModelError, match="never computed"):
        harvest.end_step()
