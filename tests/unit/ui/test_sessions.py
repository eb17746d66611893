"""Answers that are kept: by unguessable handles, bounded in bytes."""

import numpy as np
import pytest

from ldznet_ext.errors import OptionError
from ldznet_ext.request import MaskSettings
from ldznet_ext.ui.sessions import Session, Sessions
from tests.unit.ui.conftest import segmentation


def session(*texts: str) -> Session:
    return Session(picture=np.zeros((3, 5, 3), np.uint8), result=segmentation(*texts), settings=MaskSettings())


def test_handles_are_long_and_differ() -> None:
    sessions = Sessions()
    handles = {sessions.put(session("fox")) for _ in range(20)}
    assert len(handles) == 20
    assert all(len(handle) >= 20 for handle in handles)


def test_the_least_recently_used_are_forgotten() -> None:
    one = session("fox")
    sessions = Sessions(limit=2 * one.bytes)
    first, second = sessions.put(one), sessions.put(session("fox"))
    sessions.get(first)
    sessions.put(session("fox"))

    assert len(sessions) == 2
    assert sessions.get(first) is one
    with pytest.raises(OptionError, match="no longer kept"):
        sessions.get(second)


def test_the_newest_is_kept_however_large() -> None:
    sessions = Sessions(limit=1)
    assert sessions.get(sessions.put(session("fox"))).picture.shape == (3, 5, 3)


def test_every_map_counts_once() -> None:
    assert session("fox", "owl").bytes > session("fox").bytes


def test_a_handle_that_never_was_is_refused() -> None:
    with pytest.raises(OptionError, match="ask for the mask again"):
        Sessions().get("guess")


def test_where_nothing_was_asked_it_is_not_called_forgotten() -> None:
    with pytest.raises(OptionError, match="no mask of words yet"):
        Sessions().get("")
