"""`ldznet world fetch`: download the art packages, draw the wanted concepts, and keep them as stores in the cache.

A store is written beside its place and moved there whole, so an interrupted run leaves the last good one.
"""

import hashlib
import io
import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ldznet_ext.errors import DataError, OutputError
from ldznet_ext.weights import cache_folder
from ldznet_ext.world.art import LONGEST_SIDE, MANIFEST, STYLES, read_manifest, shrink, trim
from ldznet_ext.world.concepts import Concept, concepts
from ldznet_ext.world.download import Progress, obtain
from ldznet_ext.world.packages import ART
from ldznet_ext.world.unpack import members

RENDERING = 1  # raise it when the drawing below changes, so that caches are drawn again
GROUND_SIDE = 384  # px
STAMPS = "usr/share/tuxpaint/stamps/{}.png"
WALLPAPERS = "usr/share/wallpapers/{}/contents/images/2560x1600.jpg"
# Photographs without any object we name, and where their square crops sit: 0 at the left edge, 1 at the right.
GROUNDS: dict[str, tuple[float, ...]] = {
    "BytheWater": (0.0, 0.5, 1.0),
    "ColdRipple": (0.0, 0.5, 1.0),
    "DarkestHour": (0.0, 0.5, 1.0),
    "FallenLeaf": (0.0, 0.5, 1.0),
    "Kite": (0.0,),  # the kite itself flies at the right
    "OneStandsOut": (0.0, 1.0),
    "Path": (0.0, 0.5, 1.0),
    "summer_1am": (0.0, 0.5, 1.0),
}


def _silent(what: str, done: int, total: int) -> None:
    pass


def fetch(
    cache: Path | None = None,
    styles: Sequence[str] = STYLES,
    *,
    source: Path | None = None,
    progress: Progress = _silent,
) -> list[Path]:
    """Bring the art of some styles into the cache; what is there and whole is left as it is.

    Args:
        cache: the cache folder; `cache_folder()` if None. Stores go into its `art` folder.
        styles: which styles; `photo` downloads 255 MB, the other five together 22 MB.
        source: a local folder with the archives; $LDZNET_ART_SOURCE if None.
        progress: called with (what, done, total): bytes while downloading, pictures while drawing.

    Returns:
        The store of each style.

    Raises:
        DataError: an unknown style or a damaged archive.
        NetworkError: a download failed.
        OutputError: the cache cannot be written.
    """
    unknown = [s for s in styles if s not in STYLES]
    if unknown:
        raise DataError(f"There is no style {unknown[0]!r}; use one of {', '.join(STYLES)}.")
    cache = cache or cache_folder()
    local = source or (Path(os.environ["LDZNET_ART_SOURCE"]) if os.environ.get("LDZNET_ART_SOURCE") else None)
    try:
        return [_fetch_style(style, cache, local, progress) for style in styles]
    except OSError as error:
        raise OutputError(
            f"The art cache {cache} cannot be written ({error.strerror or error}): "
            "free some space or set LDZNET_CACHE to another folder."
        ) from error


def _fetch_style(style: str, cache: Path, source: Path | None, progress: Progress) -> Path:
    store = cache / "art" / f"{style}.npz"
    recipe = _recipe(style)
    entry = read_manifest(store.parent).get(store.name, {})
    if entry.get("recipe") == recipe and store.is_file() and entry.get("sha256") == _sha256(store.read_bytes()):
        return store
    downloads = cache / "downloads"
    archives = [obtain(package, downloads, source, progress) for package in ART[style]]
    _write_store(store, dict(_draw(style, archives, progress)), recipe)
    for archive in archives:
        if archive.parent == downloads:
            archive.unlink()
    return store


def _recipe(style: str) -> str:
    """A checksum of everything a store depends on: packages, names, and how they are drawn."""
    parts = [[p.sha256 for p in ART[style]], [[c.name, c.slugs.get(style)] for c in concepts()], RENDERING]
    if style == "photo":
        parts.append([GROUNDS, GROUND_SIDE])
    return _sha256(json.dumps([*parts, LONGEST_SIDE]).encode())


