"""The commands over the real engine and a tiny random model: nothing here is faked, its numbers mean nothing."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from tests.tiny import picture

SCENE = Path(__file__).resolve().parents[2] / "data/sticker_test/00000.webp"


@pytest.fixture
def photo(tmp_path, models, monkeypatch):
    """A 90 x 130 picture, and the tiny model as the one that is found."""
    monkeypatch.setenv("LDZNET_MODELS", str(models))
    Image.fromarray(picture()).save(tmp_path / "photo.png")
    return "photo.png"


def test_mask(ldznet, photo, tmp_path):
    answer = ldznet("mask", photo, "fox", "a red balloon", "zebra", "--json").json
    assert [p["text"] for p in answer["phrases"]] == ["fox", "a red balloon", "zebra"]
    assert answer["phrases"][2]["status"] == "unknown word"
    assert all(0 <= p["score"] <= 1 for p in answer["phrases"])
    assert answer["unet_calls"] == 1 and answer["size"] == [90, 130]
    mask = np.asarray(Image.open(tmp_path / answer["files"]["mask"])) > 0
    assert (mask.sum() == 0) == all(p["status"] != "found" for p in answer["phrases"])
    assert mask.sum() >= max(p["area"] for p in answer["phrases"])


def test_the_same_call_gives_the_same_files(ldznet, photo, tmp_path):
    for folder in ("a", "b"):
        assert ldznet("mask", photo, "fox", "-o", folder).code == 0
    a, b = ({path.name: path.read_bytes() for path in (tmp_path / folder).iterdir()} for folder in ("a", "b"))
    assert a == b and len(a) == 3


def test_a_threshold_moves_the_mask_and_no_status(ldznet, photo, tmp_path):
    low, high = (ldznet("mask", photo, "fox", "--threshold", t, "--json").json for t in (0.01, 0.99))
    assert [p["status"] for p in low["phrases"]] == [p["status"] for p in high["phrases"]]
    assert low["phrases"][0]["area"] >= high["phrases"][0]["area"]


@pytest.mark.parametrize("words", ["🦊🦊", "ثعلب", "a\u202efox", "!!!", "..."])
def test_words_of_any_kind(ldznet, photo, words):
    answer = ldznet("mask", photo, words, "--json").json["phrases"][0]
    assert (answer["text"], answer["status"]) == (words, "unknown word")


def test_a_phrase_of_300_words(ldznet, photo, tmp_path):
    long = "fox " * 300
    for call in (
        ("mask", photo, long),
        ("generate", "a fox", "--mask", long),
        ("edit", photo, "--mask-prompt", long, "--prompt", "an owl"),
    ):
        said = ldznet(*call, "-o", "out").complaint
        assert "225 tokens too long" in said and "so shorten it" in said and len(said) < 250
    assert not (tmp_path / "out").exists()


def test_generate(ldznet, photo, tmp_path):
    answer = ldznet("generate", "a fox on snow", "--mask", "fox", "--steps", 4, "--seed", 2, "--json").json
    assert answer["extra_unet_calls"] == 0 and answer["images"][0]["size"] == [128, 128]
    assert Image.open(tmp_path / "a-fox-on-snow_2.png").size == (128, 128)


def test_edit(ldznet, photo, tmp_path):
    ran = ldznet("edit", photo, "--mask-prompt", "fox", "--prompt", "an owl", "--steps", 2, "--json")
    if ran.json["image"]:
        assert Image.open(tmp_path / ran.json["image"]).size == (130, 90)
    assert ldznet("edit", photo, "--mask-prompt", "zebra", "--prompt", "an owl", "--json").json["image"] is None


def test_evaluate(ldznet, photo, tmp_path):
    Image.new("1", (130, 90), 1).save(tmp_path / "all.png")
    rows = [{"image": photo, "phrase": "fox", "mask": "all.png", "kind": "object"}]
    rows += [{"image": photo, "phrase": "zebra", "mask": None, "kind": "absent"}]
    (tmp_path / "annotations.jsonl").write_text("\n".join(map(json.dumps, rows)))
    answer = ldznet("evaluate", "--data", ".", "--method", "ldznet", "--no-refine", "--json").json
    assert (answer["method"], answer["n"], answer["false_found"]) == ("ldznet", 2, 0.0) and 0 <= answer["miou"] <= 1


def test_models_that_cannot_be_loaded(ldznet, photo, models, tmp_path):
    refused = lambda *options: ldznet("mask", photo, "fox", "-o", "out", *options).complaint  # noqa: E731
    assert "nowhere" in refused("--model", "nowhere")
    assert "quantum" in refused("--device", "quantum")
    assert "rgbnet" in refused("--method", "rgbnet")
    (tmp_path / "cut.safetensors").write_bytes((models / "ldznet-sticker.safetensors").read_bytes()[:5000])
    assert "cut" in refused("--model", "cut.safetensors")
    (tmp_path / "pickle.ckpt").write_bytes(b"\x80\x04")
    assert "no whole checkpoint of torch" in refused("--model", "pickle.ckpt")
    assert not (tmp_path / "out").exists()


def test_a_checkpoint_with_missing_and_misshaped_keys(ldznet, photo, models, tmp_path):
    shutil.copytree(models / "sticker-sd", tmp_path / "hurt")
    path = next((tmp_path / "hurt" / "unet").glob("*.safetensors"))
    state = load_file(path)
    name = next(iter(state))
    save_file({k: v for k, v in state.items() if k != name}, path)
    assert "lacks" in ldznet("mask", photo, "fox", "--model", "hurt", "-o", "out").complaint
    save_file({**state, name: state[name][:1].copy()}, path)
    assert "shape" in ldznet("mask", photo, "fox", "--model", "hurt", "-o", "out").complaint
    assert not (tmp_path / "out").exists()


def test_a_head_of_another_family(ldznet, photo, models, tmp_path, monkeypatch):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "sticker-sd").symlink_to(models / "sticker-sd")
    with safe_open(models / "ldznet-sticker.safetensors", "np") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118  it is no dict
        save_file(tensors, tmp_path / "other" / "head.safetensors", metadata={**file.metadata(), "family": "sd1"})
    monkeypatch.setenv("LDZNET_MODELS", str(tmp_path / "other"))
    assert "sticker" in ldznet("mask", photo, "fox", "-o", "out", "--method", "ldznet").complaint
    assert not (tmp_path / "out").exists()


SHAPES = ("--cut=hysteresis", "--islands=9", "--grow=2", "--alpha", "--feather=1", "--seed=3")


@pytest.mark.sticker
@pytest.mark.parametrize("flags", [(), SHAPES])
def test_a_saved_mask_is_repeated_bit_for_bit(ldznet, tmp_path, flags):
    Image.open(SCENE).crop((20, 30, 240, 210)).save(tmp_path / "scene.png")
    assert ldznet("mask", "scene.png", "sky", "snowman", *flags, "-o", "out", "--save", "mask,cutout").code == 0
    ran = ldznet("mask", "--from", "out/scene_mask.png", "--save", "mask,cutout", "-o", "again", "--json")
    assert ran.json["repeats"] == {"file": "out/scene_mask.png", "pixels_off": 0, "differences": []}
    for kind in ("mask", "cutout"):
        first, again = (tmp_path / folder / f"scene_{kind}.png" for folder in ("out", "again"))
        assert first.read_bytes() == again.read_bytes() and np.asarray(Image.open(first))[..., -1].any()


@pytest.mark.sticker
def test_a_folder_with_the_real_model(ldznet, tmp_path):
    (tmp_path / "in").mkdir()
    shutil.copy(SCENE, tmp_path / "in")
    (tmp_path / "in/bad.jpg").write_bytes(b"\xff\xd8\xff")
    answer = ldznet("mask", "in", "sky", "--save", "mask,ora,coco", "--json").json
    assert (answer["found"], len(answer["skipped"]), answer["files"]) == (1, 1, 3)
    assert "before" in answer and ldznet("mask", "in", "sky", "--save", "mask,ora,coco", "--json").json["before"] == 1


@pytest.mark.sticker
def test_another_model_is_another_run_and_said_of_a_repeat(ldznet, models, monkeypatch, tmp_path):
    shutil.copy(SCENE, tmp_path / "scene.webp")
    ldznet("mask", "scene.webp", "sky", "--save", "mask")
    monkeypatch.setenv("LDZNET_MODELS", str(models))  # the tiny one, under the same name
    ran = ldznet("mask", "--from", "scene_mask.png", "--save", "mask")
    assert "has other weights than it had" in ran.err and "differs from that file's in" in ran.err


def test_a_mask_read_while_its_picture_was_painted_says_so_when_it_is_repeated(ldznet, photo):
    made = ldznet("generate", "a fox", "--mask", "fox", "--steps", "2", "--json").json["images"][0]
    ran = ldznet("mask", "--from", made["files"]["mask"], "-o", "again", "--json")
    (reason,) = ran.json["repeats"]["differences"]
    assert reason.startswith("It was read while the picture was painted") and reason in ran.err


def test_a_lora_and_a_learned_word(ldznet, photo, tmp_path):
    """They act in the mask, and a word that is learned is a known one."""
    vectors = np.random.default_rng(0).standard_normal((2, 32)).astype(np.float32)
    save_file({"emb_params": vectors}, tmp_path / "zog.safetensors")
    stem = "lora_unet_input_blocks_1_1_transformer_blocks_0_attn1_to_v"
    halves = {f"{stem}.lora_down.weight": vectors[:, :32], f"{stem}.lora_up.weight": vectors[:, :32].T.copy()}
    save_file(halves, tmp_path / "style.safetensors")

    def score(*more):
        phrase = ldznet("mask", photo, "zog", "--json", *more).json["phrases"][0]
        return phrase["status"], phrase["score"]

    words = ("--embedding", str(tmp_path / "zog.safetensors"))
    plain, learned = score(), score(*words)
    assert plain[0] == "unknown word" and learned[0] != "unknown word"
    styled = score(*words, "--lora", f"{tmp_path / 'style.safetensors'}:2")
    assert styled[1] != learned[1]
    assert score(*words, "--lora", f"{tmp_path / 'style.safetensors'}:0") == learned
    refused = ldznet("mask", photo, "fox", "--lora", "nothing")
    assert refused.code == 2 and "There is no lora 'nothing'" in refused.err
    assert "prediction is 'x0'" in ldznet("mask", photo, "fox", "--prediction", "x0").err
