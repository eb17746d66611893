"""Names, duplicates, and what "auto" picks."""

from pathlib import Path
from typing import ClassVar

import pytest

from ldznet_ext.errors import HeadError, MethodError
from ldznet_ext.hosts.standalone import StandaloneBackbone
from ldznet_ext.segmenters.base import SEGMENTERS, Clock, register
from ldznet_ext.segmenters.methods import methods, pick_segmenter
from tests.tiny import write_head


def test_methods_best_first() -> None:
    assert methods()[:2] == ("auto", "ldznet")
    assert {"znet", "rgbnet", "concat"} < set(methods())


def test_an_unknown_method_lists_the_choices(backbone: StandaloneBackbone) -> None:
    with pytest.raises(MethodError, match=r"The method is 'magic'; expected one of auto, ldznet, concat, znet, rgbnet"):
        pick_segmenter("magic", backbone)


@pytest.mark.parametrize("name", ["ldznet", "auto"])
def test_a_second_method_of_a_name_is_refused(name: str) -> None:
    methods()
    before = dict(SEGMENTERS)

    class Other:
        rank: ClassVar[int] = 0

    with pytest.raises(MethodError, match="second method"):
        register(name)(Other)
    assert before == SEGMENTERS


def test_auto_takes_the_best_head_there_is(
    backbone: StandaloneBackbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert pick_segmenter("auto", backbone).name == "ldznet"
    monkeypatch.setattr("ldznet_ext.weights.model_folders", lambda: (tmp_path,))
    write_head(tmp_path / "r.safetensors", "rgbnet")
    assert pick_segmenter("auto", backbone).name == "rgbnet"
    write_head(tmp_path / "z.safetensors", "znet")
    assert pick_segmenter("auto", backbone).name == "znet"


def test_auto_follows_a_named_head(backbone: StandaloneBackbone, tmp_path: Path) -> None:
    path = write_head(tmp_path / "z.safetensors", "znet")
    assert pick_segmenter("auto", backbone, path).name == "znet"
    with pytest.raises(HeadError, match="head of kind 'znet'; expected 'ldznet'"):
        pick_segmenter("ldznet", backbone, path)


def test_without_any_head_auto_is_attention_and_a_heads_method_a_sentence(
    backbone: StandaloneBackbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ldznet_ext.weights.model_folders", lambda: ())
    assert pick_segmenter("auto", backbone).name == "attention"
    with pytest.raises(
        HeadError, match=r"No 'znet' head for the model 'sticker-sd' was found.*\(there is none at all\)"
    ):
        pick_segmenter("znet", backbone)


def test_a_replaced_head_file_is_read_again(backbone: StandaloneBackbone, tmp_path: Path) -> None:
    path = write_head(tmp_path / "h.safetensors", found_threshold=0.25)
    first = pick_segmenter("ldznet", backbone, path)
    assert pick_segmenter("ldznet", backbone, path).head is first.head
    write_head(path, found_threshold=0.75, recipe="longer, so that the size differs too")
    assert pick_segmenter("ldznet", backbone, path).info.found_threshold == 0.75


def test_the_clock_adds_up_and_names_every_stage() -> None:
    clock = Clock()
    for _ in range(2):
        with clock("unet"):
            pass
    seconds = clock.seconds()
    assert list(seconds) == ["encode", "text", "unet", "head", "post", "total"]
    assert 0 < seconds["unet"] <= seconds["total"] and seconds["head"] == 0


def test_a_stage_that_fails_is_timed_too() -> None:
    clock = Clock()
    with pytest.raises(RuntimeError), clock("head"):
        raise RuntimeError
    assert clock.seconds()["head"] > 0
