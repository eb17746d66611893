"""Where things lie: the pocket host, the checkout that is its one extension, and what it writes."""

import sys
from pathlib import Path

from modules import cmd_args

script_path = str(Path(__file__).resolve().parent.parent)
extension_path = str(Path(script_path).parent.parent)
"""The checkout: loaded as a host loads the extension it has cloned."""


def _early() -> str | None:
    """`--data-dir` is needed before the other arguments are known."""
    known, _ = cmd_args.parser.parse_known_args([word for word in sys.argv[1:] if word not in ("-h", "--help")])
    return known.data_dir


data_path = str(Path(_early() or Path(extension_path, ".pocket_host")).absolute())
models_path = str(Path(data_path, "models"))
extensions_dir = str(Path(extension_path).parent)
extensions_builtin_dir = str(Path(script_path, "extensions-builtin"))
default_output_dir = str(Path(data_path, "outputs"))
