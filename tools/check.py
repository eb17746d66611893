"""Everything a reviewer would check, in one command: format, lint, types, import directions, web UIs' pins, unit tests.

`python tools/check.py [NAME...]` runs all of them, or those named, and ends with a line for each; `make check` calls it.
"""

import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHON = sys.executable
CHECKS = {
    "format": [PYTHON, "-m", "ruff", "format", "--check", "--quiet", "."],
    "lint": [PYTHON, "-m", "ruff", "check", "--quiet", "."],
    "types": [PYTHON, "-m", "pyright", "--pythonpath", PYTHON],
    "imports": [PYTHON, "-c", "from importlinter.cli import lint_imports_command as run; run()", "--no-cache"],
    "pins": [PYTHON, "tools/check_pins.py"],
    "tests": [PYTHON, "-m", "pytest", "-q", "tests/unit"],
}


def main(names: list[str]) -> int:
    """Run the checks, each with its output where it fails; 0 where all passed, 2 for a name that does not exist."""
    if unknown := sorted({*names} - {*CHECKS}):
        print(f"There is no check called {', '.join(unknown)}; expected {', '.join(CHECKS)}.", file=sys.stderr)
        return 2
    verdicts = []
    for name in names or CHECKS:
        start = time.monotonic()
        done = subprocess.run(CHECKS[name], cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode or name in ("pins", "tests"):
            print(done.stdout + done.stderr)
        verdicts.append((name, done.returncode == 0, time.monotonic() - start))
    for name, passed, seconds in verdicts:
        print(f"{name:<8} {'passed' if passed else 'FAILED'}  {seconds:.0f} s")
    return int(not all(passed for _, passed, _ in verdicts))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
