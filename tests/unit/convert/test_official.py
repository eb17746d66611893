"""The authors' checkpoint, made here at tiny width in their layout, into a head of ours; and heads listed and converted."""

import gzip
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from ldznet_ext.convert.official import (
    FROZEN,
    RAW,
    OfficialHead,
    find_diffusion,
    find_head,
    looks_official,
    stored_name,
)
from ldznet_ext.convert.pickles import TensorFile
from ldznet_ext.convertible import convert, convert_file, convertible
from ldznet_ext.errors import HeadError
from ldznet_ext.nets.heads import build_head
from ldznet_ext.tensors import read_header, read_tensors
from ldznet_ext.weights import find_heads, load_head
from tests.tiny import randomise

Files = dict[str, Tensor]
KEYS = Path(__file__).parents[2] / "data" / "official_keys.json.gz"
"""Name -> shape of all 2,677 tensors of the authors' module, listed by running their class with transformers 4.25."""


class Callback:
    """A training framework's object, as lies in such a file."""


@pytest.fixture(scope="module")
def weights() -> Files:
    """A head of the authors' shape, 32 channels wide."""
    return dict(randomise(build_head("ldznet", "golden", position="parity"), seed=3).state_dict())


def in_their_layout(weights: Files, *, averaged: bool = True, raw: bool = True) -> dict[str, Any]:
    """The dictionary their training saves: raw weights spoilt, so that a test can tell which were taken."""
    state: dict[str, Any] = {"betas": torch.ones(10), "first_stage_model.encoder.conv_in.weight": torch.ones(3, 3)}
    state |= {f"{FROZEN}out.2.bias": torch.ones(4), "cond_stage_model.transformer.text_model.x": torch.ones(2)}
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
    assert info.overrides == {"model_channels": 32, "context_dim": 64}
    assert head.preset.position == "geometry"
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
    summed = hashlib.sha256((folder / "stripped.pth").read_bytes()).hexdigest()
    recipe = f"converted from stripped.pth (SHA-256 {summed}), raw weights of step 146,000"
    assert find_heads("sd1")[0][1].recipe == recipe


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
        "strange": {**some["state_dict"], "model_ema.diffusion_modelgate": torch.ones(4)},
        "other": {
            "model.diffusion_model.out.2.bias": torch.ones(4),
            "first_stage_model.quant_conv.bias": torch.ones(8),
        },
        "nan": {**some["state_dict"], missing: torch.tensor([float("nan")])},
    }
    for name, state in files.items():
        torch.save({"state_dict": state}, folder / f"{name}.ckpt")
    with pytest.raises(HeadError, match=f"short.ckpt lacks {missing}; expected exactly the 760 tensors"):
        convert("short.ckpt")
    with pytest.raises(HeadError, match=r"out.2.bias of shape \[4\]; expected \[1\]"):
        convert("wide.ckpt")
    with pytest.raises(HeadError, match=r"has model_ema\.diffusion_modelgate, which no LD-ZNet has"):
        convert("strange.ckpt")
    with pytest.raises(
        HeadError,
        match=r"no LD-ZNet in it: it lacks model.diffusion_model.input_blocks.0.0.weight, .* and 1 more, and holds model \(1\), "
        r"first_stage_model \(1\)",
    ):
        convert("other.ckpt")
    with pytest.raises(HeadError, match=r"numbers in out\.2\.bias that are none in float16"):
        convert("nan.ckpt")
    with pytest.raises(HeadError, match=r"There is no '\.\./x\.ckpt'"):
        convert("../x.ckpt")
    assert sorted(path.suffix for path in folder.iterdir()) == [".ckpt"] * 5


def of_the_authors(path: Path, without: tuple[str, ...] = ()) -> TensorFile:
    """A file with every name and shape of the authors' module, and next to no numbers."""
    shapes = json.loads(gzip.decompress(KEYS.read_bytes()))
    state = {name: torch.zeros(()).expand(shape) for name, shape in shapes.items() if not name.startswith(without)}
    torch.save({"state_dict": state}, path)
    return TensorFile(path)


