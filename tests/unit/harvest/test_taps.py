import pytest

from ldznet_ext.errors import OptionError
from ldznet_ext.harvest.taps import FAMILY_TAPS, PARTS, last_tap, parse_tap, sort_taps, tap_stride


def test_families() -> None:
    assert " ".join(FAMILY_TAPS["sd1"]) == (
        "in.1 in.2 in.4 in.5 in.7 in.8 mid out.3 out.4 out.5 out.6 out.7 out.8 out.9 out.10 out.11"
    )
    assert len(FAMILY_TAPS["sdxl"]) == 11


@pytest.mark.parametrize("place", ["in.4", "mid", "out.11"])
@pytest.mark.parametrize("part", PARTS)
def test_every_name_reads_back(place: str, part: str) -> None:
    name = f"{place}.{part}" if part else place
    assert str(parse_tap(name)) == name
    assert parse_tap(name).place == place


@pytest.mark.parametrize("name", ["", "in", "mid.3", "in.4.", "out.x", "out.5.attn3.q", "out.5.attn2", "up.1", "in.-1"])
def test_a_wrong_name_is_one_sentence_with_the_choices(name: str) -> None:
    with pytest.raises(OptionError, match=r"expected in\.N, mid or out\.N") as error:
        parse_tap(name)
    assert "\n" not in str(error.value)


def test_order_is_that_of_a_pass() -> None:
    shuffled = ["out.11", "out.3", "mid.attn1.k", "mid", "in.10.res.in", "in.2", "mid.res.in", "out.3.attn2.q"]
    assert sort_taps(shuffled) == (
        "in.2",
        "in.10.res.in",
        "mid.res.in",
        "mid.attn1.k",
        "mid",
        "out.3.attn2.q",
        "out.3",
        "out.11",
    )
    assert last_tap(["out.5", "in.8", "mid"]) == "out.5"


def test_strides() -> None:
    strides = {"in.1": 1, "in.5": 2, "in.8": 4, "in.11": 8, "mid": 8, "out.2": 8, "out.3": 4, "out.8": 2, "out.11": 1}
    assert {tap: tap_stride(tap) for tap in strides} == strides
    assert [tap_stride(tap, levels=3) for tap in ("in.8", "mid", "out.2", "out.5")] == [4, 4, 4, 2]
