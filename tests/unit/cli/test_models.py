"""`ldznet models`: what is found where."""

import hashlib

import numpy as np
import pytest
from safetensors.numpy import save_file

from tests.loopback import serving


@pytest.fixture
def folder(models, tmp_path, monkeypatch):
    """A folder with the tiny model and head, and a damaged file, before all others."""
    extra = tmp_path / "extra"
    extra.mkdir()
    (extra / "broken.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0{}")
    (extra / "notes.txt").write_text("no model")
    monkeypatch.setenv("LDZNET_MODELS", f"{models}:{extra}:{tmp_path / 'nowhere'}")
    return models


def test_the_object(ldznet, folder, tmp_path):
    answer = ldznet("models", "--json").json
    assert [entry["exists"] for entry in answer["folders"][:3]] == [True, True, False]
    found = {
        entry["name"]: entry for entry in answer["models"] if entry["folder"] in (str(folder), str(tmp_path / "extra"))
    }
    assert set(found) == {"sticker-sd", "ldznet-sticker.safetensors", "broken.safetensors"}
    head = found["ldznet-sticker.safetensors"]
    content = (folder / "ldznet-sticker.safetensors").read_bytes()
    assert (head["kind"], head["family"], head["bytes"]) == ("head ldznet", "sticker", len(content))
    assert head["files"][0]["sha256"] == hashlib.sha256(content).hexdigest()
    assert found["sticker-sd"]["kind"] == "model" and found["sticker-sd"]["family"] == "sticker"
    assert any(file["path"].startswith("sticker-sd/unet/") for file in found["sticker-sd"]["files"])
    assert found["broken.safetensors"]["kind"] == "damaged" and found["broken.safetensors"]["problem"].endswith(".")


def test_loras_are_listed_with_their_folder(ldznet, models, tmp_path, monkeypatch):
    monkeypatch.setenv("LDZNET_MODELS", str(tmp_path))
    (tmp_path / "loras").mkdir()
    state = {"lora_unet_x_attn2_to_k.lora_down.weight": np.zeros((1, 768), np.float32)}
    (tmp_path / "elsewhere").mkdir()
    save_file(state, tmp_path / "elsewhere" / "style.safetensors")
    added = ldznet("models", "add", str(tmp_path / "elsewhere" / "style.safetensors"), "--name", "ink", "--json").json
    assert list(added["sha256"]) == ["loras/ink.safetensors"]
    entry = next(one for one in ldznet("models", "--json").json["models"] if one["folder"] == str(tmp_path))
    assert (entry["name"], entry["kind"], entry["family"]) == ("loras/ink.safetensors", "lora", "sd1")
    assert "loras/ink.safetensors" in ldznet("models").out


def test_the_list(ldznet, folder):
    ran = ldznet("models", "--no-sha256")
    assert ran.code == 0 and "head ldznet, family sticker" in ran.out and "(not there)" in ran.out


def test_add(ldznet, models, tmp_path, monkeypatch):
    """The whole way from a server to a loaded model, cut once."""
    monkeypatch.setenv("LDZNET_MODELS", f"{tmp_path / 'shelf'}:{models}")
    monkeypatch.delenv("HF_HUB_OFFLINE")
    raw = (models / "ldznet-sticker.safetensors").read_bytes()
    with serving() as web:
        web.files["/head.safetensors"], web.tricks = raw, ["cut 1000"]
        ran = ldznet("models", "add", f"{web.address}/head.safetensors", "--json")
    assert ran.code == 0 and web.ranges() == [None, "bytes=1000-"]
    sums = {"head.safetensors": hashlib.sha256(raw).hexdigest()}
    path = str(tmp_path / "shelf" / "head.safetensors")
    assert ran.json == {"path": path, "kind": "head ldznet", "family": "sticker", "sha256": sums}
    listed = ldznet("models", "--json").json["models"]
    assert any(entry["name"] == "head.safetensors" and entry["family"] == "sticker" for entry in listed)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["owner/name"], "The network is switched off (HF_HUB_OFFLINE is set)"),
        (["https://example.org/one.safetensors"], "The network is switched off"),
        (["nothing"], "There is no file 'nothing'"),
        (["x", "--sha256", "12"], "expected 64 hexadecimal digits"),
        ([], "SOURCE"),
    ],
)
def test_add_says_what_is_wrong(ldznet, arguments, said):
    ran = ldznet("models", "add", *arguments)
    assert ran.code == 2 and said in ran.err and not ran.out
