"""A job's settings: one table, the two ways they come as arguments, and errors that name the field."""

from dataclasses import fields
from typing import Any

import pytest

from ldznet_ext.errors import OptionError
from ldznet_ext.job import GENERATION_OPTIONS, JOB_OPTIONS, Job
from ldznet_ext.request import OPTION, OPTIONS, MaskSettings

FULL = {
    "enabled": True,
    "words": "fox & !tail",
    "method": "attention",
    "threshold": 0.4,
    "cut": "hysteresis",
    "low": 0.15,
    "soft": True,
    "islands": 64,
    "keep": 2,
    "holes": True,
    "grow": -3,
    "feather": 1.5,
    "invert": True,
    "alpha": True,
    "refine": False,
    "sam": True,
    "seed": 7,
    "timestep": 300,
    "average": 4,
    "parity": True,
    "source": "nouns",
    "inpaint": True,
    "inpaint_prompt": "an owl",
    "inpaint_negative": "blurry",
    "denoise": 0.75,
    "only_masked": False,
    "padding": 8,
    "mask_blur": 0,
    "not_found": "skip",
    "save": True,
    "overlay": False,
    "batch": True,
}


def test_every_row_is_a_field_with_the_same_default() -> None:
    names = [option.name for option in JOB_OPTIONS]
    assert names == ["enabled", *(option.name for option in OPTIONS), *(option.name for option in GENERATION_OPTIONS)]
    assert len(set(names)) == len(names) == len(FULL) and list(FULL) == names
    assert {field.name for field in fields(Job)} == {"enabled", "mask", *(row.name for row in GENERATION_OPTIONS)}
    assert all(getattr(Job(), row.name) == row.default for row in GENERATION_OPTIONS)
    assert Job().to_mapping() == {} and Job().enabled is False
    assert len({row.infotext for row in JOB_OPTIONS}) == len(JOB_OPTIONS)


def test_dict_and_positions_say_the_same() -> None:
    job = Job.from_args([FULL])
    assert job.to_mapping() == FULL and job.mask == MaskSettings.from_mapping({n: FULL[n] for n in OPTION})
    assert Job.from_args(job.to_args()) == job
    assert Job.from_args(Job().to_args()) == Job()


def test_a_dict_is_on_and_what_the_host_adds_after_it_is_passed_over() -> None:
    defaults = Job().to_args()
    assert Job.from_args([{"words": "owl"}, *defaults[1:]]) == Job(enabled=True, mask=MaskSettings(words="owl"))
    assert Job.from_args([{"words": "owl", "enabled": False}]).enabled is False
    assert Job.from_args([]) == Job() and Job.from_args([True]) == Job(enabled=True)


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ([{"word": "owl"}], 'no setting "word"'),
        ([{"denoise": 1.5}], "denoising strength is 1.5"),
        ([{"padding": "wide"}], "padding is 'wide'"),
        ([{"not_found": "stop"}], "keep or skip"),
        ([{"source": 3}], "Masks of is 3"),
        ([{"grow": 999}], "Grow is 999"),
        ([True, 5], "Words is 5"),
        (["yes"], "LD-ZNet masks is 'yes'"),
        ([True] * (len(JOB_OPTIONS) + 1), "arguments"),
    ],
)
def test_wrong_ones_name_the_field(args: list[Any], says: str) -> None:
    with pytest.raises(OptionError) as raised:
        Job.from_args(args)
    assert says in str(raised.value)


def test_choices_hold_their_default() -> None:
    choices = {row.name: row.choices for row in JOB_OPTIONS if row.choices}
    assert choices.keys() == {"cut", "source", "not_found"}, "those of a method are known at run time only"
    assert all(row.default in row.choices for row in JOB_OPTIONS if row.choices)
