"""`.venv-webui/`: what the pocket host runs on, the Gradio and pydantic of A1111, apart from everything else."""

import sys
from hashlib import sha256
from pathlib import Path

from ldznet_ext.bootstrap import CHECKOUT, SetupError, Venv, install_torch, make_venv, pip, say, step, wanted_torch

WEBUI = Venv(folder=CHECKOUT / ".venv-webui")
REQUIREMENTS = CHECKOUT / "tests" / "pocket_host" / "requirements.txt"
NEWEST_PYTHON = (3, 12)
EXPECTED_MB = 900
"""On disk, beside torch, measured on Linux x86-64 with Python 3.11."""


def set_up_webui(venv: Venv = WEBUI, requirements: Path = REQUIREMENTS) -> None:
    """Everything the pocket host needs; does nothing where it is all there."""
    wanted = sha256(requirements.read_bytes()).hexdigest()
    if venv.read("webui").get("hash") == wanted and wanted_torch(venv) is None and venv.python.exists():
        return
    if sys.version_info[:2] > NEWEST_PYTHON:
        raise SetupError(
            f"This is Python {sys.version.split()[0]}; expected 3.10, 3.11 or 3.12, which A1111's Gradio 3.41 runs on, so name "
            "one with PYTHON=."
        )
    say("Setting up the pocket host once; later runs need neither this nor a network.")
    try:
        make_venv(venv)
        install_torch(venv)
        pins = venv.folder / ".ldznet" / "torch.txt"
        pins.write_text(f"torch=={venv.read('torch')['version']}\n", encoding="utf-8")
        with step(f"Gradio 3.41 and what else a web UI carries (about {EXPECTED_MB} MB on disk)", venv):
            pip(venv, "install", "-r", str(requirements), "-c", str(pins))
    except OSError as error:
        raise SetupError(
            f"The set-up could not write ({error}); free some space or make {venv.folder} writable."
        ) from error
    venv.stamp("webui", hash=wanted)
