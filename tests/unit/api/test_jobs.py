"""Requests by name: how far they are, stopped, forgotten; nobody else's."""

import pytest

from ldznet_ext.api import jobs as jobs_module
from ldznet_ext.api.jobs import CANCELLED, DONE, FAILED, WORKING, Jobs, NameTakenError, NoJobError
from ldznet_ext.errors import BusyError, CancelledError, OptionError


def test_a_job_is_told_while_it_works_and_after() -> None:
    jobs = Jobs()
    with jobs.job("ann", "mine") as job:
        job.watch.tell(0.25, "painting, step 1 of 4")
        told = jobs.get("ann", "mine").to_mapping()
        assert told == {"job": "mine", "state": WORKING, "fraction": 0.25, "what": "painting, step 1 of 4"}
    assert jobs.get("ann", "mine").to_mapping()["state"] == DONE
    assert jobs.get("ann", "mine").to_mapping()["fraction"] == 1


def test_a_cancel_ends_it_and_is_told() -> None:
    jobs = Jobs()

    def work() -> None:
        with jobs.job("ann", "mine") as job:
            jobs.cancel("ann", "mine")
            job.watch.tell(0.5, "next")

    with pytest.raises(CancelledError):
        work()
    assert jobs.get("ann", "mine").state == CANCELLED
    jobs.cancel("ann", "mine")  # harmless
    with pytest.raises(ZeroDivisionError), jobs.job("ann", "mine"):
        raise ZeroDivisionError
    assert jobs.get("ann", "mine").state == FAILED


def test_names_belong_to_who_called() -> None:
    jobs = Jobs()
    with jobs.job("ann", "mine"), jobs.job("bob", "mine") as other:
        jobs.cancel("ann", "mine")
        assert not other.watch.cancelled
        with pytest.raises(NoJobError, match="There is no job 'mine'"):
            jobs.get("eve", "mine")
        with pytest.raises(NameTakenError, match="is under way; expected a name of its own"):
            jobs.job("ann", "mine").__enter__()


def test_without_a_name_it_is_given_one_nobody_guesses() -> None:
    jobs = Jobs()
    with jobs.job("ann") as one, jobs.job("ann") as other:
        assert one.name != other.name and len(one.name) >= 20


@pytest.mark.parametrize("name", ["", "a b", "a/b", "fox\n", "x" * 129, "füchse"])
def test_a_name_is_plain(name: str) -> None:
    with pytest.raises(OptionError, match="The request's name is"):
        Jobs().job("ann", name).__enter__()


def test_too_many_are_refused_and_what_is_over_makes_room() -> None:
    jobs = Jobs(most=2)
    with jobs.job("ann"):
        with jobs.job("ann"), pytest.raises(BusyError, match="There are 2 requests under way"):
            jobs.job("bob").__enter__()
        with jobs.job("bob"):
            pass


def test_what_is_over_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs, now = Jobs(), [0.0]
    monkeypatch.setattr(jobs_module.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(jobs_module, "MOST", 3)
    for number in range(5):
        with jobs.job("ann", f"{number}"):
            pass
    for number in range(5):
        if number < 2:
            with pytest.raises(NoJobError):
                jobs.get("ann", f"{number}")
        else:
            assert jobs.get("ann", f"{number}").state == DONE
    now[0] = jobs_module.KEPT + 1
    with pytest.raises(NoJobError):
        jobs.get("ann", "4")


def test_all_are_stopped_when_the_server_goes_down() -> None:
    jobs = Jobs()
    with jobs.job("ann") as one, jobs.job("bob") as other:
        jobs.cancel_all()
        assert one.watch.cancelled and other.watch.cancelled
    with jobs.job("ann") as later:
        assert not later.watch.cancelled
