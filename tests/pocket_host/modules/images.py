"""Pictures: resized, put in a grid, saved with their parameters, read again."""

import math
import re
from pathlib import Path
from typing import Any

from PIL import Image, PngImagePlugin

from modules import script_callbacks, shared

LANCZOS = Image.Resampling.LANCZOS


def image_grid(pictures: list[Image.Image], batch_size: int = 1, rows: int | None = None) -> Image.Image:
    """All pictures in one, about square."""
    rows = rows or max(1, math.floor(math.sqrt(len(pictures))))
    columns = math.ceil(len(pictures) / rows)
    width, height = pictures[0].size
    grid = Image.new("RGB", (columns * width, rows * height), "black")
    for index, picture in enumerate(pictures):
        grid.paste(picture, (index % columns * width, index // columns * height))
    return grid


def resize_image(
    mode: int, picture: Image.Image, width: int, height: int, upscaler_name: str | None = None
) -> Image.Image:
    """0 stretch, 1 crop, 2 fill."""
    if mode == 0 or picture.size == (width, height):
        return picture.resize((width, height), LANCZOS)
    pick = max if mode == 1 else min
    scale = pick(width / picture.width, height / picture.height)
    inner = picture.resize((max(1, round(picture.width * scale)), max(1, round(picture.height * scale))), LANCZOS)
    out = Image.new(picture.mode, (width, height))
    out.paste(inner, ((width - inner.width) // 2, (height - inner.height) // 2))
    return out


def flatten(picture: Image.Image, background: str) -> Image.Image:
    """Without transparency."""
    if picture.mode != "RGBA":
        return picture.convert("RGB")
    ground = Image.new("RGB", picture.size, background)
    ground.paste(picture, mask=picture)
    return ground


def fix_image(picture: Image.Image) -> Image.Image:
    """As it is."""
    return picture


def read(fp: Any, **kwargs: Any) -> Image.Image:
    """A file."""
    return Image.open(fp, **kwargs)


def sanitize_filename_part(text: str, replace_spaces: bool = True) -> str:
    """What a file name can bear."""
    text = text.replace(" ", "_") if replace_spaces else text
    return re.sub(r'[#<>:"/\\|?*\n\r\t]', "_", text).strip(" .")[:128]


def get_next_sequence_number(path: str, basename: str) -> int:
    """One more than the largest number in a folder."""
    numbers = [
        int(name.split("-")[0])
        for name in (entry.name for entry in Path(path).glob("*-*"))
        if name.split("-")[0].isdigit()
    ]
    return max(numbers, default=-1) + 1


def save_image(
    image: Image.Image,
    path: str,
    basename: str,
    seed: int | None = None,
    prompt: str | None = None,
    extension: str = "png",
    info: str | None = None,
    short_filename: bool = False,
    no_prompt: bool = False,
    grid: bool = False,
    pnginfo_section_name: str = "parameters",
    p: Any = None,
    existing_info: dict[str, str] | None = None,
    forced_filename: str | None = None,
    suffix: str = "",
    save_to_dirs: bool | None = None,
) -> tuple[str, str | None]:
    """Number, seed and suffix for a name; callbacks before and after."""
    folder = Path(path)
    folder.mkdir(parents=True, exist_ok=True)
    number = get_next_sequence_number(path, basename)
    stem = forced_filename or "-".join(
        part for part in (basename, f"{number:05}", "" if seed is None else str(seed)) if part
    )
    filename = str(folder / f"{stem}{suffix}.{extension}")
    pnginfo = {**(existing_info or {})}
    if info is not None:
        pnginfo[pnginfo_section_name] = info
    params = script_callbacks.ImageSaveParams(image, p, filename, pnginfo)
    script_callbacks.before_image_saved_callback(params)
    written = PngImagePlugin.PngInfo()
    if shared.opts.enable_pnginfo:
        for key, value in params.pnginfo.items():
            written.add_text(key, str(value))
    params.image.save(params.filename, **({"pnginfo": written} if extension == "png" else {}))
    params.image.already_saved_as = params.filename
    script_callbacks.image_saved_callback(params)
    return params.filename, None


def read_info_from_image(image: Image.Image) -> tuple[str | None, dict[str, Any]]:
    """The parameters a picture carries, and what else it says."""
    items = dict(image.info or {})
    return items.pop("parameters", None), items
