"""Settings to a picture's parameters and back, through the web UIs' own rules of writing and reading."""

import contextlib
import json
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ldznet_ext import __version__
from ldznet_ext.errors import LdznetError
from ldznet_ext.geometry import Size
from ldznet_ext.job import JOB_OPTIONS, Job
from ldznet_ext.result import Segmentation
from ldznet_ext.ui.infotext import LOCAL, escape, from_infotext, paste_fields, to_infotext, unescape
from ldznet_ext.weights import fingerprint

PARAMETER = re.compile(r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')
"""How A1111, Forge and reForge find names and values; with `written` and `pasted` below, their rules as facts."""
MEAN = (
    "",
    " fox ",
    '"fox"',
    '"red fox" | owl',
    "fox, owl: both",
    "a\nb",
    "a\rb",
    "3x4",
    "3x4\n",
    "json: fox",
    "LD-ZNet words",
    "hair +12 & !t-shirt",
    "C:\\fox\\",
    '\\"',
    "лиса 狐 🦊",
    "fox\u2028owl",
    'Steps: 20, Seed: "1',
    "a" * 500,
)


def written(parameters: dict[str, Any]) -> str:
    """An infotext with these among the host's own parameters."""
    every = {"Steps": 20, "Size": "512x768", **parameters, "Version": "v1.10.1"}
    line = ", ".join(key if key == value else f"{key}: {quoted(value)}" for key, value in every.items())
    return f"a fox on snow\nNegative prompt: owl\n{line}"


def quoted(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if {",", "\n", ":"} & set(str(value)) else value


def pasted(text: str) -> dict[str, Any]:
    """What a host makes of it."""
    found: dict[str, Any] = {}
    for key, value in PARAMETER.findall(text.strip().split("\n")[-1]):
        if not value:
            continue  # the host prints an error here
        if value[0] == value[-1] == '"':
            with contextlib.suppress(ValueError):
                value = json.loads(value)
        if size := re.match(r"^(\d+)x(\d+)$", value):
            found[f"{key}-1"], found[f"{key}-2"] = size.groups()
        else:
            found[key] = value
    return found


def back(job: Job) -> dict[str, Any]:
    return from_infotext(pasted(written(to_infotext(job))))


def expected(job: Job) -> dict[str, Any]:
    given = {**{option.name: option.default for option in JOB_OPTIONS}, **job.to_mapping()}
    return {name: value for name, value in given.items() if name not in LOCAL}


def segmentation(**provenance: Any) -> Segmentation:
    empty = np.zeros((3, 5), np.float32)
    return Segmentation(
        size=Size(3, 5),
        method="ldznet",
        model="sticker: small, red",
        familiar=None,
        phrases=(),
        prob=empty,
        mask=empty > 0,
        seconds={},
        unet_calls=0,
        provenance=provenance,
    )


@pytest.mark.parametrize("words", MEAN)
def test_words_that_a_host_would_garble_come_back(words: str) -> None:
    job = Job.from_mapping({"enabled": True, "words": words, "inpaint": True, "inpaint_prompt": words})
    assert back(job) == expected(job)


@given(st.text(max_size=60))
@example("\ud800")
def test_any_text_comes_back(text: str) -> None:
    line = written({"LD-ZNet words": escape(text, "LD-ZNet words")})
    assert unescape(pasted(line)["LD-ZNet words"]) == text
    line.encode("utf-8")  # else the picture could not be saved


@given(st.text(alphabet="fox ,:\"\\\n&|!()@*+1x'", max_size=30))
def test_signs_of_the_language_and_of_the_host_come_back(text: str) -> None:
    line = written({"LD-ZNet words": escape(text, "LD-ZNet words")})
    assert unescape(pasted(line)["LD-ZNet words"]) == text


ANOTHER = {
    "enabled": True,
    "words": "fox, owl: the red one",
    "method": "attention",
    "threshold": 0.37,
    "cut": "hysteresis",
    "low": 0.15,
    "soft": True,
    "islands": 64,
    "keep": 2,
    "holes": True,
    "grow": -12,
    "feather": 2.5,
    "invert": True,
    "alpha": True,
    "refine": False,
    "sam": True,
    "seed": 2**62 + 1,
    "timestep": 350,
    "average": 4,
    "parity": True,
    "source": "nouns",
    "inpaint": True,
    "inpaint_prompt": "an owl,\nwings: open",
    "inpaint_negative": "512x512",
    "denoise": 0.75,
    "only_masked": False,
    "padding": 16,
    "mask_blur": 9,
    "not_found": "skip",
    "save": True,
    "overlay": False,
    "batch": True,
}
"""A value other than the default for each setting."""


def test_every_setting_comes_back() -> None:
    assert set(ANOTHER) == {option.name for option in JOB_OPTIONS}
    assert all(ANOTHER[option.name] != option.default for option in JOB_OPTIONS)
    job = Job.from_mapping(ANOTHER)
    assert back(job) == {name: value for name, value in ANOTHER.items() if name not in LOCAL}


def test_defaults_are_not_written_and_a_picture_without_masks_says_nothing() -> None:
    assert to_infotext(Job()) == {}
    assert to_infotext(Job.from_mapping({"enabled": True, "words": "fox"})) == {
        "LD-ZNet masks": "True",
        "LD-ZNet words": "fox",
        "LD-ZNet version": __version__,
    }
    assert from_infotext(pasted(written({}))) == {}


def test_names_are_what_a_host_takes_for_a_name_and_each_is_used_once() -> None:
    names = [option.infotext for option in JOB_OPTIONS]
    assert len({*names}) == len(names)
    assert all(re.fullmatch(r"\w[\w \-/]+", name) and name.startswith("LD-ZNet ") for name in names)


def test_what_the_mask_was_made_with_is_said(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    head = tmp_path / "head.safetensors"
    head.write_bytes(b"fox")
    monkeypatch.setenv("LDZNET_MODELS", str(tmp_path))
    job = Job.from_mapping({"enabled": True, "words": "fox"})
    said = pasted(written(to_infotext(job, segmentation(head="head.safetensors"))))
    assert said["LD-ZNet method"] == "ldznet"
    assert said["LD-ZNet model"] == "sticker: small, red"
    assert (said["LD-ZNet head"], said["LD-ZNet head fingerprint"]) == ("head.safetensors", fingerprint(head))
    assert from_infotext(said)["method"] == "ldznet"
    assert "LD-ZNet head" not in to_infotext(job, segmentation())


@pytest.mark.parametrize("key, value", [("threshold", "7"), ("grow", "many"), ("words", "json: ["), ("refine", "yes")])
def test_what_someone_damaged_counts_as_not_said(key: str, value: str) -> None:
    said = {**to_infotext(Job.from_mapping(ANOTHER)), f"LD-ZNet {key}": value}
    default = next(option.default for option in JOB_OPTIONS if option.name == key)
    assert from_infotext(said) == {**from_infotext(to_infotext(Job.from_mapping(ANOTHER))), key: default}


def test_components_get_what_their_widgets_hold() -> None:
    components = [f"component {option.name}" for option in JOB_OPTIONS]
    fields = dict(paste_fields(components))
    assert set(components) - set(fields) == {"component save", "component overlay"}
    job = Job.from_mapping({"enabled": True, "words": "fox", "grow": 4})
    said = pasted(written(to_infotext(job)))
    values = dict(zip(components, job.to_args(), strict=True))
    assert {name: paste(said) for name, paste in fields.items()} == {name: values[name] for name in fields}
    without = {name: paste(pasted(written({}))) for name, paste in fields.items()}
    assert without.pop("component enabled") is False
    assert {*without.values()} == {None}


def test_the_oracle_shows_what_a_naive_way_would_lose() -> None:
    lost = [words for words in MEAN if pasted(written({"LD-ZNet words": words})).get("LD-ZNet words") != words]
    assert {"", " fox ", '"fox"', "3x4", "LD-ZNet words"} <= {*lost}
    with pytest.raises(LdznetError):
        Job.from_mapping({"words": "\ud800"})
