"""`python -m ldznet_ext`: the command line, run where its dependencies are.

`demo` and `serve` make `.venv` first where something is missing; the other commands use a `.venv` that stands.
"""

import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec

from ldznet_ext import bootstrap

WITHOUT_PACKAGES = ("doctor", "--help", "-h", "--version")
"""What the standard library alone can answer."""
SETS_UP = {"demo": "run", "serve": "app"}
"""Command -> the set-up that it makes by itself."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; the exit code is 0, or 2 after one sentence on standard error."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    command = arguments[0] if arguments else "--help"
    missing = bootstrap.missing_modules()
    if command == "serve" and "--no-page" not in arguments and find_spec("gradio") is None:
        missing.append("gradio")
    if missing and command not in WITHOUT_PACKAGES and not {"-h", "--help"} & set(arguments):
        return _elsewhere(arguments, missing)
    from ldznet_ext.cli.main import main as run

    return run(arguments)


def _elsewhere(arguments: list[str], missing: list[str]) -> int:
    inside = os.environ.get("LDZNET_INSIDE") == "1"
    try:
        if arguments[0] in SETS_UP and not inside:
            bootstrap.set_up(extra=SETS_UP[arguments[0]])
        elif inside or not bootstrap.ready():
            raise bootstrap.SetupError(
                f"Python lacks {', '.join(missing)}; "
                "run `python -m ldznet_ext demo` or `make demo` once, which installs them."
            )
        bootstrap.run_inside(["-m", "ldznet_ext", *arguments])
    except bootstrap.SetupError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
