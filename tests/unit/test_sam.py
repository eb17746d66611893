"""Segment Anything: found, read, and the same numbers as the official network."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from ldznet_ext import sam
from ldznet_ext.convert.sam_layout import renamed, settings_of
from ldznet_ext.errors import ModelError
from ldznet_ext.geometry import Box
from ldznet_ext.masks.prompted import Prompt
from tests.unit import official_sam

OFFICIAL = (-0.44132, -0.34666, -0.02212, -0.0089, 0.18513, 0.16629)
"""Of the official code (facebookresearch/segment-anything dca509f, torch 2.13) with `official_sam.numbers()`, the picture and the
prompt below: the three candidates' logits at (2, 3) and (11, 13)."""


@pytest.fixture(autouse=True)
def nothing_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """No network of another test, and no folder but this test's."""
    monkeypatch.setenv("LDZNET_MODELS", str(tmp_path / "models"))
    monkeypatch.setattr("ldznet_ext.sam.model_folders", lambda: (tmp_path / "models",))
    monkeypatch.delenv(sam.VARIABLE, raising=False)
    sam.put_sam_away()
    yield
    sam.put_sam_away()


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """The tiny SAM as Meta publishes its own: a pickle of the official names, in models/sam."""
    path = tmp_path / "models" / "sam" / "sam_vit_t.pth"
    path.parent.mkdir(parents=True)
    torch.save({name: torch.from_numpy(value) for name, value in official_sam.numbers().items()}, path)
    return path


def picture() -> np.ndarray:
    y, x = np.mgrid[:48, :64]
    return np.stack([x * 3, y * 5, (x + y) * 2], axis=-1).astype(np.uint8)


def prompt() -> Prompt:
    shape = np.zeros((48, 64), bool)
    shape[12:36, 8:40] = True
    return Prompt(box=Box(8, 12, 40, 36), inside=((20, 24),), outside=((50, 8),), shape=shape)


@pytest.mark.parametrize("kind", [".pth", ".safetensors", "transformers"])
def test_the_numbers_are_those_of_the_official_network(kind: str, weights: Path, tmp_path: Path):
    """From a pickle, from safetensors, and under transformers' own names."""
    if kind != ".pth":
        state = {name: torch.from_numpy(value) for name, value in official_sam.numbers().items()}
        if kind == "transformers":
            state = {renamed(name, official_sam.shapes()): value for name, value in state.items()}
        weights = tmp_path / "sam.safetensors"
        save_file(state, weights)
    logits = sam.load_sam(weights).look(picture()).logits(prompt())
    assert logits.shape == (3, 16, 16)
    found = [logits[n, y, x] for n in range(3) for y, x in ((2, 3), (11, 13))]
    np.testing.assert_allclose(found, OFFICIAL, atol=2e-4)


def test_a_mask_comes_back_at_its_own_size_and_is_the_same_twice(weights: Path):
    del weights
    rng = np.random.default_rng(0)
    for size in ((48, 64), (30, 17), (5, 90), (1, 1)):
        mask = rng.random(size) > 0.4
        mask[0, 0] = True
        pixels = rng.integers(0, 256, (*size, 3), np.uint8)
        first, second = sam.refine_with_sam(pixels, mask), sam.refine_with_sam(pixels, mask)
        assert first.prob.shape == size and first.prob.dtype == np.float32
        assert first.prob.min() >= 0 and first.prob.max() <= 1 and (first.prob == second.prob).all()


def test_a_network_that_knows_the_truth_mends_the_mask(weights: Path, monkeypatch: pytest.MonkeyPatch):
    """The wiring from the picture to the answer, with the true logits in place of the network's."""
    del weights
    truth = np.zeros((48, 64), bool)
    truth[10:40, 14:50] = True

    def logits(seen: sam.Seen, _: Prompt) -> np.ndarray:
        return np.stack([seen._coarse(truth), -seen._coarse(truth)])

    monkeypatch.setattr(sam.Seen, "logits", logits)
    rough = np.zeros((48, 64), bool)
    rough[6:38, 12:52] = True
    answer = sam.refine_with_sam(picture(), rough)
    assert answer.taken == 1 and answer.message == ""
    away = np.count_nonzero((answer.prob > 0.5) != truth)
    assert away < 0.25 * np.count_nonzero(rough != truth)  # a cell of SAM's grid is four pixels here


def test_an_empty_mask_needs_no_network():
    answer = sam.refine_with_sam(picture(), np.zeros((48, 64), bool))
    assert not answer.prob.any() and answer.asked == 0


def test_without_weights_the_sentence_says_where_to_put_which_file(tmp_path: Path):
    assert not sam.available() and sam.find_weights() is None
    with pytest.raises(ModelError, match=r"sam_vit_b_01ec64\.pth.*models.sam.*LDZNET_SAM"):
        sam.refine_with_sam(picture(), prompt().shape)
    assert str(tmp_path / "models" / "sam") in sam.absent()


