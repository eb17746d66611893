"""The authors' checkpoint, made here at tiny width in their layout, into a head of ours; and heads listed and converted."""

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from ldznet_ext.convert.official import looks_official, read_official, stored_name
from ldznet_ext.convertible import convert, convertible
from ldznet_ext.errors import HeadError
from ldznet_ext.nets.heads import build_head
from ldznet_ext.weights import find_heads, load_head
from tests.tiny import randomise

Files = dict[str, Tensor]


class Callback:
    """A training framework's object, as lies in such a file."""


@pytest.fixture(scope="module")
def weights() -> Files:
    """A head of the authors' shape, 32 channels wide."""
    return dict(randomise(build_head("ldznet", "golden", position="parity"), seed=3).state_dict())


def in_their_layout(weights: Files, *, averaged: bool = True, raw: bool = True) -> dict[str, Any]:
    """The dictionary their training saves: raw weights spoilt, so that a test can tell which were taken."""
    state: dict[str, Any] = {"betas": torch.ones(10), "first_stage_model.encoder.conv_in.weight": torch.ones(3, 3)}
    state["sd_features_stage_model.model.model.diffusion_model.out.2.bias"] = torch.ones(4)
    if raw:
        state |= {stored_name(name, averaged=False): tensor + averaged for name, tensor in weights.items()}
    if averaged:
        state |= {stored_name(name, averaged=True): tensor for name, tensor in weights.items()}
        state |= {"model_ema.decay": torch.tensor(0.9999), "model_ema.num_updates": torch.tensor(9, dtype=torch.int32)}
    return {"state_dict": state, "global_step": 146000, "callbacks": {Callback: Callback()}, "optimizer_states": [{}]}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LDZNET_MODELS", str(tmp_path))
    return tmp_path


def test_names_are_those_of_the_authors() -> None:
    name = "input_blocks.8.1.attentionpool2D.positional_embedding"
    assert stored_name(name, averaged=True) == (
        "model_ema.diffusion_modelinput_blocks81attentionpool2Dpositional_embedding"
    )
    assert stored_name(name, averaged=False) == "model.diffusion_model." + name


def test_a_dropped_checkpoint_is_listed_converted_and_computes_the_same(folder: Path, weights: Files) -> None:
    torch.save(in_their_layout(weights), folder / "LDZNet_txt2mask.ckpt")
    torch.save({"state_dict": {"model.diffusion_model.out.2.bias": torch.ones(4)}}, folder / "v1-5.ckpt")
    (folder / "notes.pth").write_text("fox")
    assert convertible() == ("LDZNet_txt2mask.ckpt",)
    said = convert("LDZNet_txt2mask.ckpt")
    assert said.startswith("Wrote LDZNet_txt2mask.safetensors (")
    assert "raw weights" not in said
    assert convertible() == ()
    head, info, familiarity = load_head(folder / "LDZNet_txt2mask.safetensors", family="sd1")
    assert (info.kind, info.preset, info.calibration, familiarity) == ("ldznet", "sd1", None, None)
    assert info.overrides == {"position": "parity", "model_channels": 32, "context_dim": 64}
    assert (info.native_grid, info.timestep) == ((12, 6), 400)
    assert find_heads("sd1", "ldznet")[0][0].name == "LDZNet_txt2mask.safetensors"
    for name, tensor in head.state_dict().items():
        torch.testing.assert_close(tensor, weights[name].half().float(), rtol=0, atol=0)


def test_each_state_of_a_file_is_looked_into_once(
    folder: Path, weights: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder / "LDZNet_txt2mask.ckpt"
    path.write_text("not yet")
    assert convertible() == convertible() == ()
    torch.save(in_their_layout(weights), path)
    assert convertible() == ("LDZNet_txt2mask.ckpt",)
    monkeypatch.setattr("ldznet_ext.convert.official.looks_official", None)
    assert convertible() == ("LDZNet_txt2mask.ckpt",)


def test_raw_weights_serve_where_there_is_no_average_and_it_is_said(folder: Path, weights: Files) -> None:
    torch.save(in_their_layout(weights, averaged=False), folder / "stripped.pth")
    assert "raw weights only" in convert("stripped.pth")
    assert find_heads("sd1")[0][1].recipe == "converted from stripped.pth, raw weights"


def test_a_pickle_that_calls_something_is_converted_and_nothing_is_called(folder: Path, weights: Files) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(folder / "sprung"),)

    torch.save({**in_their_layout(weights, raw=False), "evil": Evil()}, folder / "evil.ckpt")
    assert convertible() == ("evil.ckpt",)
    convert("evil.ckpt")
    assert not (folder / "sprung").exists()


def test_a_file_that_is_none_is_refused_and_nothing_is_written(folder: Path, weights: Files) -> None:
    some = in_their_layout(weights, raw=False)
    missing = stored_name("out.2.bias", averaged=True)
    files = {
        "short": {name: tensor for name, tensor in some["state_dict"].items() if name != missing},
        "wide": {**some["state_dict"], missing: torch.ones(4)},
        "other": {"model.diffusion_model.out.2.bias": torch.ones(4)},
    }
    for name, state in files.items():
        torch.save({"state_dict": state}, folder / f"{name}.ckpt")
    with pytest.raises(HeadError, match=f"short.ckpt lacks {missing}"):
        convert("short.ckpt")
    with pytest.raises(HeadError, match=r"out.2.bias of shape \[4\]; expected \[1\]"):
        convert("wide.ckpt")
    with pytest.raises(HeadError, match="has no LD-ZNet in it"):
        convert("other.ckpt")
    with pytest.raises(HeadError, match=r"There is no '\.\./x\.ckpt'"):
        convert("../x.ckpt")
    assert not list(folder.glob("*.safetensors*"))


def test_looking_runs_nothing_and_survives_anything(tmp_path: Path) -> None:
    (tmp_path / "a.ckpt").write_bytes(b"PK\x03\x04 attentionpool2D")
    assert not looks_official(tmp_path / "a.ckpt")
    assert not looks_official(tmp_path / "missing.ckpt")
    assert not looks_official(tmp_path)


def test_absurd_widths_set_nothing_aside(tmp_path: Path, weights: Files) -> None:
    state = in_their_layout(weights, raw=False)["state_dict"]
    state[stored_name("input_blocks.0.0.weight", averaged=True)] = torch.ones(1_000_000, 1)
    torch.save(state, tmp_path / "x.ckpt")
    with pytest.raises(HeadError, match="widths of no LD-ZNet"):
        read_official(tmp_path / "x.ckpt")
