"""What a training elsewhere needs, and what comes back from it: `python tools/away/pack.py FOLDER`, `... --join FOLDER`.

See README.md beside this file.
"""

import argparse
import json
import lzma
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
WHEELS = ("opencv-python-headless==4.10.0.84", "diffusers", "einops", "lark", "importlib_metadata", "zipp")
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64", "any")
PIECE = 15_000_000
"""Bytes of the largest file that comes back."""
ALWAYS_SEEN = {49_406, 49_407}
"""A text's beginning and end."""


def main() -> None:
    """Pack, or join."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--join", action="store_true", help="put the pieces in FOLDER together")
    parser.add_argument("--python", default="3.12", help="the other machine's version")
    args = parser.parse_args()
    if args.join:
        join(args.folder)
    else:
        pack(args.folder, args.python)


def pack(folder: Path, python: str) -> None:
    """Write `first/`, `unet/` and `head/` into `folder`."""
    from ldznet_ext.weights import find_model
    from ldznet_ext.world import art

    first, shipped = folder / "first", find_model("sticker-sd")
    first.mkdir(parents=True, exist_ok=True)
    pack_packages(first / "packages.tar.xz", python)
    art.pack(first / "art.npz", size=160)
    for part in ("vae", "tokenizer", "scheduler"):
        shutil.copytree(shipped / part, first / "sticker-sd" / part, dirs_exist_ok=True)
    for file in ("model_index.json", "tokens_seen.json", "unet/config.json", "text_encoder/config.json"):
        (first / "sticker-sd" / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(shipped / file, first / "sticker-sd" / file)
    shrink_text_encoder(shipped, first / "text.safetensors")
    for part, source in (("unet", shipped / "unet"), ("head", shipped.parent)):
        (folder / part).mkdir(exist_ok=True)
        for file in source.glob("*.safetensors"):
            shutil.copy(file, folder / part / file.name)


def pack_packages(out: Path, python: str) -> None:
    """The wheels, unpacked and as small as can be: half of OpenCV's size is its packing."""
    with tempfile.TemporaryDirectory() as scratch:
        wheels, site = Path(scratch, "wheels"), Path(scratch, "site")
        where = [option for name in PLATFORMS for option in ("--platform", name)]
        order = [
            "download",
            "-q",
            "--no-deps",
            "--only-binary=:all:",
            "--python-version",
            python,
            *where,
            "-d",
            str(wheels),
        ]
        subprocess.run([sys.executable, "-m", "pip", *order, *WHEELS], check=True)
        for wheel in wheels.glob("*.whl"):
            zipfile.ZipFile(wheel).extractall(site)
        filters = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": 128 << 20}]
        with lzma.open(out, "wb", filters=filters) as raw, tarfile.open(fileobj=raw, mode="w|") as tar:
            tar.add(site, arcname=".")


def shrink_text_encoder(model: Path, out: Path) -> None:
    """The text encoder without the rows of words that training never shows; `grow_text_encoder` undoes it."""
    from safetensors.torch import load_file, save_file

    tensors = load_file(model / "text_encoder" / "model.safetensors")
    name = next(name for name in tensors if "token_embedding" in name)
    rows = sorted({*json.loads((model / "tokens_seen.json").read_text()), *ALWAYS_SEEN})
    save_file({**tensors, name: tensors[name][rows].contiguous()}, out)


def grow_text_encoder(small: Path, model: Path, others: Path | None) -> None:
    """Write `model`/text_encoder; the rows of words never shown are those of `others`, or noise where they do not matter."""
    import torch
    from safetensors.torch import load_file, save_file

    tensors = load_file(small)
    name = next(name for name in tensors if "token_embedding" in name)
    rows = sorted({*json.loads((model / "tokens_seen.json").read_text()), *ALWAYS_SEEN})
    shape = (max(ALWAYS_SEEN) + 1, tensors[name].shape[1])
    whole = load_file(others)[name] if others else torch.randn(shape, generator=torch.Generator().manual_seed(0)) * 0.02
    whole = whole.to(tensors[name].dtype)
    whole[rows] = tensors[name]
    save_file({**tensors, name: whole}, model / "text_encoder" / "model.safetensors", metadata={"format": "pt"})


def cut(file: Path, out: Path) -> None:
    """Copy a file in pieces NAME.0, NAME.1 ..."""
    raw = file.read_bytes()
    for number, start in enumerate(range(0, len(raw), PIECE)):
        (out / f"{file.name}.{number}").write_bytes(raw[start : start + PIECE])


def join(folder: Path) -> None:
    """Put NAME.0, NAME.1 ... together as NAME."""
    for head in sorted(folder.glob("*.0")):
        parts = sorted(folder.glob(f"{head.stem}.[0-9]*"), key=lambda part: int(part.suffix[1:]))
        (folder / head.stem).write_bytes(b"".join(part.read_bytes() for part in parts))
        print(f"{head.stem}: {len(parts)} pieces, {(folder / head.stem).stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
