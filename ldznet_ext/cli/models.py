"""`ldznet models`: which models and heads lie where, how large they are, and their SHA-256."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ldznet_ext.cli import console, options
from ldznet_ext.errors import LdznetError

MODEL, CHECKPOINT, HEAD, DAMAGED = "model", "checkpoint", "head", "damaged"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("--no-sha256", dest="sums", action="store_false", help="do not read the files, only list them")
    options.add_output(parser, folder=False)


def run(args: argparse.Namespace) -> int:
    """List the model folders and what is in them."""
    with console.quiet_output():
        answer = found(args.sums)
    console.give(args.json, answer, lines(answer))
    return 0


def found(sums: bool = True) -> dict[str, Any]:
    """The object `ldznet models --json` prints: folders in the order they are searched, then what they hold."""
    from ldznet_ext.weights import model_folders

    folders = list(dict.fromkeys(model_folders()))
    entries = [entry for folder in folders for entry in _entries(folder, sums)]
    return {"folders": [{"path": str(path), "exists": path.is_dir()} for path in folders], "models": entries}


def lines(answer: dict[str, Any]) -> list[str]:
    """The same for people."""
    out = []
    for folder in answer["folders"]:
        inside = [entry for entry in answer["models"] if entry["folder"] == folder["path"]]
        state = "" if inside else "  (nothing in it)" if folder["exists"] else "  (not there)"
        out.append(folder["path"] + state)
        for entry in inside:
            about = entry["problem"] or f"{entry['kind']}, family {entry['family'] or 'unknown'}"
            out.append(f"  {entry['name']}  {entry['bytes'] / 1e6:.1f} MB  {about}")
            out += [f"    {file['sha256'] or '-':64}  {file['path']}" for file in entry["files"]]
    return out


def _entries(folder: Path, sums: bool) -> Iterator[dict[str, Any]]:
    if not folder.is_dir():
        return
    for path in sorted(folder.iterdir()):
        if (path / "unet").is_dir():
            yield _entry(path, MODEL, _family(path), sorted(path.rglob("*.safetensors")), sums)
        elif path.suffix == ".safetensors" and path.is_file():
            kind, family, problem = _about(path)
            yield _entry(path, kind, family, [path], sums, problem)


def _entry(
    path: Path, kind: str, family: str | None, files: list[Path], sums: bool, problem: str | None = None
) -> dict[str, Any]:
    from ldznet_ext.weights import sha256_of

    listed = [
        {
            "path": str(file.relative_to(path.parent)),
            "bytes": file.stat().st_size,
            "sha256": sha256_of(file) if sums else None,
        }
        for file in files
    ]
    return {
        "name": path.name,
        "folder": str(path.parent),
        "kind": kind,
        "family": family,
        "bytes": sum(file["bytes"] for file in listed),
        "files": listed,
        "problem": problem,
    }


def _about(path: Path) -> tuple[str, str | None, str | None]:
    """Kind, family and problem of one .safetensors file, from its header alone."""
    from ldznet_ext.tensors import read_header
    from ldznet_ext.weights import HEAD_FORMAT, HeadInfo

    try:
        metadata, _ = read_header(path)
        if metadata.get("format") != HEAD_FORMAT:
            return CHECKPOINT, None, None
        info = HeadInfo.from_metadata(metadata, path.name)
    except LdznetError as error:
        return DAMAGED, None, console.one_line(error)
    return f"{HEAD} {info.kind}", info.family, None


def _family(folder: Path) -> str | None:
    """The family of a diffusers folder, by the width of the text states its UNet reads."""
    import json
    from types import SimpleNamespace

    from ldznet_ext.hosts.loading import family_of

    try:
        settings = json.loads((folder / "unet" / "config.json").read_text(encoding="utf-8"))
        return family_of(SimpleNamespace(context_dim=int(settings["cross_attention_dim"])))  # type: ignore[arg-type]
    except (OSError, ValueError, KeyError, TypeError):
        return None
