"""What a page begins with: the picture at once, its parts and mask as soon as the model has answered."""

from dataclasses import replace
from typing import Any

import pytest

from ldznet_ext.app import actions, asking, example
from ldznet_ext.app.room import Room
from ldznet_ext.app.work import Work
from ldznet_ext.watch import UNWATCHED
from tests.unit.app.conftest import FakeDesk, Refused, moment, segmentation


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
    assert begun.wait(UNWATCHED).now.result is None


def test_a_page_that_was_opened_early_is_given_it_unless_somebody_went_on(room: Room, page: str) -> None:
    begun = example.Example(room.desk)
    begun.ready.set()
    begun._work = Work(moments=(replace(moment(room, page), result=segmentation("fox")),))
    assert asking.begin(room, page, begun)["answered"]

    actions.stroke(room, page, [(1, 1)], 1.0, erase=False, snap=False)
    assert asking.begin(room, page, begun)["history"] == ["Example", "Drawn"]


def test_the_picture_that_is_shipped_names_its_parts() -> None:
    from ldznet_ext.prompt.nouns import things

    assert example.WORDS in things(example.PROMPT)
    assert min(example.plain().size) >= 480


def _picture() -> Any:
    import numpy as np

    return np.zeros((6, 8, 3), np.uint8)
