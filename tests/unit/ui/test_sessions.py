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


def test_maps_and_undo_steps_count() -> None:
    more = session("fox", "owl")
    assert more.bytes > session("fox").bytes
    sessions = Sessions()
    handle = sessions.put(more)
    changed = sessions.change(handle, past=(np.zeros((3, 5), np.uint8),))
    assert changed.bytes == more.bytes + 15


@pytest.mark.parametrize("handle", ["", "guess"])
def test_a_handle_that_never_was_is_refused(handle: str) -> None:
    with pytest.raises(OptionError, match="ask for the mask again"):
        Sessions().get(handle)
