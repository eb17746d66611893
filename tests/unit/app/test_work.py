"""A work: a history that is gone back and forth in, merges a slider's moves, forgets its oldest, and knows its size."""

import numpy as np
import pytest

from ldznet_ext.app.work import MOST, Moment, Work, Works
from ldznet_ext.errors import OptionError
from tests.unit.app.conftest import segmentation


def made(label: str) -> Moment:
    return Moment(label=label, picture=np.zeros((2, 3, 3), np.uint8))


def labels(work: Work) -> list[str]:
    return [moment.label for moment in work.moments]


def test_what_follows_an_undo_replaces_what_was_undone() -> None:
    work = Work(moments=(made("a"),)).then(made("b")).then(made("c")).go(0).then(made("d"))

    assert labels(work) == ["a", "d"]
    assert work.now.label == "d"


def test_going_too_far_stays_at_the_end() -> None:
    work = Work(moments=(made("a"),)).then(made("b"))

    assert work.go(-3).now.label == "a"
    assert work.go(9).now.label == "b"


def test_merged_moments_are_one_step_but_never_the_first() -> None:
    work = Work(moments=(made("cut"),)).then(made("cut"), merge=True).then(made("cut"), merge=True)

    assert labels(work) == ["cut", "cut"]


def test_every_change_is_another_revision() -> None:
    work = Work(moments=(made("a"),))
    changed = [work, work.then(made("b")), work.then(made("b")).go(0)]

    assert [one.revision for one in changed] == [0, 1, 2]


def test_the_oldest_are_forgotten() -> None:
    work = Work(moments=(made("0"),))
    for number in range(1, MOST + 5):
        work = work.then(made(str(number)))

    assert len(work.moments) == MOST
    assert work.now.label == str(MOST + 4)


def test_arrays_that_moments_share_are_counted_once() -> None:
    result = segmentation("fox")
    moment = Moment(label="a", picture=np.zeros((6, 8, 3), np.uint8), result=result, scene=result)
    once = Work(moments=(moment,)).bytes

    assert once == 6 * 8 * 3 + sum(
        {id(a): a.nbytes for a in (result.prob, result.mask, result.phrases[0].prob)}.values()
    )
    assert Work(moments=(moment, moment)).bytes == once


def test_a_work_is_changed_under_its_handle_alone() -> None:
    works = Works()
    mine, yours = works.put(Work(moments=(made("mine"),))), works.put(Work(moments=(made("yours"),)))
    works.change(mine, lambda work: work.then(made("more")))

    assert labels(works.get(mine)) == ["mine", "more"]
    assert labels(works.get(yours)) == ["yours"]
    with pytest.raises(OptionError, match="no longer kept"):
        works.get("guessed")
