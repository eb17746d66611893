"""Models from files, addresses and a hub into a model folder: looked at before they count, and nothing half there."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from ldznet_ext.errors import HeadError, ModelError, NetworkError, OptionError, OutputError
from ldznet_ext.hosts.adding import UNFINISHED, Added, add
from ldznet_ext.hosts.hub import HubId, cached, files_of, parse_hub_id
from ldznet_ext.hosts.standalone import load_backbone
from tests.loopback import Loopback, hub_files, serving
from tests.official import SD1, write_official

MODEL = "owner/small-model"


@pytest.fixture
def shelf(tmp_path: Path, models: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The model folder things come to; the tiny Sticker-SD is in the next one."""
    monkeypatch.setenv("LDZNET_MODELS", f"{tmp_path / 'shelf'}:{models}")
    return tmp_path / "shelf"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, models: Path) -> Iterator[Loopback]:
    """A hub with the tiny model in diffusers' layout, twice as .safetensors and once as a pickle, and things nobody needs."""
    monkeypatch.delenv("HF_HUB_OFFLINE")
    source = models / "sticker-sd"
    files = {str(path.relative_to(source)): path.read_bytes() for path in source.rglob("*") if path.is_file()}
    unet = files["unet/diffusion_pytorch_model.safetensors"]
    files |= {
        "README.md": b"# hello",
        "unet/diffusion_pytorch_model.bin": b"pickle",
        "safety_checker/model.safetensors": b"no",
    }
    files["unet/diffusion_pytorch_model.non_ema.safetensors"] = unet
    with serving() as loopback:
        monkeypatch.setenv("HF_ENDPOINT", loopback.address)
        hub_files(loopback, MODEL, files)
        yield loopback


def short(source: str, **more: object) -> Added:
    return add(source, timeout=0.3, **more)  # type: ignore[arg-type]


def test_a_model_of_the_hub(hub: Loopback, shelf: Path, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "secret")
    hub.tricks = ["", "cut 100", ""]
    added = short(MODEL)
    assert (added.path, added.kind, added.family) == (shelf / "owner--small-model", "model", "sticker")
    unet = "unet/diffusion_pytorch_model.safetensors"
    assert (added.path / unet).read_bytes() == (models / "sticker-sd" / unet).read_bytes()
    assert added.sums[f"owner--small-model/{unet}"] == hashlib.sha256((added.path / unet).read_bytes()).hexdigest()
    names = {str(path.relative_to(added.path)) for path in added.path.rglob("*") if path.is_file()}
    assert {"README.md", "safety_checker/model.safetensors", "unet/diffusion_pytorch_model.bin"}.isdisjoint(names)
    assert not [name for name in names if name.endswith((".json.json", ".lock"))] and "tokenizer/merges.txt" in names
    assert all(headers["Authorization"] == "Bearer secret" for _, headers in hub.asked)
    hub.asked.clear()
    loaded = load_backbone(MODEL)
    assert loaded.name == "owner--small-model" and not hub.asked, "what is here is not asked for"
    assert torch.equal(loaded.text(["fox"]), load_backbone("sticker-sd").text(["fox"]))


def test_a_model_that_stopped_on_the_way(hub: Loopback, shelf: Path) -> None:
    complete = next(path for path in hub.files if path.endswith("vae/diffusion_pytorch_model.safetensors"))
    raw, hub.files[complete] = hub.files[complete], b"another state"
    with pytest.raises(NetworkError, match="bytes instead of"):
        short(MODEL)
    assert not (shelf / "owner--small-model").exists()
    hub.files[complete] = raw
    hub.asked.clear()
    assert short(MODEL).family == "sticker"
    again = {path.partition("/c0ffee/")[2] for path, _ in hub.asked}
    assert "vae/diffusion_pytorch_model.safetensors" in again
    assert "unet/diffusion_pytorch_model.safetensors" not in again, "what is whole is not fetched twice"
    assert not (shelf / UNFINISHED).exists()


def test_a_variant(hub: Loopback, shelf: Path) -> None:
    files = {file.path: file.remote.name for file in files_of(HubId(id=MODEL), "non_ema")}
    assert files["unet/diffusion_pytorch_model.safetensors"] == "diffusion_pytorch_model.non_ema.safetensors"
    assert files["vae/diffusion_pytorch_model.safetensors"] == "diffusion_pytorch_model.safetensors"
    with pytest.raises(ModelError, match=r"has no variant 'fp16'; expected one of its own .*non_ema"):
        files_of(HubId(id=MODEL), "fp16")