def _sha256(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()


def _write_store(store: Path, pictures: dict[str, np.ndarray], recipe: str) -> None:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **pictures)  # type: ignore[arg-type]  # names with a slash are fine as keys
    raw = buffer.getvalue()
    store.parent.mkdir(parents=True, exist_ok=True)
    _replace(store, raw)
    entry = {"sha256": _sha256(raw), "recipe": recipe, "pictures": len(pictures)}
    manifest = read_manifest(store.parent) | {store.name: entry}
    _replace(store.with_name(MANIFEST), json.dumps(manifest, indent=1, sort_keys=True).encode())


def _replace(file: Path, raw: bytes) -> None:
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        temporary.write_bytes(raw)
        os.replace(temporary, file)
    finally:
        if temporary.is_file():  # unlink(missing_ok) would hide the reason behind its own error
            temporary.unlink()


def _draw(style: str, archives: list[Path], progress: Progress) -> Iterator[tuple[str, np.ndarray]]:
    things = [c for c in concepts() if style in c.slugs]
    for done, (thing, picture) in enumerate(_PAINTERS.get(style, _vectors)(archives, style, things), 1):
        yield f"{style}/{thing.name}", trim(shrink(picture, LONGEST_SIDE))
        progress(f"drawing {style}", done, len(things))
    if style == "photo":
        yield from _grounds(archives[1])


Pictures = Iterator[tuple[Concept, np.ndarray]]


def _vectors(archives: list[Path], style: str, things: list[Concept]) -> Pictures:
    icons = json.loads(dict(members(archives[0], ["package/icons.json"]))["package/icons.json"])
    for thing in things:
        yield thing, rasterise(svg(icons, thing.slugs[style]), LONGEST_SIDE)


def _bitmaps(archives: list[Path], style: str, things: list[Concept]) -> Pictures:
    pattern = STAMPS if style == "photo" else "package/assets/{}.webp"
    files = {pattern.format(thing.slugs[style]): thing for thing in things}
    for name, raw in members(archives[0], files):
        yield files[name], decode(raw)


_PAINTERS: dict[str, Callable[[list[Path], str, list[Concept]], Pictures]] = {"fluent": _bitmaps, "photo": _bitmaps}


def _grounds(archive: Path) -> Iterator[tuple[str, np.ndarray]]:
    files = {WALLPAPERS.format(name): name for name in GROUNDS}
    for file, raw in members(archive, files):
        for number, place in enumerate(GROUNDS[files[file]]):
            yield f"ground/{files[file]}-{number}", square(decode(raw)[..., :3], place, GROUND_SIDE)


def svg(icons: dict[str, Any], slug: str) -> str:
    """A whole SVG document of one icon of an Iconify collection."""
    icon = icons["icons"].get(slug) or icons["icons"][icons["aliases"][slug]["parent"]]
    box = [icon.get(k, icons.get(k, 0)) for k in ("left", "top", "width", "height")]
    head = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    return f'<svg {head} viewBox="{" ".join(map(str, box))}">{icon["body"]}</svg>'


def rasterise(document: str, side: int) -> np.ndarray:
    """Draw an SVG into side x side px, uint8 HWC RGBA.

    Raises:
        DataError: resvg_py is not installed.
    """
    try:
        import resvg_py
    except ImportError:
        raise DataError("Drawing SVG art needs resvg_py, which is not installed; run `pip install resvg_py`.") from None
    return decode(bytes(resvg_py.svg_to_bytes(svg_string=document, width=side, height=side, skip_system_fonts=True)))


def decode(raw: bytes) -> np.ndarray:
    """An encoded picture as uint8 HWC RGBA with straight alpha."""
    from PIL import Image

    with Image.open(io.BytesIO(raw)) as picture:
        return np.array(picture.convert("RGBA"))


def square(picture: np.ndarray, place: float, side: int) -> np.ndarray:
    """A full-height square of a landscape picture, resized; place 0 is its left edge, 1 its right."""
    from PIL import Image

    height, width = picture.shape[:2]
    left = round((width - height) * place)
    cut = Image.fromarray(picture[:, left : left + height])
    return np.array(cut.resize((side, side), Image.Resampling.LANCZOS))