def test_weights_are_found_in_the_folders_and_by_name(weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (weights.parent / "notes.txt").write_text("not weights")
    torch.save({"weight": torch.zeros(2)}, weights.parent / "a_upscaler.pth")  # another network, first by name
    torch.save({**torch.load(weights), "mask_decoder.hf_token.weight": torch.zeros(1)}, weights.parent / "sam_hq.pth")
    (weights.parent / "broken.pth").write_bytes(b"cut short")
    assert sam.find_weights() == weights and sam.available()
    monkeypatch.setenv(sam.VARIABLE, str(tmp_path / "other.pth"))
    assert sam.find_weights() == tmp_path / "other.pth"
    with pytest.raises(ModelError, match=r"other\.pth does not exist"):
        sam.refine_with_sam(picture(), prompt().shape)


def test_folders_of_a_web_ui(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """models/sam beside models/ldznet, and the segment-anything extension's own."""
    other = tmp_path / "extensions" / "sd-webui-segment-anything" / "models" / "sam"
    other.mkdir(parents=True)
    ours = (tmp_path / "extensions" / "ldznet" / "models", tmp_path / "models" / "ldznet")
    monkeypatch.setattr("ldznet_ext.sam.model_folders", lambda: ours)
    assert {other, tmp_path / "models" / "sam", ours[0] / "sam"} <= set(sam.sam_folders())


def test_a_pickle_that_would_run_code_is_not_run(weights: Path):
    class Harm:
        def __reduce__(self):
            return (Path(weights.with_name("harmed")).touch, ())

    state = {name: torch.from_numpy(value) for name, value in official_sam.numbers().items()}
    torch.save({**state, "more": Harm()}, weights)
    sam.load_sam(weights)
    assert not weights.with_name("harmed").exists()


def test_another_network_and_a_lacking_tensor_are_refused(tmp_path: Path):
    state = {name: torch.from_numpy(value) for name, value in official_sam.numbers().items()}
    torch.save({name: value for name, value in state.items() if "pos_embed" not in name}, tmp_path / "other.pth")
    with pytest.raises(ModelError, match="published kind"):
        sam.load_sam(tmp_path / "other.pth")
    state.pop("mask_decoder.iou_token.weight")
    torch.save(state, tmp_path / "lacking.pth")
    with pytest.raises(ModelError, match=r"lacks mask_decoder\.iou_token\.weight"):
        sam.load_sam(tmp_path / "lacking.pth")


def test_the_published_sizes_are_read_off_the_shapes():
    """ViT-B: 12 blocks of width 768, windows of 14, four over the whole, 1024 pixels."""
    shapes = dict(official_sam.shapes())
    block = {name: shape for name, shape in shapes.items() if name.startswith("image_encoder.blocks.0.")}
    for number in range(12):
        shapes.update({name.replace("blocks.0", f"blocks.{number}"): shape for name, shape in block.items()})
        side = 64 if number in (2, 5, 8, 11) else 14
        shapes[f"image_encoder.blocks.{number}.attn.rel_pos_h"] = (2 * side - 1, 64)
    shapes["image_encoder.patch_embed.proj.weight"] = (768, 3, 16, 16)
    shapes["image_encoder.pos_embed"] = (1, 64, 64, 768)
    vision = settings_of({renamed(name, shapes): shape for name, shape in shapes.items()}, "a file")["vision_config"]
    assert (vision["num_hidden_layers"], vision["num_attention_heads"], vision["window_size"]) == (12, 12, 14)
    assert vision["global_attn_indexes"] == [2, 5, 8, 11] and vision["image_size"] == 1024


def test_a_picture_is_read_once_until_another_comes(weights: Path):
    loaded = sam.load_sam(weights)
    first = loaded.look(picture())
    assert loaded.look(picture()) is first
    other = picture()
    other[0, 0] += 1
    assert loaded.look(other) is not first


def test_the_network_is_kept_and_given_back(weights: Path):
    first = sam.load_sam()
    assert sam.load_sam(weights) is first
    sam.put_sam_away("meta")
    assert next(first.network.parameters()).device.type == "meta"
    sam.put_sam_away()
    sam.put_sam_away("cpu")  # nothing is kept: nothing happens
    assert sam.load_sam() is not first


def test_without_room_on_its_device_it_goes_on_the_cpu(weights: Path, monkeypatch: pytest.MonkeyPatch):
    """A device that has no room raises in the middle of reading; there is none here, so one is played."""
    loaded = sam.load_sam(weights)
    read, moved = loaded._read, []

    def full(pixels: np.ndarray) -> sam.Seen:
        if not moved:
            raise RuntimeError("out of memory")
        return read(pixels)

    monkeypatch.setattr(loaded, "_read", full)
    monkeypatch.setattr(loaded.network, "to", moved.append)
    monkeypatch.setattr(loaded.network, "parameters", lambda: iter([torch.zeros(1, device="cpu" if moved else "meta")]))
    assert loaded.look(picture()).logits(prompt()).shape == (3, 16, 16)
    assert moved == ["cpu"]