def test_variants_are_never_mixed(hub: Loopback, shelf: Path) -> None:
    """Stopped with one, begun again without it: the files are of the same names and sizes."""
    unet = "unet/diffusion_pytorch_model.safetensors"
    raws = {path.partition("/c0ffee/")[2]: raw for path, raw in hub.files.items() if "/c0ffee/" in path}
    hub_files(hub, MODEL, {**raws, unet.replace(".safe", ".non_ema.safe"): raws[unet][:-1] + b"?"})
    vae = next(path for path in hub.files if path.endswith("vae/diffusion_pytorch_model.safetensors"))
    whole, hub.files[vae] = hub.files[vae], b"gone"
    with pytest.raises(NetworkError):
        short(MODEL, variant="non_ema")
    hub.files[vae] = whole
    assert (short(MODEL).path / unet).read_bytes() == raws[unet]


def test_another_state_is_another_model(hub: Loopback, shelf: Path) -> None:
    hub.files[f"/api/models/{MODEL}/revision/v1/old"] = hub.files[f"/api/models/{MODEL}/revision/main"]
    assert short(f"{MODEL}@v1/old").path.name == "owner--small-model--v1-old"
    assert cached(HubId(id=MODEL)) is None and load_backbone(f"{MODEL}@v1/old").family == "sticker"


def test_what_a_hub_may_not_have(hub: Loopback, shelf: Path) -> None:
    with pytest.raises(NetworkError, match=r"could not be read \(the server says 404"):
        short("owner/nothing")
    hub_files(hub, "owner/pickles", {"unet/config.json": b"{}", "unet/diffusion_pytorch_model.bin": b"x"})
    with pytest.raises(ModelError, match=r"has no \.safetensors in unet, vae, text_encoder"):
        short("owner/pickles")
    hub_files(hub, "owner/two", {"a.safetensors": b"x", "b.safetensors": b"y", "../../evil.safetensors": b"z"})
    with pytest.raises(
        ModelError, match=r"has 2 \.safetensors \(a.safetensors, b.safetensors\); expected one, so name it"
    ):
        short("owner/two")
    hub_files(
        hub, "owner/evil", {"..\\evil.safetensors": b"x", "../evil.safetensors": b"y", "c:evil.safetensors": b"z"}
    )
    with pytest.raises(ModelError, match=r"has 0 \.safetensors"):
        short("owner/evil")
    with pytest.raises(OptionError, match="each with a sum of its own"):
        short(MODEL, sha256="0" * 64)
    hub.files["/api/models/owner/two/revision/main"] = b"[]"
    with pytest.raises(NetworkError, match="no list of files"):
        short("owner/two")


def test_one_file_of_the_hub(hub: Loopback, shelf: Path, tmp_path: Path) -> None:
    raw = write_official(tmp_path / "x.safetensors", SD1).read_bytes()
    hub_files(hub, "owner/one", {"sub/real.safetensors": raw, "v1.safetensors": b"other"})
    for source in ("owner/one/sub/real.safetensors", f"{hub.address}/owner/one/blob/main/sub/real.safetensors"):
        added = short(source)
        assert (added.path.name, added.kind, added.family) == ("owner--one--real.safetensors", "checkpoint", "sd1")
        assert cached(HubId(id="owner/one", file="sub/real.safetensors")) == added.path
        added.path.unlink()
    with pytest.raises(ModelError, match=r"has no nothing\.safetensors; expected one of"):
        short("owner/one/nothing.safetensors")
    hub.files["/owner/one/resolve/c0ffee/sub/real.safetensors"] = raw[:-1] + b"?"
    with pytest.raises(NetworkError, match="has the SHA-256"):  # the list is of another state than the file
        short("owner/one/sub/real.safetensors")
    assert not list(shelf.glob("*.safetensors"))


