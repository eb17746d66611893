"""`ldznet export-checkpoint`: a model as the files with which A1111, Forge or reForge loads it."""

import argparse
from pathlib import Path
from typing import Any

from ldznet_ext.cli import console, options
from ldznet_ext.errors import ModelError, OutputError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("--model", help="diffusers folder, name in a model folder or hub id (default: sticker-sd)")
    parser.add_argument(
        "-o",
        "--out",
        metavar="FILE",
        required=True,
        help=".safetensors file to write, such as models/Stable-diffusion/sticker-sd.safetensors of a web UI; its settings "
        "(.yaml) and its text encoder's folder are written beside it; what is there is overwritten",
    )
    options.add_output(parser, folder=False)


def run(args: argparse.Namespace) -> int:
    """Write the files and say which."""
    with console.quiet_output():
        answer = export(args.model, Path(args.out))
    console.give(args.json, answer, [f"Wrote {answer['file']}, {answer['settings']} and the folder {answer['text']}."])
    return 0


def export(model: str | None, target: Path) -> dict[str, Any]:
    """Write a diffusers folder as a web UI's checkpoint; the object that --json prints."""
    if target.suffix != ".safetensors":
        raise OutputError(
            f"The file is called '{target}'; expected a name that ends in .safetensors, so give one with -o."
        )
    from ldznet_ext.hosts.checkpoint import export_checkpoint
    from ldznet_ext.hosts.standalone import find_source
    from ldznet_ext.weights import sha256_of

    folder = find_source(model)
    if not folder.is_dir():
        raise ModelError(
            f"The model '{model}' is one file already; expected a folder in the diffusers layout, so copy it."
        )
    weights, settings, text = export_checkpoint(folder, target)
    return {
        "model": folder.name,
        "file": str(weights),
        "settings": str(settings),
        "text": str(text),
        "bytes": weights.stat().st_size,
        "sha256": sha256_of(weights),
    }
