"""The long run of `test_schemathesis.py`: every field at its ends, many requests, and the tiny model itself."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from ldznet_ext.hosts.desk import StandaloneDesk
from tests.unit.api.described import FEW, SMALL, check, described
from tests.unit.api.fake_desk import FakeDesk

thorough = described(FakeDesk(), thorough=True)
real = described(StandaloneDesk(), thorough=False)
pytestmark = pytest.mark.timeout(1200)


@thorough.parametrize()
@settings(FEW, max_examples=100, derandomize=False)
def test_many_requests_of_each_kind(case: Any) -> None:
    check(case)


@real.parametrize()
@settings(FEW, max_examples=25)
def test_the_model_itself_is_asked(case: Any, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LDZNET_MODELS", str(models))
    if isinstance(case.body, dict):
        case.body.update({name: small for name, small in SMALL.items() if case.body.get(name) not in (None, small)})
    check(case)
