"""Scenes: the same from the same numbers, lawful objects, exact and disjoint masks."""

import numpy as np
import pytest

from ldznet_ext.errors import DataError, OptionError
from ldznet_ext.geometry import Box
from ldznet_ext.world import scenes
from ldznet_ext.world.captions import caption
from ldznet_ext.world.concepts import held_out, named
from ldznet_ext.world.scenes import (
    MIN_AREA,
    MIN_SIDE,
    MIN_VISIBLE,
    Scene,
    _composite,
    _Layer,
    _visible,
    cut_out,
    generator,
    scene,
)

pytestmark = pytest.mark.usefixtures("world")
COUNT = 60


def all_scenes(count=COUNT, **settings):
    return [scene(7, index, **{"size": 96, **settings}) for index in range(count)]


def same(one: Scene, two: Scene) -> bool:
    masks = zip([o.mask for o in one.objects], [o.mask for o in two.objects], strict=False)
    return (
        np.array_equal(one.picture, two.picture)
        and len(one.objects) == len(two.objects)
        and all(np.array_equal(a, b) for a, b in masks)
    )


def test_a_scene_depends_on_its_numbers_alone():
    first = [scene(7, index, size=96) for index in (3, 1, 2)]
    for cache in (scenes._sprite, scenes.vocabulary):
        cache.cache_clear()
    again = [scene(7, index, size=96) for index in (1, 2, 3)]
    assert same(first[0], again[2]) and same(first[1], again[0]) and same(first[2], again[1])


@pytest.mark.parametrize("other", [{"seed": 8}, {"index": 4}, {"split": "val"}, {"split": "test"}])
def test_another_seed_index_or_split_is_another_scene(other):
    given = {"seed": 7, "index": 3, "split": "train"}

    def paint(seed, index, split):
        return scene(seed, index, split=split, size=96)

    assert not same(paint(**given), paint(**{**given, **other}))


def test_splits_share_no_scene():
    pictures = {
        split: {scene(7, n, split=split, size=64).picture.tobytes() for n in range(25)} for split in scenes.SPLITS
    }
    assert not pictures["train"] & pictures["test"]
    assert not pictures["train"] & pictures["val"]
    assert not pictures["val"] & pictures["test"]
    assert all(len(found) == 25 for found in pictures.values())


def test_streams_of_a_scene_are_independent():
    draws = [generator("train", 1, 2, stream).random() for stream in range(3)]
    assert len(set(draws)) == 3
    with pytest.raises(OptionError, match="expected one of train, val, test"):
        generator("dev", 1, 2)


def test_every_object_is_large_enough_to_be_seen():
    seen = 0
    for painted in [scene(7, index, size=256) for index in range(25)]:
        for thing in painted.objects:
            box = thing.box
            assert thing.mask.mean() >= MIN_AREA
            assert min(box.x1 - box.x0, box.y1 - box.y0) >= 32
            seen += 1
    assert seen > 30
    assert MIN_SIDE * 256 == 32


def test_at_least_two_fifths_of_every_object_are_visible(monkeypatch):
    stacks = []
    monkeypatch.setattr(
        scenes, "_composite", lambda backdrop, layers: stacks.append(layers) or _composite(backdrop, layers)
    )
    occluded = 0
    for painted, layers in zip(all_scenes(), stacks_of(stacks), strict=True):
        for thing, layer in zip(painted.objects, layers(), strict=True):
            share = thing.mask.sum() / (layer.alpha > 0.5).sum()
            assert MIN_VISIBLE <= share <= 1
            occluded += share < 0.95
    assert occluded > 3


def stacks_of(stacks):
    return [lambda n=n: stacks[n] for n in range(COUNT)]


def test_masks_are_disjoint_and_cover_the_picture_with_their_ground():
    for painted in all_scenes():
        parts = [thing.mask for thing in painted.objects] + [painted.ground_mask, painted.sky_mask]
        assert np.sum(parts, axis=0).max() <= 1
        if painted.plain is None:
            assert np.sum(parts, axis=0).min() == 1
            rows = np.flatnonzero(painted.sky_mask.any(1))
            assert not rows.size or rows.max() < np.flatnonzero(painted.ground_mask.any(1)).min()
        else:
            assert painted.ground is painted.sky is None
            assert not painted.ground_mask.any() and not painted.sky_mask.any()


def test_the_mask_is_where_the_sprite_was_painted(monkeypatch):
    """A scene painted on a ground of one colour differs from it just where a mask (or its soft rim) is."""
    monkeypatch.setattr(
        scenes, "_backdrop", lambda rng, size, style: (np.full((size, size, 3), 250.0), None, None, "x", size)
    )
    for painted in [scene(9, index, size=128) for index in range(10)]:
        changed = np.abs(painted.picture.astype(int) - 250).max(2) > 0
        union = np.logical_or.reduce([thing.mask for thing in painted.objects])
        assert not (union & ~changed).any()
        assert (changed & ~union).sum() < 0.12 * union.sum()


