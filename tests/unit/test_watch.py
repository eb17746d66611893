import pytest

from ldznet_ext.errors import CancelledError
from ldznet_ext.watch import UNWATCHED, Watch


def test_the_listener_hears_what_is_told() -> None:
    heard: list[tuple[float, str]] = []
    watch = Watch(lambda done, what: heard.append((done, what)))
    watch.tell(0.25, "reading")
    watch.tell(1.5, "done")
    assert heard == [(0.25, "reading"), (1.0, "done")] and watch.progress == (1.0, "done")


def test_a_cancel_stops_at_the_next_step() -> None:
    watch, steps = Watch(), []

    def work() -> None:
        stepped = watch.steps("painting")
        for number in range(1, 21):
            steps.append(number)
            if number == 3:
                watch.cancel()
            stepped(number, 20)

    with pytest.raises(CancelledError, match="cancelled before"):
        work()
    assert steps == [1, 2, 3] and watch.progress.what == "painting, step 2 of 20"


def test_a_part_tells_the_whole_and_is_cancelled_with_it() -> None:
    watch = Watch()
    part = watch.part(0.5, 1.0)
    part.tell(0.5, "finding")
    assert watch.progress == (0.75, "finding") and part.progress.done == 0.5
    watch.cancel()
    with pytest.raises(CancelledError):
        part.check()


def test_a_part_cancelled_stops_the_whole() -> None:
    watch = Watch()
    watch.part(0, 0.5).part(0, 0.5).cancel()
    assert watch.cancelled


def test_what_nobody_watches_cannot_be_cancelled() -> None:
    UNWATCHED.cancel()
    UNWATCHED.tell(0.5, "finding")
    UNWATCHED.steps("painting")(1, 2)
    UNWATCHED.part(0, 1).check()
    assert not UNWATCHED.cancelled and UNWATCHED.progress == (0.0, "")
