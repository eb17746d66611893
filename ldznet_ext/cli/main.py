"""`ldznet COMMAND ...`: find the command, parse, run, and turn whatever goes wrong into one sentence and an exit code.

0: done (also when words were not found). 1: a defect of ours; of `doctor`: masks, pictures or edits do not work here.
2: something the user can mend. 3: nothing was found, where `mask --not-found fail` says that this is to count. 130, 143:
interrupted.
Nothing heavy is imported until a command runs, so that --help is immediate.
"""

import argparse
import contextlib
import importlib
import os
import re
import signal
import sys
import traceback
import warnings
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Any, NoReturn

from ldznet_ext import __version__
from ldznet_ext.cli import console
from ldznet_ext.errors import ExpressionError, LdznetError

OK, DEFECT, MISTAKE, INTERRUPTED = 0, 1, 2, 130

COMMANDS = {
    "mask": "find what words name in a picture: mask, probability map, overlay",
    "classes": "label every pixel of a picture by name",
    "like": "find what looks like a marked example, in its picture or in a folder of them",
    "generate": "paint pictures from words, and masks from other words",
    "edit": "repaint what words name in a picture",
    "evaluate": "score the masks of a method on a test set",
    "train": "train the auto-encoder, the text encoder, the diffusion model, a head or the classifier",
    "world": "fetch the art of Sticker World, list its concepts, render test sets",
    "convert": "turn the authors' LD-ZNet checkpoint into a head of ours, running nothing of it",
    "models": "list the models and heads that are found, with sizes and SHA-256",
    "export-checkpoint": "write a model as a checkpoint that A1111, Forge and reForge load",
    "report": "train and compare the networks, write docs/results.md",
    "serve": "the app in a browser, and the API, on this machine",
    "demo": "the whole walk, end to end, into demo/index.html",
    "doctor": "say what is installed, what works, what is missing",
}
"""Name -> help; the module of the same name in this folder (_ for -) holds `add_arguments(parser)` and `run(args) -> int`."""

ELSEWHERE = {"train": "ldznet_ext.train.cli"}


class Parser(argparse.ArgumentParser):
    """An argparse parser whose complaints are one sentence."""

    def error(self, message: str) -> NoReturn:
        """Print what was wrong and where the options are listed; exit code 2."""
        message = message.rstrip(".")
        console.say(f"{self.prog}: {message}; see `{self.prog} --help`.")
        self.exit(MISTAKE)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code and never raises."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    console.prepare_streams()
    try:
        with warnings.catch_warnings(), _ended_in_order():
            if not console.debugging():
                _hush()
            code = _run(arguments)
            sys.stdout.flush()
            return code
    except SystemExit as end:  # argparse, after --help or a complaint; or a signal
        return end.code if isinstance(end.code, int) else MISTAKE if end.code else OK
    except KeyboardInterrupt:
        console.say("Interrupted.")
        return INTERRUPTED
    except BrokenPipeError:  # `ldznet ... | head`: nobody reads any more
        console.drop_output()
        return DEFECT
    except Exception as error:
        return _explain(error)
    finally:
        console.settle()


@contextlib.contextmanager
def _ended_in_order() -> Iterator[None]:
    """Let what ends a program from outside (a time limit, a container that stops) unwind it, so that no partial file stays."""

    def end(number: int, frame: Any) -> NoReturn:
        raise SystemExit(128 + number)

    ours = []
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        with contextlib.suppress(ValueError):  # only the main thread may
            if number is not None and signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, end)
                ours.append(number)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)


def _run(arguments: list[str]) -> int:
    if not arguments:
        _overview().print_help()
        return OK
    if arguments[0] not in COMMANDS:
        _overview().parse_args(arguments)  # --help, --version, or a complaint
        return OK
    name = arguments[0]
    module = _command(name)
    parser = Parser(
        prog=f"ldznet {name}", description=f"{COMMANDS[name][0].upper()}{COMMANDS[name][1:]}.", allow_abbrev=False
    )
    module.add_arguments(parser)
    return module.run(_parse(parser, arguments[1:]))


def _command(name: str) -> ModuleType:
    return importlib.import_module(ELSEWHERE.get(name, f"ldznet_ext.cli.{name.replace('-', '_')}"))


def _parse(parser: Parser, arguments: list[str]) -> argparse.Namespace:
    if any(isinstance(action, argparse._SubParsersAction) for action in parser._actions):
        return parser.parse_args(arguments)
    return parser.parse_intermixed_args(arguments)  # `mask photo.png fox -o out tail`: options may stand anywhere


def _overview() -> Parser:
    parser = Parser(
        prog="ldznet",
        description="Words and a picture to a mask, and an edit, with the diffusion model that is already loaded.",
        epilog="`ldznet COMMAND --help` lists a command's options. A first try: ldznet demo",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"ldznet {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, text in COMMANDS.items():
        commands.add_parser(name, help=text, add_help=False)
    return parser


def _hush() -> None:
    """Warnings of other libraries are for their developers; LDZNET_DEBUG=1 shows them."""
    warnings.simplefilter("ignore")
    for name in ("TRANSFORMERS_VERBOSITY", "DIFFUSERS_VERBOSITY"):
        os.environ.setdefault(name, "error")


def _explain(error: Exception) -> int:
    if console.debugging():
        traceback.print_exception(error)
    if isinstance(error, ExpressionError):
        console.say(str(error))  # with the text and a caret below
        return MISTAKE
    if isinstance(error, LdznetError):
        text = console.one_line(error)
        console.say(text if text.endswith((".", "!", "?")) else f"{text}.")
        return MISTAKE
    if isinstance(error, ModuleNotFoundError) and not (error.name or "").startswith("ldznet_ext"):
        console.say(
            f"The Python package '{error.name}' is missing; run `python -m ldznet_ext demo` or `make demo` once, which "
            "installs what is needed."
        )
        return MISTAKE
    if isinstance(error, MemoryError) or re.search(
        r"out of memory|insufficient memory|can.t allocate memory", str(error).lower()
    ):
        console.say("There is not enough memory for this; use a smaller picture, fewer phrases or --device cpu.")
        return MISTAKE
    console.say(
        f"Something went wrong that should not ({type(error).__name__}: {console.one_line(error)}); please report it with "
        "what LDZNET_DEBUG=1 prints."
    )
    return DEFECT


if __name__ == "__main__":
    sys.exit(main())
