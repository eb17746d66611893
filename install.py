"""Run by a web UI at each start: look whether what we import is there, and fetch only what is missing.

The hosts bring all of it. What one of them lacks is installed under a list of everything it has, at exactly its version, so that
pip can add but never move anything; and a failure is one line in the log, for most of the extension works without.
"""

import importlib.util
import os
import re
import sys
import tempfile
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

NEEDS = {
    "lark": "lark",
    "einops": "einops",
    "cv2": "opencv-python-headless>=4.8,<4.12",  # 4.12 wants numpy 2, which no host has
}
"""What we import -> what to ask for where it is missing."""
HOSTS_OWN = ("torch", "numpy", "PIL", "safetensors", "scipy", "skimage")
"""Without these there is no host: never installed by us."""
PIN = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*==\s*([^\s;#]+)")


def main() -> None:
    """Say in a line what is missing and what was done about it; nothing where all is there. It never raises."""
    try:
        missing = missing_needs()
        if missing:
            install(missing)
    except Exception as error:
        say(f"its needs could not be checked ({type(error).__name__}: {first_line(error)}); masks may not work.")


def missing_needs() -> list[str]:
    """Names of modules that cannot be found; nothing is imported."""
    return [name for name in (*NEEDS, *HOSTS_OWN) if importlib.util.find_spec(name) is None]


def install(missing: Iterable[str]) -> None:
    """Install what is ours to install, through the host, which honours --skip-install and its own package index."""
    missing = list(missing)
    if own := [name for name in missing if name in HOSTS_OWN]:
        say(f"the web UI has no {', '.join(own)}; expected it to bring that, so repair its installation.")
    wanted = [name for name in missing if name in NEEDS]
    if not wanted:
        return
    import launch  # the host's own; slow to import, and so only where it is needed

    with tempfile.TemporaryDirectory() as folder:
        constraints = Path(folder) / "constraints.txt"
        constraints.write_text("\n".join(pins(Path.cwd())) + "\n", encoding="utf-8")
        requirements = " ".join(f'"{NEEDS[name]}"' for name in wanted)
        try:
            launch.run_pip(f'install {requirements} -c "{constraints}"', f"{', '.join(wanted)} for LD-ZNet")
        except Exception as error:
            say(
                f"{', '.join(wanted)} could not be installed ({first_line(error)}); masks need it, so install it by hand."
            )


def pins(webui: Path) -> list[str]:
    """Everything the host has, at the version it has, and what its list of requirements pins beside that."""
    found = [(dist.metadata["Name"], dist.version) for dist in metadata.distributions()]
    have = {normal(name): version for name, version in found if name and version}  # a broken installation has neither
    listed = webui / os.environ.get("REQS_FILE", "requirements_versions.txt")
    lines = listed.read_text(encoding="utf-8", errors="replace").splitlines() if listed.is_file() else []
    pinned = {normal(match[1]): match[2] for match in map(PIN.match, lines) if match}
    return [f"{name}=={version}" for name, version in sorted({**pinned, **have}.items())]


def normal(name: str) -> str:
    """A distribution's name as package indexes compare it.

    >>> normal("Scikit_Image")
    'scikit-image'
    """
    return re.sub(r"[-_.]+", "-", name).lower()


def first_line(error: Exception) -> str:
    """What an error says, without what a subprocess printed below."""
    return (str(error).splitlines() or ["no reason given"])[0].rstrip(".")


def say(sentence: str) -> None:
    """One line; the host shows what this process prints."""
    sys.stdout.write(f"LD-ZNet: {sentence}\n")


if __name__ == "__main__":
    main()
