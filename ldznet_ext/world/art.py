"""Sprites: one RGBA picture for each (style, concept), read from the cache that `ldznet world fetch` fills.

A store is an .npz of uint8 RGBA arrays named "style/concept": one file a style, or one pack with several styles.
"""

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ldznet_ext.errors import DataError, OutputError
from ldznet_ext.weights import cache_folder
from ldznet_ext.world.concepts import Concept, concepts

STYLES = ("fluent", "noto", "flat", "twemoji", "emojione", "photo")
TRAIN_STYLES = ("fluent", "noto", "flat", "twemoji")
MANIFEST = "manifest.json"
LONGEST_SIDE = 256  # px, of a stored sprite
FAINT = 8  # of 255: alpha up to this is invisible, a renderer's halo


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


def photo_grounds() -> tuple[np.ndarray, ...]:
    """The photographic grounds that belong to style `photo`: uint8 HWC RGB squares of 384 px, read-only."""
    return _photo_grounds(art_path())


def photo_ground(rng: np.random.Generator, size: int) -> np.ndarray:
    """A random part of a photographic ground, sometimes mirrored: float32 (size, size, 3) RGB in 0-255."""
    import cv2

    pictures = photo_grounds()
    picture = pictures[int(rng.integers(len(pictures)))]
    side = int(rng.uniform(0.7, 1.0) * len(picture))
    top, left = (int(rng.integers(len(picture) - side + 1)) for _ in range(2))
    part = picture[top : top + side, left : left + side]
    part = part[:, ::-1] if rng.random() < 0.5 else part
    return cv2.resize(np.ascontiguousarray(part), (size, size), interpolation=cv2.INTER_AREA).astype(np.float32)


@lru_cache(maxsize=2)
def _photo_grounds(source: Path) -> tuple[np.ndarray, ...]:
    store = _store(_file(source, "photo"))
    pictures = tuple(store[key] for key in sorted(store.files) if key.startswith("ground/"))
    for picture in pictures:
        picture.setflags(write=False)
    return pictures


@lru_cache(maxsize=2048)
def _sprite(source: Path, style: str, name: str) -> np.ndarray:
    if name not in _names(source, style):
        raise DataError(
            f"The style {style} has no picture of {name!r}; expected one it has, so draw it in another style."
        )
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
        raise DataError(f"There is no style {style!r}; use one of {', '.join(STYLES)}.")
    file = source if source.suffix == ".npz" else source / f"{style}.npz"
    if not file.is_file():
        raise DataError(_not_fetched(style))
    return file


def _not_fetched(style: str) -> str:
    option = " --style photo" if style == "photo" else ""  # it is not among those fetched by default
    return f"The art of style {style} is not fetched: run `ldznet world fetch`{option}."


@lru_cache(maxsize=16)
def _store(file: Path) -> Any:
    # Held in memory: forked data loaders would otherwise share one file offset.
    raw = file.read_bytes()
    expected = read_manifest(file.parent).get(file.name, {}).get("sha256")
    if expected and expected != hashlib.sha256(raw).hexdigest():
        raise DataError(_damaged(file))
    try:
        return np.load(io.BytesIO(raw), allow_pickle=False)
    except (ValueError, OSError, zipfile.BadZipFile):
        raise DataError(_damaged(file)) from None


def _damaged(file: Path) -> str:
    return f"The art store {file} is damaged; delete it and run `ldznet world fetch` again."


def read_manifest(folder: Path) -> dict[str, dict[str, Any]]:
    """What a folder of stores holds, by file name: SHA-256, recipe and number of pictures; empty if unreadable."""
    try:
        return dict(json.loads((folder / MANIFEST).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def trim(picture: np.ndarray) -> np.ndarray:
    """Cut an RGBA picture to the bounding box of its visible pixels."""
    visible = picture[..., 3] > FAINT
    rows, columns = np.flatnonzero(visible.any(1)), np.flatnonzero(visible.any(0))
    if not rows.size:
        raise DataError("An art picture is without a visible pixel; expected an object, so fetch the art again.")
    return np.ascontiguousarray(picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])


def shrink(picture: np.ndarray, longest: int) -> np.ndarray:
    """An RGBA picture whose longest side is at most `longest` px; smaller ones stay as they are."""
    from PIL import Image

    height, width = picture.shape[:2]
    factor = longest / max(height, width)
    if factor >= 1:
        return picture
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    # PIL premultiplies RGBA by itself, so the colour of invisible pixels does not bleed into the edge.
    return np.array(Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS))


def pack(
    out: Path, size: int = 128, styles: Sequence[str] = TRAIN_STYLES, sets: Sequence[str] = ("named", "held_out")
) -> Path:
    """Write one small store with several styles, to be carried to a training machine and named by $LDZNET_ART.

    Args:
        out: an .npz file to write.
        size: longest side of a sprite, px.
        styles: which styles.
        sets: which sets of concepts.

    Raises:
        DataError: a style is not fetched, or `out` is not an .npz.
        OutputError: `out` cannot be written.
    """
    if out.suffix != ".npz":
        raise DataError(f"The pack is called {out.name}; expected a name that ends in .npz, so choose one.")
    chosen = concepts(*sets)
    pictures = {
        f"{style}/{thing.name}": shrink(sprite(style, thing), size)
        for style in styles
        for thing in available(style)
        if thing in chosen
    }
    temporary = out.with_name(f".{out.stem}.{os.getpid()}.npz")
    try:
        np.savez_compressed(temporary, **pictures)  # type: ignore[arg-type]
        os.replace(temporary, out)
    except OSError as error:
        raise OutputError(f"The pack {out} cannot be written ({error.strerror}); choose another place.") from error
    finally:
        if temporary.is_file():
            temporary.unlink()
    return out
