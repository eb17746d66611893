"""`ldznet models`: which models and heads lie where, how large they are, and their SHA-256."""

import argparse
from typing import TYPE_CHECKING, Any

from ldznet_ext.cli import console, options

if TYPE_CHECKING:
    from ldznet_ext.hosts.library import Stored


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
    from ldznet_ext.hosts.library import stored
    from ldznet_ext.weights import model_folders

    folders = list(dict.fromkeys(model_folders()))
    entries = [_entry(each, sums) for folder in folders for each in stored(folder)]
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


def _entry(stored: "Stored", sums: bool) -> dict[str, Any]:
    from ldznet_ext.weights import sha256_of

    listed = [
        {
            "path": str(file.relative_to(stored.path.parent)),
            "bytes": file.stat().st_size,
            "sha256": sha256_of(file) if sums else None,
        }
        for file in stored.files
    ]
    return {
        "name": stored.path.name,
        "folder": str(stored.path.parent),
        "kind": stored.kind,
        "family": stored.family,
        "bytes": stored.bytes,
        "files": listed,
        "problem": stored.problem,
    }
