"""Which pieces stay, written out by hand."""

import numpy as np
import pytest

from ldznet_ext.masks.select import instance_of, instances, pieces, select


def drawn(*rows: str) -> np.ndarray:
    return np.array([[letter not in ". " for letter in row] for row in rows])


MASK = drawn(
    "aa...b..",
    "aa...b..",
    "..a.....",
    ".......c",
    "d......c",
)
"""a (5, held at a corner), b (2), c (2, lower), d (1)."""


def only(letters: str) -> np.ndarray:
    rows = ("aa...b..", "aa...b..", "..a.....", ".......c", "d......c")
    return np.array([[letter in letters for letter in row] for row in rows])


def test_the_largest_come_first_and_of_equal_ones_the_upper() -> None:
    found = pieces(MASK)
    assert found.areas.tolist() == [5, 2, 2, 1]
    for letter, label in zip("abcd", found.order, strict=True):
        np.testing.assert_array_equal(found.of([label]), only(letter))


@pytest.mark.parametrize(
    ("how", "left"),
    [
        ({}, "abcd"),
        ({"islands": 1}, "abcd"),
        ({"islands": 2}, "abc"),
        ({"islands": 6}, ""),
        ({"keep": 1}, "a"),
        ({"keep": 2}, "ab"),
        ({"keep": 9}, "abcd"),
        ({"clicked": [(5, 1)]}, "b"),
        ({"clicked": [(5, 1), (0, 4)]}, "bd"),
        ({"clicked": [(5, 1), (0, 4)], "islands": 2}, "b"),
        ({"dropped": [(0, 0)]}, "bcd"),
        ({"clicked": [(5, 0), (7, 3)], "dropped": [(7, 4)]}, "b"),
        ({"clicked": [(4, 4)]}, ""),
        ({"clicked": [(6, 1)]}, ""),
        ({"clicked": [(6, 1)], "reach": 1}, "b"),
        ({"dropped": [(4, 4)], "reach": 2}, "abcd"),
        ({"dropped": [(4, 4)], "reach": 3}, "bcd"),
    ],
)
def test_what_stays(how: dict[str, int], left: str) -> None:
    np.testing.assert_array_equal(select(MASK, **how), only(left))


def test_an_empty_mask_stays_empty_and_nothing_is_changed_in_place() -> None:
    empty, before = np.zeros((3, 5), bool), MASK.copy()
    assert not select(empty, keep=1, clicked=[(0, 0)], dropped=[(1, 1)]).any()
    select(MASK, keep=1)
    np.testing.assert_array_equal(MASK, before)


def test_instances_share_the_ground_between_them() -> None:
    zones = [instance_of(MASK, number) for number in (1, 2, 3, 4)]
    assert all(zone is not None for zone in zones)
    np.testing.assert_array_equal(np.sum(zones, axis=0), 1)
    for zone, letter in zip(zones, "abcd", strict=True):
        np.testing.assert_array_equal(zone & MASK, only(letter))
    assert zones[1][0, 6] and zones[2][2, 7] and zones[3][4, 1]  # nearer to b, c, d
    assert instance_of(MASK, 5) is None and instance_of(MASK, 0) is None
    assert instance_of(np.zeros((3, 5), bool), 1) is None
    assert instance_of(only("b"), 1).all()


def test_a_speck_is_no_instance_and_goes_with_the_nearest() -> None:
    mask = np.zeros((30, 40), bool)
    mask[:20, :20] = mask[5:10, 30:35] = True  # 400 and 25 pixels
    mask[25, 2] = mask[7, 38] = mask[29, 39] = True
    assert instances(mask).areas.tolist() == [400, 25] and pieces(mask).count == 5
    first, second = instance_of(mask, 1), instance_of(mask, 2)
    assert first is not None and second is not None and instance_of(mask, 3) is None
    assert first[25, 2] and second[7, 38] and second[29, 39]
    np.testing.assert_array_equal(first, ~second)


def test_nearest_is_held_to_scipy_on_a_larger_mask() -> None:
    from scipy.ndimage import distance_transform_edt

    from ldznet_ext.masks.select import nearest

    found = pieces(np.random.default_rng(3).random((40, 61)) > 0.97)
    distance, (rows, columns) = distance_transform_edt(found.labels == 0, return_indices=True)
    theirs, ours = found.labels[rows, columns], nearest(found)
    inside = found.labels > 0
    np.testing.assert_array_equal(ours[inside], found.labels[inside])
    apart = [distance_transform_edt(found.labels != label) for label in found.order]
    by_label = dict(zip(found.order.tolist(), apart, strict=True))
    longer = np.array([by_label[label][at] for at, label in np.ndenumerate(ours)]).reshape(ours.shape) - distance
    assert (ours == theirs).mean() > 0.95 and longer.max() < 0.6  # OpenCV's distances are not exact
