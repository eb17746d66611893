"""Does the project resolve and compile on every Python it promises? One is run; the others are checked this way.

`python tools/check_pythons.py [--write] [PYTHON...]`: resolves pyproject.toml for each version
with uv (nothing is downloaded but metadata) and compiles the sources with each PYTHON named or found on the PATH.
`--write` renews constraints/known-good.txt from what was resolved.
"""

import argparse
import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from packaging.requirements import Requirement

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # comes with pytest on 3.10

ROOT = Path(__file__).resolve().parent.parent
VERSIONS = ("3.10", "3.11", "3.12", "3.13")
KNOWN_GOOD = ROOT / "constraints" / "known-good.txt"
NOT_PINNED = re.compile(r"torch==|triton|nvidia|cuda|pip==")
"""torch has its own rules (see ldznet_ext/torch_wheel.py) and brings its own GPU packages."""
HEADER = """\
# Versions known to work together with torch 2.13, resolved for Python 3.10-3.13. torch itself is not among them:
# whichever is there is kept. Renewed by `python tools/check_pythons.py --write`.
"""


def requirements() -> list[str]:
    """Every dependency of every extra, from pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    rows = [*project["dependencies"], *(row for rows in project["optional-dependencies"].values() for row in rows)]
    return [row for row in rows if Requirement(row).name != project["name"]]


def resolve(*options: str) -> list[str]:
    """The lines `name==version [; marker]` of a resolution of every requirement; SystemExit where there is none."""
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if uv is None:
        raise SystemExit("No uv was found; expected it on the PATH, so run `.venv/bin/python -m pip install uv` once.")
    command = [uv, "pip", "compile", "-", "--quiet", "--no-header", "--no-annotate", "--only-binary", ":all:", *options]
    done = subprocess.run(command, input="\n".join(requirements()), capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(options)} does not resolve:\n{done.stderr[-3000:]}")
    return done.stdout.splitlines()


def write_pins() -> None:
    """One line a package; where the versions differ between Pythons or systems, one line each with its marker."""
    lines = [row for row in resolve("--universal", "--python-version", VERSIONS[0]) if not NOT_PINNED.match(row)]
    KNOWN_GOOD.write_text(HEADER + "\n".join(lines) + "\n", encoding="utf-8")


def interpreters(named: list[str]) -> dict[str, str]:
    """Version -> a Python that runs here, of those named and those on the PATH."""
    found: dict[str, str] = {}
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    for python in [*named, *(path for v in VERSIONS if (path := shutil.which(f"python{v}")))]:
        done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            found.setdefault(done.stdout.strip(), python)
    return found


def compiles(version: str, python: str | None) -> str:
    """Compile every source with that Python and start what needs no packages; without it, parse for it."""
    sources = sorted(path for folder in ("ldznet_ext", "tests", "tools") for path in (ROOT / folder).rglob("*.py"))
    if python is None:
        for path in sources:
            ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, int(version.split(".")[1])))
        return f"{len(sources)} files parsed (no Python {version} here)"
    code = "import sys; [compile(open(p, encoding='utf-8').read(), p, 'exec') for p in sys.argv[1:]]"
    subprocess.run([python, "-W", "error::SyntaxWarning", "-c", code, *map(str, sources)], check=True)
    for start in (["-c", "import ldznet_ext, ldznet_ext.bootstrap"], ["-m", "ldznet_ext", "--help"]):
        subprocess.run([python, *start], check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    return f"{len(sources)} files compiled, --help started"


def main() -> int:
    """Check each version and print a line for it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="renew constraints/known-good.txt")
    parser.add_argument("pythons", nargs="*", metavar="PYTHON", help="further interpreters to compile with")
    args = parser.parse_args()
    if args.write:
        write_pins()
    here = interpreters(args.pythons)
    for version in VERSIONS:
        packages = resolve("--python-version", version, "-c", str(KNOWN_GOOD))
        print(f"{version}: {len(packages)} packages resolved, {compiles(version, here.get(version))}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