def test_nearer_things_cover_farther_ones():
    far, near = np.zeros((4, 6), np.float32), np.zeros((4, 6), np.float32)
    far[:, :4], near[:, 2:] = 1, 1
    masks = _visible([far, near])
    assert masks[0].sum() == 8 and not masks[0][:, 2:].any()
    assert masks[1].sum() == 16
    red, blue = np.float32([200, 0, 0]), np.float32([0, 0, 200])
    layers = [
        _Layer(concept=named()[n], colour=None, extent=1.0, rgb=alpha[..., None] * tone, alpha=alpha, bottom=n)
        for n, (alpha, tone) in enumerate([(far, red), (near, blue)])
    ]
    picture = _composite(np.full((4, 6, 3), 90.0), layers)
    assert picture[0, 0].tolist() == [200, 0, 0]
    assert picture[0, 2].tolist() == [0, 0, 200]


def test_the_layout_is_the_same_at_128_and_256():
    alike, overlaps = 0, []
    for index in range(30):
        small, large = scene(7, index, size=128), scene(7, index, size=256)
        assert (small.style, small.plain, small.ground, small.sky) == (
            large.style,
            large.plain,
            large.ground,
            large.sky,
        )
        same_things = [o.concept for o in small.objects] == [o.concept for o in large.objects]
        alike += same_things
        if same_things:
            for one, two in zip(small.objects, large.objects, strict=True):
                halved = two.mask[::2, ::2]
                overlaps.append((one.mask & halved).sum() / (one.mask | halved).sum())
    assert alike >= 28  # rounding may tip a rule
    assert np.quantile(overlaps, 0.1) > 0.9


def test_objects_come_from_the_vocabulary_asked_for():
    sets = {"named": set(named()), "known": {*named(), *held_out()}, "held_out": set(held_out())}
    for name, allowed in sets.items():
        shown = {thing.concept for painted in all_scenes(20, concepts=name, size=64) for thing in painted.objects}
        assert shown <= allowed
    assert {t.concept for p in all_scenes(60, concepts="known", size=64) for t in p.objects} & set(held_out())


def test_styles_and_photographic_grounds():
    assert {painted.style for painted in all_scenes(40, size=64)} == {"fluent", "noto", "flat", "twemoji"}
    assert {painted.style for painted in all_scenes(8, styles=("noto",), size=64)} == {"noto"}
    photo = scene(7, 0, styles=("photo",), size=64)
    assert photo.plain == "photo"
    free = ~np.logical_or.reduce([thing.mask for thing in photo.objects])
    assert np.isin(photo.picture[free], (60, 150)).mean() > 0.8
    with pytest.raises(DataError):
        scene(7, 0, styles=("emojione",), size=64)


def test_numbers_twins_and_colours_vary():
    painted = all_scenes(120, size=64)
    assert {len(p.objects) for p in painted} >= {1, 2, 3}
    assert any(len({t.concept for t in p.objects}) < len(p.objects) for p in painted)
    colours = {t.colour for p in painted for t in p.objects}
    assert None in colours and len(colours) > 2
    assert all(t.concept.name in scenes.COLOURABLE for p in painted for t in p.objects if t.colour)


def test_a_repainted_thing_has_its_colour():
    rgb = np.zeros((2, 3, 3), np.uint8)
    rgb[:] = (30, 40, 220)
    rgb[0, 0] = 128
    red = scenes._repaint(rgb, "red")
    assert red[1, 1, 0] > 200 and red[1, 1, 2] < 60
    assert red[0, 0].tolist() == [128, 128, 128]  # greys stay


def test_box_and_centre():
    mask = np.zeros((10, 20), bool)
    mask[2:6, 5:15] = True
    thing = scenes.SceneObject(concept=named()[0], colour=None, mask=mask, extent=0.5)
    assert tuple(thing.box) == (5, 2, 15, 6)
    assert thing.centre == (0.4, 0.5)


def test_a_cut_out_is_a_scene_of_its_own():
    whole = scene(7, 3, size=96)
    thing = whole.objects[0]
    part = cut_out(whole, thing.box)
    y, x = slice(thing.box.y0, thing.box.y1), slice(thing.box.x0, thing.box.x1)
    assert np.array_equal(part.picture, whole.picture[y, x])
    assert part.objects[0].concept == thing.concept
    assert part.objects[0].mask.sum() == thing.mask.sum()
    assert np.array_equal(part.ground_mask, whole.ground_mask[y, x])


@pytest.mark.parametrize(("keep", "stays"), [(0.2, True), (0.8, False)])
def test_a_cut_out_keeps_what_is_mostly_inside(keep, stays):
    whole = next(one for one in all_scenes() if len(one.objects) == 1)
    box = whole.objects[0].box
    half = Box(box.x0, box.y0, (box.x0 + box.x1) // 2, box.y1)
    assert bool(cut_out(whole, half, keep=keep).objects) is stays


def test_a_cut_out_names_the_regions_it_shows():
    whole = next(one for one in all_scenes() if one.ground is not None and one.sky is not None)
    above, below = cut_out(whole, Box(0, 0, 96, 16)), cut_out(whole, Box(0, 80, 96, 96))
    assert (above.ground, above.sky) == (None, whole.sky)
    assert (below.ground, below.sky) == (whole.ground, None)
    assert caption(above).count(whole.ground.name) == 0
    assert any(word in caption(below) for word in (whole.ground.name, *whole.ground.synonyms))
