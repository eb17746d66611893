"""A folder of pictures and masks with `annotations.jsonl`: one object a line, {"image", "phrase", "mask", "kind"}.

Paths are relative to the folder and may not leave it. Every complaint names the file and the line.
"""

import json
from functools import partial
from pathlib import Path

import numpy as np

from ldznet_ext.errors import DataError, PictureError
from ldznet_ext.eval.example import Example

ANNOTATIONS = "annotations.jsonl"
_KEYS = ("image", "phrase", "mask", "kind")


def read_lines(folder: Path, limit: int | None = None) -> list[Example]:
    """The first `limit` lines of the folder's annotations, blank ones skipped; pictures are not opened yet."""
    if not folder.is_dir():
        raise DataError(f"The data {str(folder)!r} is not a folder; expected one with {ANNOTATIONS}, or sticker:test.")
    path = folder / ANNOTATIONS
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise DataError(f"The folder {str(folder)!r} has no {ANNOTATIONS}; expected one line a phrase in it.") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text (byte {error.start}); save it as UTF-8.") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); expected a text file, so check it.") from None
    examples: list[Example] = []
    for number, line in enumerate(text.split("\n"), start=1):  # not splitlines: JSON may hold U+2028 as it is
        if limit is not None and len(examples) >= limit:
            break
        if line.strip():
            examples.append(_example(folder, line, f"{path} line {number}"))
    return examples


def _example(folder: Path, line: str, where: str) -> Example:
    row = _parsed(line, where)
    picture = _inside(folder, row["image"], "image", where)
    mask = None if row["mask"] is None else _inside(folder, row["mask"], "mask", where)
    return Example(
        source=str(picture),
        phrase=row["phrase"],
        kind=row["kind"],
        where=where,
        read_picture=partial(read_picture, picture, where),
        read_mask=partial(read_mask, mask, where) if mask is not None else lambda: None,
    )


def _parsed(line: str, where: str) -> dict[str, str]:
    shape = '{"image": "a.png", "phrase": "fox", "mask": "a_fox.png" or null, "kind": "object"}'
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        reason = getattr(error, "msg", "nested too deeply")
        raise DataError(f"{where} is not JSON ({reason}); expected {shape}.") from None
    if not isinstance(row, dict):
        raise DataError(f"{where} is a {type(row).__name__}; expected {shape}.")
    for key in _KEYS:
        if key not in row:
            raise DataError(f'{where} has no "{key}"; expected {shape}.')
        if not (isinstance(row[key], str) and row[key].strip()) and not (key == "mask" and row[key] is None):
            raise DataError(f'{where} has {json.dumps(row[key])[:60]} as "{key}"; expected {shape}.')
    return row


def _inside(folder: Path, name: str, key: str, where: str) -> Path:
    try:
        path, root = (folder / name).resolve(), folder.resolve()
        inside, exists = path.is_relative_to(root), path.is_file()
    except (OSError, ValueError, RuntimeError):  # a NUL byte, an endless name, a loop of links
        raise DataError(f'{where} has an impossible path as "{key}"; expected a file name in the folder.') from None
    if not inside:
        raise DataError(f'{where}: the "{key}" {name!r} lies outside the folder; move it inside and name that.')
    if not exists:
        raise DataError(f'{where}: the "{key}" {name!r} was not found; expected a file relative to {str(folder)!r}.')
    return path


def read_picture(path: Path, where: str) -> np.ndarray:
    """A picture as every other command reads it, uint8 (h w 3) RGB."""
    from ldznet_ext.masks.imaging import load_picture

    try:
        return load_picture(path)
    except PictureError as error:
        raise DataError(f"{where}: {error}") from None


def read_mask(path: Path, where: str) -> np.ndarray:
    """A mask file of any bit depth as bool (h w): read as 8-bit grey, 16 bits scaled, true above 127."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            if image.mode.startswith("I"):
                return np.asarray(image).astype(np.int64) > 32767  # 32,768 / 257 rounds to 128
            return np.asarray(image.convert("L")) > 127
    except Exception as error:  # Pillow's plugins raise anything from SyntaxError to struct.error on a damaged file
        reason = str(error).splitlines()[0].rstrip(".") if str(error).strip() else type(error).__name__
        raise DataError(f'{where}: the mask "{path.name}" cannot be read ({reason}); expected a PNG.') from None