@pytest.mark.parametrize("without", [(), ("model_ema.",), (RAW, FROZEN, "first_stage_model.", "cond_stage_model.")])
def test_the_published_size_is_known_name_by_name(tmp_path: Path, without: tuple[str, ...]) -> None:
    with of_the_authors(tmp_path / "x.ckpt", without) as file:
        head, model = find_head(file), find_diffusion(file)
    assert (head.parameters, len(head.found), head.overrides) == (925_882_936, 760, {})
    assert head.averaged == ("model_ema." not in without)
    assert len(model) == (0 if FROZEN in without else 686 + 248 + 197)


def test_counters_alone_are_no_average(tmp_path: Path, weights: Files) -> None:
    state = in_their_layout(weights, averaged=False)["state_dict"] | {"model_ema.decay": torch.tensor(0.9999)}
    torch.save(state, tmp_path / "x.ckpt")  # and no `state_dict` around them
    with TensorFile(tmp_path / "x.ckpt") as file:
        head: OfficialHead = find_head(file)
    assert not head.averaged and head.steps is None


@pytest.mark.parametrize(("dtype", "there"), [(None, torch.float32), ("fp16", torch.float16), ("bf16", torch.bfloat16)])
def test_numbers_are_as_they_were_or_of_the_wanted_type(
    tmp_path: Path, weights: Files, dtype: str | None, there: torch.dtype
) -> None:
    torch.save(in_their_layout(weights), tmp_path / "x.ckpt")
    told: list[tuple[int, int]] = []
    done = convert_file(
        tmp_path / "x.ckpt", tmp_path / "new" / "h.safetensors", dtype=dtype, progress=lambda *now: told.append(now)
    )
    found = read_tensors(done.file)
    assert done.parameters == sum(tensor.numel() for tensor in found.values())
    for name, tensor in weights.items():
        assert found[name].dtype == there
        assert torch.equal(found[name], tensor.to(there))
    assert told == sorted(told) and told[-1][0] == told[-1][1]
    assert [path.name for path in done.file.parent.iterdir()] == ["h.safetensors"]


def test_the_diffusion_model_inside_is_kept_where_it_is_wanted(tmp_path: Path, weights: Files) -> None:
    torch.save(in_their_layout(weights), tmp_path / "x.ckpt")
    done = convert_file(tmp_path / "x.ckpt", tmp_path / "h.safetensors", unet=tmp_path / "u.safetensors")
    assert set(read_header(tmp_path / "u.safetensors")[1]) == {
        "model.diffusion_model.out.2.bias",
        "first_stage_model.encoder.conv_in.weight",
        "cond_stage_model.transformer.text_model.x",
    }
    assert done.whole and done.message == ""
    bare = {
        name: tensor
        for name, tensor in in_their_layout(weights)["state_dict"].items()
        if "_stage_model.enc" not in name
    }
    torch.save(bare, tmp_path / "y.ckpt")
    assert "the UNet alone" in convert_file(tmp_path / "y.ckpt", done.file, unet=done.unet).message


def test_a_diffusion_model_that_is_not_there_is_not_promised(tmp_path: Path, weights: Files) -> None:
    state = {
        name: value for name, value in in_their_layout(weights)["state_dict"].items() if not name.startswith(FROZEN)
    }
    torch.save(state, tmp_path / "x.ckpt")
    with pytest.raises(HeadError, match="has no diffusion model in it"):
        convert_file(tmp_path / "x.ckpt", tmp_path / "h.safetensors", unet=tmp_path / "u.safetensors")
    assert [path.name for path in tmp_path.iterdir()] == ["x.ckpt"]


def test_looking_runs_nothing_and_survives_anything(tmp_path: Path) -> None:
    (tmp_path / "a.ckpt").write_bytes(b"PK\x03\x04 attentionpool2D")
    assert not looks_official(tmp_path / "a.ckpt")
    assert not looks_official(tmp_path / "missing.ckpt")
    assert not looks_official(tmp_path)


def test_absurd_widths_set_nothing_aside(tmp_path: Path, weights: Files) -> None:
    state = in_their_layout(weights, raw=False)["state_dict"]
    state[stored_name("input_blocks.0.0.weight", averaged=True)] = torch.ones(1_000_000, 1)
    torch.save(state, tmp_path / "x.ckpt")
    with TensorFile(tmp_path / "x.ckpt") as file, pytest.raises(HeadError, match="widths of no LD-ZNet"):
        find_head(file)
