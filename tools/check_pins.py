"""Can what we import live beside what each web UI pins? Resolved for Python 3.10, in seconds, without installing anything.

`python tools/check_pins.py` answers for A1111, Forge and reForge (tests/pins/). It wants `uv` and a network; without one of them
it says so in a sentence and counts as passed.
"""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PINS = ROOT / "tests" / "pins"
PYTHON = "3.10"
DISTRIBUTIONS = {"PIL": "pillow", "skimage": "scikit-image"}
"""Where a module and what is installed for it have different names."""
NO_NETWORK = ("error sending request", "failed to fetch", "dns error", "network", "timed out")


def needs() -> list[str]:
    """Requirements of what runs inside a web UI, as install.py would ask for them."""
    spec = importlib.util.spec_from_file_location("_ldznet_install", ROOT / "install.py")
    assert spec is not None
    assert spec.loader is not None
    install = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(install)
    return [*install.NEEDS.values(), *(DISTRIBUTIONS.get(name, name) for name in install.HOSTS_OWN)]


def resolve(uv: str, pins: Path) -> str:
    """Empty where a resolution under these pins exists, else what uv says."""
    command = [uv, "pip", "compile", "--quiet", "--python-version", PYTHON, "--constraint", str(pins), "-"]
    done = subprocess.run(command, input="\n".join(needs()), capture_output=True, text=True, check=False, timeout=300)
    return done.stderr.strip() or "uv failed" if done.returncode else ""


def main() -> int:
    """Resolve for every host; 1 where one has no resolution."""
    uv = shutil.which("uv")
    if uv is None:
        print("The pins were not checked: uv is not installed (python -m pip install uv).")
        return 0
    failed = 0
    for pins in sorted(PINS.glob("*.txt")):
        said = resolve(uv, pins)
        if said and any(sign in said.lower() for sign in NO_NETWORK):
            print(f"{pins.stem}: not checked, for there is no network.")
            continue
        failed += bool(said)
        print(f"{pins.stem}: {said or 'resolved'}")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
