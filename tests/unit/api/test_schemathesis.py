"""OpenAPI taken at its word: whatever it allows is answered as it says, whatever it forbids is refused in a sentence.

schemathesis makes the requests, right and wrong ones. Words and pictures it cannot make up: they are drawn from a few.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from ldznet_ext.api.server import application
from ldznet_ext.hosts.desk import StandaloneDesk
from tests.unit.api.conftest import sent
from tests.unit.api.fake_desk import FakeDesk

schemathesis = pytest.importorskip(
    "schemathesis", reason="schemathesis is not installed: it is asked for by `dev` alone"
)

MARKED = np.zeros((48, 64), np.uint8)
MARKED[8:24, 8:40] = 255
PICTURES = [sent(MARKED), "data:image/png;base64," + sent(MARKED), sent(np.roll(MARKED, 3, 1))]
"""All of one size, so that any of them may be a mask of any other."""
WORDS = ["fox", "fox & !owl", "red fox | snow", "(fox)*1.2 -3", "owl@0.4", '"a fox"', "x", "жар-птица"]
PROMPTS = ["a fox on snow", "x", "лиса", "🦊", "a " * 200]
NAMES = [f"name {number}" for number in range(300)]
schemathesis.openapi.format("byte", st.sampled_from(PICTURES))
schemathesis.openapi.format("words", st.sampled_from(WORDS))
schemathesis.openapi.format("prompt", st.sampled_from(PROMPTS))
schemathesis.openapi.format("name", st.sampled_from(NAMES))
REFUSED = [400, 401, 403, 404, 405, 409, 413, 415]
CHECKS = {
    "positive_data_acceptance": {"expected-statuses": [200, 400, 404, 409, 413]},
    "negative_data_rejection": {"expected-statuses": REFUSED},
}
TOKEN = "a-long-token"
SMALL: dict[str, Any] = {"steps": 1, "size": [64, 64]}
"""What keeps the model's own work short."""
LET_IN = {"Authorization": f"Bearer {TOKEN}"}


def described(desk: Any, *, thorough: bool) -> Any:
    """What the desk's application says of itself, and the application to ask. thorough: at every field's ends, too."""
    config = {"checks": CHECKS, "phases": {"coverage": {"enabled": thorough}}}
    app, chosen = application(desk, token=TOKEN), schemathesis.Config.from_dict(config)
    return schemathesis.openapi.from_asgi("/openapi.json", app, config=chosen, headers=LET_IN)


fake, thorough = described(FakeDesk(), thorough=False), described(FakeDesk(), thorough=True)
real = described(StandaloneDesk(), thorough=False)
FEW = settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
MANY = settings(FEW, max_examples=100, derandomize=False)


def check(case: Any) -> None:
    """As OpenAPI says; and refusals are one sentence."""
    response = case.call_and_validate(headers=LET_IN)
    if response.status_code >= 400:
        said = json.loads(response.content)
        assert list(said) == ["error"] and said["error"].endswith((".", "!", "?")), said


@fake.parametrize()
@FEW
def test_a_few_requests_of_each_kind(case: Any) -> None:
    check(case)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@thorough.parametrize()
@MANY
def test_many_requests_of_each_kind(case: Any) -> None:
    check(case)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@real.parametrize()
@settings(FEW, max_examples=25)
def test_the_model_itself_is_asked(case: Any, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LDZNET_MODELS", str(models))
    if isinstance(case.body, dict):
        case.body.update({name: small for name, small in SMALL.items() if case.body.get(name) not in (None, small)})
    check(case)
