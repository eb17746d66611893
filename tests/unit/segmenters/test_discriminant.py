"""One example against its surroundings: the direction, the cut, and what says nothing."""

import pytest
import torch
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from torch import Tensor

from ldznet_ext.segmenters.discriminant import _solve, learn


def scene(d: int = 6, noise: float = 0.05) -> tuple[Tensor, Tensor]:
    """Features (d 8 12) of two alike squares on a ground, and the coverage of the first."""
    generator = torch.Generator().manual_seed(0)
    ground, thing = torch.randn(2, d, generator=generator)
    features = ground[:, None, None] + noise * torch.randn(d, 8, 12, generator=generator)
    coverage = torch.zeros(8, 12)
    coverage[1:4, 1:4] = 1
    for rows, columns in ((slice(1, 4), slice(1, 4)), (slice(4, 7), slice(8, 11))):
        features[:, rows, columns] += (thing - ground)[:, None, None]
    return features, coverage


def test_the_twin_is_found_and_the_ground_is_not() -> None:
    features, coverage = scene()
    found = learn(features, coverage)
    assert found is not None
    expected = torch.zeros(8, 12, dtype=torch.bool)
    expected[1:4, 1:4] = expected[4:7, 8:11] = True
    assert torch.equal(found.logits(features) > 0, expected)


def test_the_logits_are_four_in_the_middle_of_either_side() -> None:
    features, coverage = scene()
    found = learn(features, coverage)
    assert found is not None
    values = found.logits(features)
    assert float(values[coverage > 0].median()) == pytest.approx(4, abs=1e-3)
    ground = (coverage == 0) & (values < 0)
    assert float(values[ground].median()) == pytest.approx(-4, abs=1e-3)


def test_neither_scale_nor_a_common_part_of_the_features_matters() -> None:
    features, coverage = scene()
    shift = torch.randn(6, generator=torch.Generator().manual_seed(1))[:, None, None]
    one, other = learn(features, coverage), learn(50 * features + 20 * shift, coverage)
    assert one is not None and other is not None
    torch.testing.assert_close(one.logits(features), other.logits(50 * features + 20 * shift), atol=2e-3, rtol=1e-3)


def test_the_direction_is_fishers() -> None:
    features, coverage = scene(noise=0.2)
    coverage[4:7, 8:11] = 1  # both squares marked: nothing outside looks like them
    found = learn(features, coverage, shrinkage=1e-6)
    assert found is not None
    cells, labels = features.flatten(1).T.numpy(), coverage.flatten().numpy() > 0
    oracle = LinearDiscriminantAnalysis(solver="eigen", shrinkage=None).fit(cells, labels)
    cosine = torch.nn.functional.cosine_similarity(found.direction, torch.from_numpy(oracle.coef_[0]).float(), dim=0)
    assert float(cosine) == pytest.approx(1, abs=1e-3)


def test_without_end_of_shrinkage_it_is_the_difference_of_prototypes() -> None:
    features, coverage = scene()
    coverage[4:7, 8:11] = 1
    found = learn(features, coverage, shrinkage=1e6)
    assert found is not None
    plain = features[:, coverage > 0].mean(dim=1) - features[:, coverage == 0].mean(dim=1)
    torch.testing.assert_close(found.direction, plain / plain.norm(), atol=1e-4, rtol=1e-4)


def test_more_channels_than_cells_solve_the_same_equation() -> None:
    rows = torch.randn(5, 9, generator=torch.Generator().manual_seed(2))
    target, floor = torch.arange(9.0), torch.tensor(0.7)
    direct = torch.linalg.solve(rows.T @ rows + floor * torch.eye(9), target)
    torch.testing.assert_close(_solve(rows, floor, target), direct, atol=1e-4, rtol=1e-4)
    features, coverage = scene(d=200)  # 96 cells
    found = learn(features, coverage)
    assert found is not None and (found.logits(features) > 0).sum() == 18


@pytest.mark.parametrize("share", [1.0, 0.02])
def test_a_single_partly_covered_cell_is_an_example(share: float) -> None:
    features, coverage = scene()
    coverage[:] = 0
    coverage[2, 2] = share
    found = learn(features, coverage)
    assert found is not None and (found.logits(features) > 0)[4:7, 8:11].all()


def test_half_precision_gives_nearly_the_same() -> None:
    features, coverage = scene()
    one, other = learn(features, coverage), learn(features.half(), coverage.half())
    assert one is not None and other is not None
    torch.testing.assert_close(one.logits(features), other.logits(features.half()), atol=0.1, rtol=0.02)


@pytest.mark.parametrize("value", [0.0, 3.0, float("nan"), float("inf")])
def test_features_that_say_nothing_teach_nothing(value: float) -> None:
    _, coverage = scene()
    assert learn(torch.full((6, 8, 12), value), coverage) is None


def test_a_cell_that_is_no_number_is_unlike() -> None:
    features, coverage = scene()
    found = learn(features, coverage)
    assert found is not None
    features[:, 0, 0] = float("nan")
    assert float(found.logits(features)[0, 0]) == -4
