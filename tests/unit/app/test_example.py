"""What a page begins with: the picture at once, its parts and mask as soon as the model has answered."""

import time
from typing import Any

import pytest

from ldznet_ext.app import example
from tests.unit.app.conftest import FakeDesk, Refused


def test_the_example_comes_with_parts_and_the_mask_of_one(desk: FakeDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(example, "plain", lambda: example.Moment(label="a", picture=_picture(), prompt="fox snow"))
    monkeypatch.setattr(example, "PROMPT", "fox snow")
    begun = example.Example(desk)  # type: ignore[arg-type]
    begun.make()
    now = begun.work().now

    assert now.settings.words == example.WORDS == "fox"
    assert now.result.phrases[0].text == "fox" and len(now.scene.phrases) == 2


def test_until_then_and_where_it_fails_there_is_the_picture(desk: FakeDesk) -> None:
    begun = example.Example(desk)  # type: ignore[arg-type]
    assert begun.work().now.result is None

    desk.refuse = Refused("There is no model; expected one, so load it.")
    begun.make()
    start = time.monotonic()
    assert begun.work(patience=9).now.result is None
    assert time.monotonic() - start < 1


def test_the_picture_that_is_shipped_names_its_parts() -> None:
    from ldznet_ext.prompt.nouns import things

    assert example.WORDS in things(example.PROMPT)
    assert min(example.plain().size) >= 480


def _picture() -> Any:
    import numpy as np

    return np.zeros((6, 8, 3), np.uint8)
