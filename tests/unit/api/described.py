"""What schemathesis is told of the API: where it is, what to expect of it, and what it cannot make up, words and pictures."""

import json
from typing import Any

import numpy as np
import schemathesis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from ldznet_ext.api.server import application
from tests.unit.api.conftest import sent

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
UNSAID = "violates `format`"
"""No fault: the formats above are samples, and other words than those are right, too."""
TOKEN = "a-long-token"
SMALL: dict[str, Any] = {"steps": 1, "size": [64, 64]}
"""What keeps the model's own work short."""
LET_IN = {"Authorization": f"Bearer {TOKEN}"}


def described(desk: Any, *, thorough: bool) -> Any:
    """What the desk's application says of itself, and the application to ask. thorough: at every field's ends, too."""
    config = {"checks": CHECKS, "phases": {"coverage": {"enabled": thorough}}}
    app, chosen = application(desk, token=TOKEN), schemathesis.Config.from_dict(config)
    return schemathesis.openapi.from_asgi("/openapi.json", app, config=chosen, headers=LET_IN)


FEW = settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


def check(case: Any) -> None:
    """As OpenAPI says; and refusals are one sentence."""
    response = case.call(headers=LET_IN)
    try:
        case.validate_response(response, headers=LET_IN)
    except Exception as error:  # a group of failures
        if not all(UNSAID in str(one) for one in getattr(error, "exceptions", [error])):
            raise
    if response.status_code >= 400:
        said = json.loads(response.content)
        sentence = said["error"].split("\n    ")[0]  # a mistake in words is shown below it, with a caret
        assert list(said) == ["error"] and sentence.endswith((".", "!", "?")), said