def test_an_address(hub: Loopback, shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = write_official(tmp_path / "x.safetensors", SD1).read_bytes()
    hub.files["/get/5"] = hub.files["/my model.safetensors"] = raw
    monkeypatch.setenv("HF_TOKEN", "secret")
    monkeypatch.setenv("HF_ENDPOINT", "https://hub.example")
    with pytest.raises(
        OptionError, match=r"ends in no file name; expected one that ends in .safetensors, so give it with --name"
    ):
        short(f"{hub.address}/get/5")
    hub.files["/x/sub/one.safetensors"] = raw
    assert short(f"{hub.address}/x/sub%2Fone.safetensors").path == shelf / "one.safetensors"
    assert not (shelf / UNFINISHED).exists()
    added = short(f"{hub.address}/get/5", name="photo.safetensors", sha256=hashlib.sha256(raw).hexdigest().upper())
    assert (added.path, added.family) == (shelf / "photo.safetensors", "sd1")
    assert all("Authorization" not in headers for _, headers in hub.asked), "strangers get no key"
    with pytest.raises(OutputError, match=r"photo.safetensors is there already"):
        short(f"{hub.address}/get/5", name="photo.safetensors")


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"\x08\0\0\0\0\0\0\0notjson!", "cannot be read as safetensors"),
        (b"", "cannot be read as safetensors"),
    ],
)
def test_what_came_is_looked_at(hub: Loopback, shelf: Path, raw: bytes, said: str) -> None:
    hub.files["/bad.safetensors"] = raw
    with pytest.raises(ModelError, match=said):
        short(f"{hub.address}/bad.safetensors")
    assert not list(shelf.rglob("*.safetensors"))


def test_a_file(shelf: Path, models: Path, tmp_path: Path) -> None:
    head = models / "ldznet-sticker.safetensors"
    added = add(str(head), name="mine")
    assert (added.path, added.kind, added.family) == (shelf / "mine.safetensors", "head ldznet", "sticker")
    assert added.path.read_bytes() == head.read_bytes() and added.sums["mine.safetensors"]
    with pytest.raises(ModelError, match=r"has the SHA-256 .*; expected 0{64}"):
        add(str(head), name="other", sha256="0" * 64)
    save_file({"weight": torch.zeros(2, 3, 4)}, tmp_path / "what.safetensors")
    with pytest.raises(ModelError, match="is no model, head, LoRA or text embedding"):
        add(str(tmp_path / "what.safetensors"))
    for name in ("../up", "a/b", ".hidden", ""):
        with pytest.raises(OptionError, match="expected a plain name"):
            add(str(head), name=name)
    with pytest.raises(ModelError, match="is a folder"):
        add(str(models))
    with pytest.raises(ModelError, match=r"There is no file './nothing'"):
        add("./nothing")
    assert sorted(path.name for path in shelf.iterdir()) == ["mine.safetensors"]


def test_a_ckpt_becomes_safetensors(shelf: Path, tmp_path: Path) -> None:
    state = load_file(write_official(tmp_path / "x.safetensors", SD1))
    state["model_ema.diffusion_modelout2bias"] = torch.zeros(4)
    path = tmp_path / "old.ckpt"
    torch.save({"state_dict": state, "optimizer_states": [torch.zeros(9)], "epoch": 3}, path)
    added = add(str(path))
    assert (added.path, added.family) == (shelf / "old.safetensors", "sd1")
    written = load_file(added.path)
    assert "model_ema.diffusion_modelout2bias" not in written and "alphas_cumprod" not in written
    assert all(torch.equal(tensor, state[name]) for name, tensor in written.items())
    assert load_backbone("old").family == "sd1" and path.exists()


class _Evil:
    """A pickle that would write a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> object:
        return Path.write_text, (self.target, "pwned")


def test_a_malicious_ckpt_does_nothing(shelf: Path, tmp_path: Path) -> None:
    torch.save({"state_dict": {"a": torch.zeros(2)}, "hook": _Evil(tmp_path / "pwned")}, tmp_path / "evil.ckpt")
    with pytest.raises((ModelError, HeadError), match=r"evil\.ckpt"):
        add(str(tmp_path / "evil.ckpt"))
    assert not (tmp_path / "pwned").exists() and not list(shelf.rglob("*.safetensors"))


def test_what_is_on_this_machine(tmp_path: Path, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cache of the hub's own tool is read as it lies."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    home = tmp_path / "models--owner--name"
    (home / "refs").mkdir(parents=True)
    (home / "refs" / "main").write_text("abc")
    assert cached(HubId(id="owner/name")) is None
    (home / "snapshots").mkdir()
    (home / "snapshots" / "abc").symlink_to(models / "sticker-sd")
    assert cached(HubId(id="owner/name")) == home / "snapshots" / "abc"
    assert load_backbone("owner/name").family == "sticker"


@pytest.mark.parametrize("source", ["./x/y", "/x/y", "~/x", "x", "a/b/c", "owner/model.ckpt", "https://other.org/a/b"])
def test_what_is_no_id(source: str) -> None:
    assert parse_hub_id(source) is None
