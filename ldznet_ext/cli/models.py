"""`ldznet models`: which models and heads lie where, how large they are, and their SHA-256; and one of them as one file."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ldznet_ext.cli import console, options
from ldznet_ext.errors import LdznetError, ModelError, OutputError

MODEL, CHECKPOINT, HEAD, DAMAGED = "model", "checkpoint", "head", "damaged"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    commands = parser.add_subparsers(dest="what", metavar="[export]")
    export = commands.add_parser(
        "export", help="write a model as one .safetensors file in the layout web UIs load", allow_abbrev=False
    )
    export.add_argument("--model", help="diffusers folder, name in a model folder or hub id (default: sticker-sd)")
    export.add_argument("-o", "--out", metavar="FILE", required=True, help="file to write, overwritten if it is there")
    export.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--no-sha256", dest="sums", action="store_false", help="do not read the files, only list them")
    options.add_output(parser, folder=False)


def run(args: argparse.Namespace) -> int:
    """List the model folders and what is in them, or export a model."""
    with console.quiet_output():
        answer = export(args.model, Path(args.out)) if args.what == "export" else found(args.sums)
    if args.json:
        console.emit(answer)
        return 0
    for line in [f"Wrote {answer['file']}."] if args.what == "export" else lines(answer):
        console.tell(line)
    return 0


def export(model: str | None, target: Path) -> dict[str, Any]:
    """Write a diffusers folder as one CompVis .safetensors file; the object `ldznet models export --json` prints."""
    if target.suffix != ".safetensors":
        raise OutputError(
            f"The file is called '{target}'; expected a name that ends in .safetensors, so give one with -o."
        )
    from ldznet_ext.convert.single_file import export_single_file
    from ldznet_ext.hosts.standalone import find_source
    from ldznet_ext.weights import sha256_of

    folder = find_source(model)
    if not folder.is_dir():
        raise ModelError(
            f"The model '{model}' is one file already; expected a folder in the diffusers layout, so copy it."
        )
    export_single_file(folder, target)
    size = target.stat().st_size
    return {"model": folder.name, "file": str(target), "bytes": size, "sha256": sha256_of(target)}


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
