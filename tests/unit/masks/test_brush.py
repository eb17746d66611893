"""Strokes: round, of their width, over the picture's edge; snapped ones keep to the thing they were drawn on."""

import numpy as np
import pytest

from ldznet_ext.errors import OptionError
from ldznet_ext.masks import brush


def test_a_point_is_a_disc() -> None:
    mask = brush.stroke([(20, 15)], 6, (30, 50))
    rows, columns = np.mgrid[:30, :50]
    distance = np.hypot(rows - 15, columns - 20)

    assert mask[distance < 5.4].all() and not mask[distance > 6.8].any()


def test_a_line_has_its_width_and_round_ends() -> None:
    mask = brush.stroke([(10, 15), (40, 15)], 4, (30, 50))

    assert abs(int(mask[:, 25].sum()) - 8) <= 1
    assert mask[15, 7] and not mask[15, 4] and not mask[11, 6]


def test_a_stroke_may_leave_the_picture() -> None:
    mask = brush.stroke([(-500, 3), (8, 3)], 2, (6, 10))
    assert mask[3, :9].all()


def test_a_snapped_stroke_keeps_to_its_thing() -> None:
    rng = np.random.default_rng(0)
    picture = np.full((80, 120, 3), (40, 90, 200), np.uint8)
    thing = np.zeros((80, 120), bool)
    thing[:, :60] = True
    picture[thing] = (220, 120, 40)
    picture = np.clip(picture + rng.normal(0, 4, picture.shape), 0, 255).astype(np.uint8)
    points = [(54, 15), (54, 65)]  # its right third lies beyond the edge
    plain, snapped = brush.stroke(points, 10, (80, 120)), brush.snapped(picture, points, 10)

    assert (plain & ~thing).sum() > 150
    assert (snapped & ~thing).sum() < 25
    assert snapped[20:60, 50:59].mean() > 0.97


def test_where_there_is_no_edge_a_snapped_stroke_is_plain() -> None:
    flat = np.full((40, 60, 3), 130, np.uint8)
    points = [(20, 20), (40, 22)]
    np.testing.assert_array_equal(brush.snapped(flat, points, 6), brush.stroke(points, 6, (40, 60)))


def test_the_same_stroke_gives_the_same_mask() -> None:
    picture = np.random.default_rng(1).integers(0, 255, (50, 70, 3)).astype(np.uint8)
    one, other = (brush.snapped(picture, [(30, 20), (40, 30)], 8) for _ in range(2))
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("points", [[], [(1,)], "ab", [(np.nan, 1)], [(1, 2, 3)], None, [[(1, 2)]]])
def test_what_is_no_stroke_is_refused(points: object) -> None:
    with pytest.raises(OptionError, match="points that cannot be read"):
        brush.stroke(points, 3, (6, 8))  # type: ignore[arg-type]


@pytest.mark.parametrize("radius", [0, -1, np.nan, 1e9])
def test_a_brush_has_a_width(radius: float) -> None:
    with pytest.raises(OptionError, match="radius"):
        brush.stroke([(1, 1)], radius, (6, 8))
