"""COCO annotations: each phrase's mask as compressed RLE, in a file that pycocotools reads (cocodataset.org, "data format")."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ldznet_ext.masks.components import box_of
from ldznet_ext.saving.recipe import KEY, Recipe

Named = Sequence[tuple[str, np.ndarray]]
"""Names with masks, bool (h w)."""


def coco(stem: str, recipe: Recipe, size: tuple[int, ...], masks: Named) -> bytes:
    """The file of one picture, its recipe in `info`. A box is [left, top, width, height], as COCO has it."""
    picture = {"id": 1, "file_name": recipe.picture or stem, "width": int(size[1]), "height": int(size[0])}
    names = list(dict.fromkeys(name for name, _ in masks))
    annotations = [
        {"id": number, "image_id": 1, "category_id": names.index(name) + 1, **_annotation(mask)}
        for number, (name, mask) in enumerate(masks, 1)
    ]
    return _text(_whole({KEY: recipe.to_mapping()}, [picture], annotations, names))


def joined(files: Iterable[Mapping[str, Any]]) -> bytes:
    """Many pictures' files as one data set: pictures and annotations numbered on, each category once."""
    pictures: list[Any] = []
    annotations: list[Any] = []
    names: dict[str, int] = {}
    for one in files:
        pictures.append({**one["images"][0], "id": len(pictures) + 1})
        for annotation in _renumbered(one, names):
            annotations.append({**annotation, "id": len(annotations) + 1, "image_id": len(pictures)})
    return _text(_whole({}, pictures, annotations, list(names)))


def _renumbered(one: Mapping[str, Any], names: dict[str, int]) -> Iterator[dict[str, Any]]:
    """The annotations with the categories' numbers among `names`, which grow."""
    named = {category["id"]: category["name"] for category in one["categories"]}
    for annotation in one["annotations"]:
        number = names.setdefault(named[annotation["category_id"]], len(names) + 1)
        yield {**annotation, "category_id": number}


def _annotation(mask: np.ndarray) -> dict[str, Any]:
    from ldznet_ext.masks.rle import encode

    box = box_of(mask)
    left, top, right, bottom = box or (0, 0, 0, 0)
    return {
        "segmentation": encode(mask),
        "area": int(np.count_nonzero(mask)),
        "bbox": [int(left), int(top), int(right - left), int(bottom - top)],
        "iscrowd": 0,
    }


def _whole(info: Mapping[str, Any], pictures: list[Any], annotations: list[Any], names: list[str]) -> dict[str, Any]:
    return {
        "info": {"description": "masks by LD-ZNet ext", **info},
        "licenses": [],
        "images": pictures,
        "annotations": annotations,
        "categories": [{"id": number, "name": name, "supercategory": ""} for number, name in enumerate(names, 1)],
    }


def _text(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode("ascii") + b"\n"
