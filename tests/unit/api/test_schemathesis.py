"""OpenAPI taken at its word: whatever it allows is answered as it says, whatever it forbids is refused in a sentence.

schemathesis makes the requests, right and wrong ones.
"""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("schemathesis", reason="schemathesis is not installed: `dev` asks for it")
pytest.importorskip("fastapi", reason="fastapi is not installed: the app and the web UIs bring it")

from tests.unit.api.described import FEW, check, described
from tests.unit.api.fake_desk import FakeDesk

THOROUGH = Path(__file__).with_name("thorough_schemathesis.py")
fake = described(FakeDesk(), thorough=False)


@fake.parametrize()
@FEW
def test_a_few_requests_of_each_kind(case: Any) -> None:
    check(case)


@pytest.mark.slow
@pytest.mark.timeout(2400)
@pytest.mark.parametrize("which", ["many", "model"])
def test_every_field_at_its_ends_many_requests_and_the_model_itself(which: str) -> None:
    """In a process of its own: schemathesis makes such requests when tests are collected, which takes half a minute."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", str(THOROUGH), "-k", which]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=THOROUGH.parents[3])
    assert done.returncode == 0, done.stdout[-6000:]
