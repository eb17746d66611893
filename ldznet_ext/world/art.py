"""Sprites: one RGBA picture for each (style, concept), read from the cache that `ldznet world fetch` fills.

A store is an .npz of uint8 RGBA arrays named "style/concept": one file a style, or one pack with several styles.
"""

import hashlib
import io
import json
import os
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ldznet_ext.errors import DataError
from ldznet_ext.world.concepts import Concept, concepts

STYLES = ("fluent", "noto", "flat", "twemoji", "emojione", "photo")
TRAIN_STYLES = ("fluent", "noto", "flat", "twemoji")
MANIFEST = "manifest.json"
LONGEST_SIDE = 256  # px, of a stored sprite


def cache_folder() -> Path:
    """Where downloads and rendered art live: $LDZNET_CACHE, else ~/.cache/ldznet."""
    return Path(os.environ.get("LDZNET_CACHE") or Path.home() / ".cache" / "ldznet")


def art_path() -> Path:
    """The folder of stores, or one pack file: $LDZNET_ART, else the cache's art folder."""
    override = os.environ.get("LDZNET_ART")
    return Path(override) if override else cache_folder() / "art"


def sprite(style: str, thing: Concept) -> np.ndarray:
    """One sprite.

    Returns:
        Read-only uint8 HWC RGBA, straight alpha, cut to its alpha's bounding box, longest side at most 256 px.

    Raises:
        DataError: the style is unknown or not fetched, or has no picture of this concept.
    """
    return _sprite(art_path(), style, thing.name)


def available(style: str) -> tuple[Concept, ...]:
    """The concepts that a style has a picture of, in table order."""
    names = _names(art_path(), style)
    return tuple(c for c in concepts() if c.name in names)


@lru_cache(maxsize=2048)
def _sprite(source: Path, style: str, name: str) -> np.ndarray:
    if name not in _names(source, style):
        raise DataError(f"style {style} has no picture of {name!r}; `available({style!r})` lists what it has")
    picture = _store(_file(source, style))[f"{style}/{name}"]
    picture.setflags(write=False)
    return picture


@lru_cache(maxsize=32)
def _names(source: Path, style: str) -> frozenset[str]:
    keys = _store(_file(source, style)).files
    names = frozenset(key.partition("/")[2] for key in keys if key.startswith(f"{style}/"))
    if not names:
        raise DataError(_not_fetched(style))
    return names


def _file(source: Path, style: str) -> Path:
    if style not in STYLES:
        raise DataError(f"there is no style {style!r}; use one of {', '.join(STYLES)}")
    file = source if source.suffix == ".npz" else source / f"{style}.npz"
    if not file.is_file():
        raise DataError(_not_fetched(style))
    return file


def _not_fetched(style: str) -> str:
    return f"art of style {style} is not fetched: run `ldznet world fetch`"


@lru_cache(maxsize=16)
def _store(file: Path) -> Any:
    # Held in memory: forked data loaders would otherwise share one file offset.
    raw = file.read_bytes()
    manifest = file.parent / MANIFEST
    if manifest.is_file():
        expected = json.loads(manifest.read_text()).get(file.name, {}).get("sha256")
        if expected and expected != hashlib.sha256(raw).hexdigest():
            raise DataError(f"{file.name} in {file.parent} is damaged: run `ldznet world fetch` again")
    return np.load(io.BytesIO(raw), allow_pickle=False)
