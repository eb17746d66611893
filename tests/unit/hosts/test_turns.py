"""One at a time, in order; waiting is cancelled, told and bounded."""

import threading
import time

import pytest

from ldznet_ext.errors import BusyError, CancelledError
from ldznet_ext.hosts.turns import Turns
from ldznet_ext.watch import Watch


def waiting(turns: Turns, count: int) -> None:
    """Until so many are in the queue."""
    end = time.monotonic() + 10
    while len(turns) != count:
        assert time.monotonic() < end, f"{len(turns)} in the queue, not {count}"
        time.sleep(0.002)


def test_who_comes_first_goes_first() -> None:
    turns, order, at_work = Turns(), [], []

    def work(number: int) -> None:
        with turns.turn():
            at_work.append(number)
            assert len(at_work) == 1
            order.append(number)
            time.sleep(0.01)
            at_work.remove(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    with turns.turn():
        for number, thread in enumerate(threads):
            thread.start()
            waiting(turns, number + 2)
    for thread in threads:
        thread.join(10)
    assert order == [*range(6)] and len(turns) == 0


def test_a_wait_is_told_and_cancelled() -> None:
    turns, watch, ended = Turns(), Watch(), []

    def work() -> None:
        try:
            with turns.turn(watch):
                ended.append("worked")
        except CancelledError:
            ended.append("cancelled")

    with turns.turn():
        thread = threading.Thread(target=work)
        thread.start()
        waiting(turns, 2)
        while not watch.progress.what:
            time.sleep(0.002)
        assert watch.progress.what == "waiting for 1 other"
        watch.cancel()
        thread.join(10)
        assert ended == ["cancelled"] and len(turns) == 1


def test_too_many_are_refused_in_a_sentence() -> None:
    turns = Turns(most=1)
    thread = threading.Thread(target=lambda: turns.turn().__enter__(), daemon=True)
    with turns.turn():
        thread.start()
        waiting(turns, 2)
        with pytest.raises(BusyError, match="There are 1 others waiting for the model; expected at most 1, so "):
            turns.turn().__enter__()


def test_a_failure_gives_the_turn_back() -> None:
    turns = Turns()
    with pytest.raises(ZeroDivisionError), turns.turn():
        raise ZeroDivisionError
    with turns.turn():
        assert len(turns) == 1
