"""`ldznet models`: which models and heads lie where, how large they are, and their SHA-256; `models add` brings another."""

import argparse
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from ldznet_ext.cli import console, options

if TYPE_CHECKING:
    from pathlib import Path

    from ldznet_ext.hosts.library import Stored


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("--no-sha256", dest="sums", action="store_false", help="do not read the files, only list them")
    options.add_output(parser, folder=False)
    commands = parser.add_subparsers(
        dest="command", metavar="add", help="bring a model, a head, a LoRA or a text embedding"
    )
    adding = commands.add_parser(
        "add", description="Bring a model, a head, a LoRA or a text embedding into a model folder."
    )
    adding.add_argument(
        "source",
        metavar="SOURCE",
        help="a file (.safetensors, or a .ckpt, of which only tensors are read), an https address of one, or a hub id: "
        "owner/name, owner/name@revision, owner/name/FILE",
    )
    adding.add_argument("--name", help="what to call it (default: what it is called already)")
    adding.add_argument(
        "--into", metavar="DIR", help="model folder (default: the first of LDZNET_MODELS, else your own)"
    )
    adding.add_argument("--sha256", metavar="HEX", help="what the file must have, or it is deleted")
    adding.add_argument("--variant", help="of a hub's weights: fp16, or non_ema, on which SD 1.4's heads were trained")
    adding.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """List the model folders and what is in them, or bring something new."""
    with console.quiet_output():
        answer = added(args) if args.command == "add" else found(args.sums)
    console.give(args.json, answer, added_lines(answer) if args.command == "add" else lines(answer))
    return 0


def added(args: argparse.Namespace) -> dict[str, Any]:
    """The object `ldznet models add --json` prints."""
    from pathlib import Path

    from ldznet_ext.hosts.adding import add

    with _kept_when_interrupted(), _Bars() as bars:
        done = add(
            args.source,
            name=args.name,
            folder=Path(args.into) if args.into else None,
            sha256=args.sha256,
            variant=args.variant,
            told=bars,
        )
    return {"path": str(done.path), "kind": done.kind, "family": done.family, "sha256": dict(done.sums)}


@contextmanager
def _kept_when_interrupted() -> Iterator[None]:
    """Say what becomes of a download that is ended by Ctrl-C."""
    try:
        yield
    except KeyboardInterrupt:
        console.say("What has come so far is kept; the same command continues from there.")
        raise


def added_lines(answer: dict[str, Any]) -> list[str]:
    """The same for people."""
    about = f"{answer['kind']}, family {answer['family'] or 'unknown'}"
    return [f"Added {answer['path']}  {about}", *(f"  {sha256}  {file}" for file, sha256 in answer["sha256"].items())]


class _Bars:
    """A bar of bytes for one file after the other, on standard error, where that is a terminal."""

    def __init__(self) -> None:
        self.what, self.stack, self.tick = "", ExitStack(), None

    def __enter__(self) -> "_Bars":
        return self

    def __exit__(self, *_: object) -> None:
        self.stack.close()

    def __call__(self, what: str, done: int, total: int) -> None:
        if what != self.what or self.tick is None:
            self.stack.close()
            self.what, self.tick = what, self.stack.enter_context(console.progress(what, "B"))
        self.tick(done, total)


def found(sums: bool = True) -> dict[str, Any]:
    """The object `ldznet models --json` prints: folders in the order they are searched, then what they hold."""
    from ldznet_ext.hosts.library import stored
    from ldznet_ext.weights import model_folders

    folders = list(dict.fromkeys(model_folders()))
    entries = [_entry(each, folder, sums) for folder in folders for each in stored(folder)]
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


def _entry(stored: "Stored", folder: "Path", sums: bool) -> dict[str, Any]:
    from ldznet_ext.weights import sha256_of

    listed = [
        {
            "path": str(file.relative_to(folder)),
            "bytes": file.stat().st_size,
            "sha256": sha256_of(file) if sums else None,
        }
        for file in stored.files
    ]
    return {
        "name": str(stored.path.relative_to(folder)),
        "folder": str(folder),
        "kind": stored.kind,
        "family": stored.family,
        "bytes": stored.bytes,
        "files": listed,
        "problem": stored.problem,
    }
