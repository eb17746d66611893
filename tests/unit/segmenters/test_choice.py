"""Which head serves a model: never silently another folder's where the model's own is damaged or foreign."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from ldznet_ext.errors import HeadError
from ldznet_ext.hosts.standalone import StandaloneBackbone, load_backbone
from ldznet_ext.segmenters.choice import fitting_heads
from ldznet_ext.segmenters.methods import pick_segmenter
from ldznet_ext.weights import save_head
from tests.tiny import head_info, write_head


@pytest.fixture
def home(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the tiny model and no head; the folder after it has a good one."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "sticker-sd").symlink_to(models / "sticker-sd", target_is_directory=True)
    monkeypatch.setattr("ldznet_ext.weights.model_folders", lambda: (tmp_path / "home", models))
    return tmp_path / "home"


def _model() -> StandaloneBackbone:
    return load_backbone()


def test_a_folder_without_heads_leaves_the_choice_to_the_next(home: Path, models: Path) -> None:
    save_file({"model.diffusion_model.x": torch.zeros(2)}, home / "whole-model.safetensors")  # no head at all
    assert fitting_heads(_model())[0].path == models / "ldznet-sticker.safetensors"


def test_the_models_own_folder_comes_first(home: Path, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_head(home / "z.safetensors", "znet")
    model = _model()
    monkeypatch.setattr("ldznet_ext.weights.model_folders", lambda: (models, home))
    assert [head.path for head in fitting_heads(model)] == [home / "z.safetensors"]
    assert pick_segmenter("auto", model).name == "znet"
    assert pick_segmenter("ldznet", model).name == "ldznet"  # not there: another folder's


def test_a_foreign_head_beside_the_model_leaves_auto_to_a_method_without(home: Path) -> None:
    write_head(home / "h.safetensors", family="sd1")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ldznet_ext.weights.model_folders", lambda: (home,))
        assert pick_segmenter("auto", _model()).name == "attention"
        with pytest.raises(HeadError, match="for the family 'sd1'"):
            pick_segmenter("ldznet", _model())


@pytest.mark.parametrize("method", ["auto", "ldznet"])
@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("cut", "h.safetensors is cut short"),
        ("bare", "h.safetensors is not a head"),
        ("empty", "h.safetensors cannot be read"),
    ],
)
def test_a_head_beside_the_model_that_cannot_serve(home: Path, method: str, damage: str, said: str) -> None:
    path = write_head(home / "h.safetensors")
    if damage == "cut":
        os.truncate(path, path.stat().st_size - 100)
    elif damage == "bare":
        save_file({"x": torch.zeros(2)}, path)
    elif damage == "empty":
        path.write_bytes(b"")
    with pytest.raises(HeadError) as caught:
        pick_segmenter(method, _model())
    assert said in str(caught.value) and str(home) in str(caught.value)
    assert "family 'sticker'" in str(caught.value) and "\n" not in str(caught.value)


def test_a_damaged_file_beside_a_good_one_is_passed_over(home: Path) -> None:
    (home / "a.safetensors").write_text("no")
    write_head(home / "b.safetensors")
    write_head(home / "c.safetensors", family="sd1")
    assert [head.path.name for head in fitting_heads(_model())] == ["b.safetensors"]


def test_where_none_fits_all_that_was_found_is_listed(
    backbone: StandaloneBackbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ldznet_ext.weights.model_folders", lambda: (tmp_path,))
    with pytest.raises(HeadError, match=r"there is none at all.*so put it there"):
        pick_segmenter("ldznet", backbone)
    (tmp_path / "a.safetensors").write_text("no")
    write_head(tmp_path / "b.safetensors", "znet", family="sd1")
    with pytest.raises(HeadError, match=r"a.safetensors cannot be read.*b.safetensors is a head of kind 'znet' for"):
        pick_segmenter("rgbnet", backbone)
    assert pick_segmenter("auto", backbone).name == "attention"  # the folder is not the model's own


def test_a_head_of_a_kind_there_is_not(home: Path) -> None:
    save_head(home / "h.safetensors", {}, replace(head_info(), kind="magic"))
    with pytest.raises(HeadError, match="of the kind 'magic'; expected one of ldznet"):
        pick_segmenter("auto", _model())
