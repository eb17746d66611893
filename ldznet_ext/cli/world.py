"""`ldznet world fetch|concepts|render`: the art of Sticker World into the cache, its names, and test sets as folders."""

import argparse
import contextlib
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ldznet_ext.cli import console, options
from ldznet_ext.errors import OptionError, OutputError
from ldznet_ext.saving.output import OutputFolder

if TYPE_CHECKING:
    import numpy as np

    from ldznet_ext.world.phrases import Phrase

STYLES = ("fluent", "noto", "flat", "twemoji", "emojione", "photo")
FETCHED = STYLES[:-1]
MOST = 100_000
Said = tuple[dict[str, Any], list[str]]
"""A command's answer as an object, and as lines for people."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    commands = parser.add_subparsers(dest="what", metavar="fetch|concepts|render", required=True)
    fetch = commands.add_parser("fetch", help="download the art into the cache, checked by SHA-256", allow_abbrev=False)
    fetch.add_argument(
        "--style", nargs="+", choices=STYLES, default=FETCHED, metavar="STYLE",
        help=f"of {', '.join(STYLES)} (default: all but photo, 22 MB; photo is 255 MB)",
    )  # fmt: skip
    known = commands.add_parser("concepts", help="list what it knows: name, group, set", allow_abbrev=False)
    render = commands.add_parser("render", help="paint scenes into a folder with annotations.jsonl", allow_abbrev=False)
    render.add_argument("--split", choices=("train", "val", "test"), default="test", help="(default: test)")
    render.add_argument("--seed", type=options.whole, default=0, help="another number, other scenes (default: 0)")
    render.add_argument("-n", dest="number", metavar="N", type=options.whole, default=64, help="scenes (default: 64)")
    render.add_argument(
        "--style", nargs="+", choices=STYLES, metavar="STYLE", help="drawn from these (default: the four of training)"
    )
    render.add_argument("--objects", choices=("named", "known", "held_out"), default="named", help="(default: named)")
    render.add_argument("--size", type=options.whole, default=256, help="pixels a side, 64-2048 (default: 256)")
    render.add_argument("--format", choices=("png", "webp"), default="png", help="of the pictures (default: png)")
    for one in (fetch, known, render):
        options.add_output(one, folder=one is render)


def run(args: argparse.Namespace) -> int:
    """Fetch, list or render, then say what there is."""
    with console.quiet_output():
        answer, lines = {"fetch": _fetch, "concepts": _concepts, "render": _render}[args.what](args)
    console.give(args.json, answer, lines)
    return 0


def _fetch(args: argparse.Namespace) -> Said:
    from ldznet_ext.world.fetch import fetch

    with _bars() as tick:
        stores = fetch(styles=list(dict.fromkeys(args.style)), progress=tick)
    answer = {"styles": list(dict.fromkeys(args.style)), "stores": [str(store) for store in stores]}
    size = sum(store.stat().st_size for store in stores) / 1e6
    return answer, [f"{len(stores)} styles, {size:.0f} MB, in {stores[0].parent}."]


def _concepts(args: argparse.Namespace) -> Said:
    from ldznet_ext.world.concepts import concepts

    rows = [{"name": c.name, "group": c.group, "set": c.set, "synonyms": list(c.synonyms)} for c in concepts()]
    wide, wider = (max(len(row[key]) for row in rows) for key in ("name", "group"))
    return {"concepts": rows}, [f"{row['name']:<{wide}}  {row['group']:<{wider}}  {row['set']}" for row in rows]


@contextlib.contextmanager
def _bars() -> Iterator[Any]:
    """A bar for each thing `fetch` speaks of, and a line where there is no terminal."""
    with contextlib.ExitStack() as stack:
        ticks: dict[str, console.Tick] = {}

        def tick(what: str, done: int, total: int) -> None:
            if what not in ticks:
                console.say(f"{what} ...")
                ticks[what] = stack.enter_context(console.progress(what, ""))
            ticks[what](done, total)

        yield tick


def _render(args: argparse.Namespace) -> Said:
    from ldznet_ext.sampling import check_seed

    check_seed(args.seed)
    if not 1 <= args.number <= MOST:
        raise OptionError(
            f"The number of scenes is {args.number}; expected a whole number from 1 to {MOST:,}, so choose one."
        )
    if not 64 <= args.size <= 2048:
        raise OptionError(f"The size is {args.size}; expected a whole number of pixels from 64 to 2048, so choose one.")
    rows: list[dict[str, Any]] = []
    with OutputFolder(args.out) as out, console.progress("rendering", "scene") as tick:
        for index in range(args.number):
            rows += _scene(args, index, out)
            tick(index + 1, args.number)
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        out.write("annotations.jsonl", text.encode("utf-8"))
    answer = {"data": args.out, "split": args.split, "seed": args.seed, "scenes": args.number, "lines": len(rows)}
    return answer, [f"{args.number} scenes, {len(rows)} phrases in {args.out}/annotations.jsonl."]


def _scene(args: argparse.Namespace, index: int, out: OutputFolder) -> list[dict[str, Any]]:
    """Paint one scene and write its files; its lines of annotations."""
    from ldznet_ext.world.phrases import phrases
    from ldznet_ext.world.scenes import scene

    painted = scene(args.seed, index, split=args.split, styles=args.style, concepts=args.objects, size=args.size)
    image = out.write(f"{index:05d}.{args.format}", _encoded(painted.picture, args.format))
    names: dict[bytes, str] = {}
    return [
        {"image": image, "phrase": phrase.text, "mask": _mask(phrase, index, names, out), "kind": phrase.kind}
        for phrase in phrases(painted, concepts=args.objects)
    ]


def _mask(phrase: "Phrase", index: int, names: dict[bytes, str], out: OutputFolder) -> str | None:
    """The name of the phrase's 1-bit mask; a name and its synonym share one file."""
    if phrase.mask is None:
        return None
    content = phrase.mask.tobytes()
    if content not in names:
        names[content] = out.write(f"masks/{index:05d}_{len(names)}.png", _encoded(phrase.mask, "png"))
    return names[content]


def _encoded(array: "np.ndarray", kind: str) -> bytes:
    """uint8 RGB (h w 3) or bool (h w) as PNG (1 bit for a mask) or WebP."""
    import io

    from PIL import Image

    buffer = io.BytesIO()
    try:
        Image.fromarray(array).save(
            buffer, kind, **({"quality": 90, "method": 6} if kind == "webp" else {"optimize": True})
        )
    except (OSError, KeyError) as error:
        raise OutputError(
            f"A picture could not be encoded as {kind} ({error}); expected a format that Pillow writes, so use --format png."
        ) from None
    return buffer.getvalue()
