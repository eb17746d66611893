"""`ldznet convert`: the authors' LD-ZNet checkpoint, a pickle, as a head in a safetensors file."""

import argparse
from typing import TYPE_CHECKING, Any

from ldznet_ext.cli import console, options

if TYPE_CHECKING:
    from ldznet_ext.convertible import Converted

DTYPES = ("fp16", "bf16", "fp32")
MEGABYTE = 1_000_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help="the authors' file, such as LDZNet_txt2mask.ckpt")
    parser.add_argument(
        "-o",
        "--out",
        metavar="HEAD",
        required=True,
        help=".safetensors file to write, in a model folder for it to be found; what is there is replaced once all is well",
    )
    parser.add_argument("--dtype", choices=DTYPES, help="number format (default: the checkpoint's own; fp16 halves it)")
    parser.add_argument(
        "--unet",
        metavar="FILE",
        help="write the frozen diffusion model too, where the checkpoint has it: the UNet the head was trained on",
    )
    options.add_output(parser, folder=False)


def run(args: argparse.Namespace) -> int:
    """Write the head and say what is in it."""
    with console.quiet_output():
        answer = convert(args)
    console.give(args.json, answer, lines(answer))
    return 0


def convert(args: argparse.Namespace) -> dict[str, Any]:
    """The object that --json prints."""
    from ldznet_ext.convertible import convert_file

    with console.progress("converting", "MB") as tick:
        done = convert_file(
            args.checkpoint,
            args.out,
            dtype=args.dtype,
            unet=args.unet,
            progress=lambda done, total: tick(done // MEGABYTE, total // MEGABYTE),
        )
    return described(done, args.checkpoint)


def described(done: "Converted", checkpoint: str) -> dict[str, Any]:
    """What was read and what was written; the sums are SHA-256, so that anyone can say which file made which."""
    from ldznet_ext.weights import sha256_of

    return {
        "checkpoint": checkpoint,
        "checkpoint_sha256": done.sha256,
        "steps": done.steps,
        "weights": "averaged" if done.averaged else "raw",
        "file": str(done.file),
        "bytes": done.file.stat().st_size,
        "sha256": sha256_of(done.file),
        "parameters": done.parameters,
        "unet": None if done.unet is None else str(done.unet),
        "unet_is_a_model": done.whole,
        "message": done.message,
    }


def lines(answer: dict[str, Any]) -> list[str]:
    """The same for people."""
    about = (
        f"{answer['parameters'] / 1e6:,.1f} M parameters, {answer['bytes'] / 1e6:,.0f} MB, {answer['weights']} weights"
    )
    out = [f"Wrote {answer['file']}: an LD-ZNet head for Stable Diffusion 1.x, {about}."]
    if answer["unet"]:
        out.append(f"Wrote {answer['unet']}: the diffusion model that head was trained on.")
    return [*out, *filter(None, [answer["message"]])]
