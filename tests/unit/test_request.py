"""The table of options: one row a field, one field a row; what is read of text, what is refused and how that is said."""

import json
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldznet_ext.errors import OptionError, PhraseError
from ldznet_ext.request import FLAG, NUMBER, OPTION, OPTIONS, WHOLE, MaskSettings

TYPES = {WHOLE: int, NUMBER: float, FLAG: bool}
SETTINGS = st.builds(
    MaskSettings,
    words=st.sampled_from(["", "fox", "a fox, red & !tail", "狐狸 +12"]),
    method=st.sampled_from(["auto", "ldznet"]),
    threshold=st.none() | st.floats(0.01, 0.99),
    cut=st.sampled_from(["fixed", "automatic", "hysteresis"]),
    low=st.none() | st.floats(0.01, 0.99),
    soft=st.booleans(),
    islands=st.integers(0, 100_000_000),
    keep=st.integers(0, 100),
    holes=st.booleans(),
    grow=st.integers(-256, 256),
    feather=st.floats(0, 256),
    invert=st.booleans(),
    alpha=st.booleans(),
    refine=st.booleans(),
    sam=st.booleans(),
    seed=st.integers(0, 2**63 - 1),
    timestep=st.none() | st.integers(0, 999),
)


def test_the_table_and_the_settings_agree():
    assert [(field.name, field.default) for field in fields(MaskSettings)] == [(o.name, o.default) for o in OPTIONS]
    for key in ("label", "infotext", "help"):
        said = [getattr(option, key) for option in OPTIONS]
        assert all(said) and len(set(said)) == len(OPTIONS)


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_a_default_is_what_its_kind_says(option):
    assert option.default is None or isinstance(option.default, TYPES.get(option.kind, str))
    numeric = option.kind in (NUMBER, WHOLE)
    assert all((end is not None) == numeric for end in (option.low, option.high, option.step))
    assert (option.unset is None) == (option.default is not None)


@pytest.mark.parametrize("option", [o for o in OPTIONS if o.low is not None], ids=lambda option: option.name)
def test_the_ends_of_a_range_are_taken_and_what_is_beyond_refused(option):
    for value in (option.low, option.high):
        assert getattr(replace(MaskSettings(), **{option.name: value}), option.name) == value
    far = 1 if option.kind == WHOLE else 1000
    for value in (option.low - far, option.high + far):
        with pytest.raises(OptionError, match=str(value)):
            MaskSettings(**{option.name: value})


def test_the_infotext_keys_are_read_by_a_web_ui():
    assert all(option.infotext.replace(" ", "").replace("-", "").isalnum() for option in OPTIONS)


@given(SETTINGS)
def test_settings_survive_json_and_text(settings):
    mapping = settings.to_mapping()
    assert MaskSettings.from_mapping(json.loads(json.dumps(mapping))) == settings
    assert MaskSettings.from_mapping({name: str(value) for name, value in mapping.items()}) == settings


@given(SETTINGS)
def test_settings_survive_the_widgets(settings):
    shown = {option.name: option.to_widget(getattr(settings, option.name)) for option in OPTIONS}
    assert MaskSettings(**{name: OPTION[name].from_widget(value) for name, value in shown.items()}) == settings


def test_only_what_differs_is_written():
    assert MaskSettings().to_mapping() == {}
    assert MaskSettings(grow=3, words="fox").to_mapping() == {"words": "fox", "grow": 3}
    assert MaskSettings(grow=0, threshold=None, refine=True).to_mapping() == {}


def test_numpys_numbers_become_pythons():
    taken = MaskSettings(grow=np.int64(3), feather=np.float32(0.5), threshold=np.float32(0.25), invert=np.bool_(True))
    assert json.dumps(taken.to_mapping()) == '{"threshold": 0.25, "grow": 3, "feather": 0.5, "invert": true}'


@pytest.mark.parametrize(
    ("mapping", "sentence"),
    [
        ({"colour": 1}, 'no setting "colour"; expected one of words, method, threshold, cut'),
        ({3: 1}, 'no setting "3"'),
        ({"grow": "much"}, "Grow is 'much'; expected a whole number such as 12"),
        ({"grow": 1.5}, "Grow is 1.5"),
        ({"grow": True}, "Grow is True"),
        ({"grow": float("nan")}, "Grow is nan"),
        ({"grow": 1e400}, "Grow is inf"),
        ({"grow": None}, "Grow is None"),
        ({"grow": 257}, "Grow is 257; expected a number from -256 to 256"),
        ({"feather": "nan"}, "Feather is nan; expected a number from 0 to 256,"),
        ({"feather": [1]}, r"Feather is \[1\]; expected a number such as 0.5"),
        ({"threshold": "1"}, "threshold is 1.0; expected a number between 0 and 1"),
        ({"low": 0}, "Lower threshold is 0.0; expected a number between 0 and 1, so choose one, for example 0.5"),
        ({"low": "nan"}, "Lower threshold is nan"),
        ({"cut": "otsu"}, 'Cut at is "otsu"; expected fixed or automatic or hysteresis, so choose one'),
        ({"cut": 3}, "Cut at is 3; expected a name"),
        ({"islands": -1}, r"Drop pieces below \(pixels\) is -1; expected a number from 0 to 100,000,000"),
        ({"keep": 101}, r"Keep largest \(0: all\) is 101"),
        ({"threshold": "nan"}, "threshold is nan"),
        ({"threshold": "0,4"}, "Threshold is '0,4'"),
        ({"timestep": 1000}, "timestep is 1000"),
        ({"seed": -1}, "seed is -1"),
        ({"invert": "yes"}, "Invert is 'yes'; expected true or false"),
        ({"invert": 1}, "Invert is 1"),
        ({"words": 3}, "Words is 3; expected text"),
        ({"method": None}, "Method is None; expected a name"),
        ("fox", "settings are of the type str"),
    ],
)
def test_what_is_refused_is_said_by_name(mapping, sentence):
    with pytest.raises(OptionError, match=sentence) as caught:
        MaskSettings.from_mapping(mapping)
    assert "\n" not in str(caught.value)


def test_words_may_be_missing_but_not_endless():
    assert MaskSettings(words=" ").words == " "
    with pytest.raises(PhraseError, match="characters"):
        MaskSettings(words="x" * 20_001)
