"""LoRA in every layout there is, and learned words: they act in the text, the features and the mask, and come off bit for bit."""

import contextlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

import ldznet_ext as ldz
from ldznet_ext.convert.lora import ADAPTER, Delta, read_lora
from ldznet_ext.errors import ModelError, OptionError
from ldznet_ext.hosts.kinds import about
from ldznet_ext.hosts.standalone import StandaloneBackbone, load_backbone
from ldznet_ext.hosts.wearing import wearing
from tests.official import SDXL, write_official, write_vocabulary
from tests.tiny import picture

RANK = 2
QUERY = "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_q"
OUT = "up_blocks.1.attentions.2.transformer_blocks.0.attn1.to_out.0"
TEXT = "text_model.encoder.layers.0.mlp.fc1"
CONV = "down_blocks.0.resnets.0.conv1"
OURS = {
    QUERY: "input_blocks.1.1.transformer_blocks.0.attn2.to_q",
    OUT: "output_blocks.5.1.transformer_blocks.0.attn1.to_out.0",
    TEXT: "encoder.layers.0.mlp.fc1",
}


def halves(backbone: StandaloneBackbone) -> dict[str, tuple[Tensor, Tensor]]:
    """Layer, as diffusers calls it -> random down and up."""
    found, generator = {}, torch.Generator().manual_seed(5)
    for layer, own in OURS.items():
        module = backbone.text_encoder if layer == TEXT else backbone.unet
        out, into = module.get_submodule(own).weight.shape
        pair = (torch.randn(RANK, into, generator=generator), torch.randn(out, RANK, generator=generator))
        found[layer] = (pair[0] / into**0.5, pair[1])
    return found


def in_layout(layout: str, pairs: dict[str, tuple[Tensor, Tensor]], path: Path) -> Path:
    """The same changes, each with alpha 1 and so a scale of one half, as the programs of this world write them."""
    state: dict[str, Tensor] = {}
    metadata = None
    for layer, (down, up) in pairs.items():
        text = layer == TEXT
        if layout in ("kohya", "kohya, CompVis' names"):
            name = OURS[layer] if "CompVis" in layout and not text else layer
            stem = ("lora_te_" if text else "lora_unet_") + name.replace(".", "_")
            state |= {
                f"{stem}.lora_down.weight": down,
                f"{stem}.lora_up.weight": up,
                f"{stem}.alpha": torch.tensor(1.0),
            }
        elif layout == "diffusers, old":
            stem = f"text_encoder.{layer}.lora_linear_layer" if text else f"unet.{old_name(layer)}_lora"
            state |= {f"{stem}.down.weight": down, f"{stem}.up.weight": up / 2}
        else:
            stem = f"{'base_model.model.' if layout == 'peft' else ''}{'text_encoder.' if text else 'unet.'}{layer}"
            state |= {f"{stem}.lora_A.weight": down, f"{stem}.lora_B.weight": up}
            alphas = {f"{part}.lora_alpha": 1 for part in ("unet", "text_encoder")}
            metadata = {ADAPTER: json.dumps({**alphas, **{f"{part}.r": RANK for part in ("unet", "text_encoder")}})}
    save_file({key: tensor.contiguous() for key, tensor in state.items()}, path, metadata=metadata)
    return path


def old_name(layer: str) -> str:
    """ "attn2.to_q" as "attn2.processor.to_q", and "to_out.0" as "to_out"."""
    head, _, last = layer.removesuffix(".0").rpartition(".")
    return f"{head}.processor.{last}"


LAYOUTS = ["kohya", "kohya, CompVis' names", "diffusers, old", "diffusers, new", "peft"]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_changes_the_same_weights(backbone: StandaloneBackbone, tmp_path: Path, layout: str) -> None:
    pairs = halves(backbone)
    before = weights(backbone)
    path = in_layout(layout, pairs, tmp_path / "style.safetensors")
    with wearing(backbone, lora={path: 0.8}):
        during = weights(backbone)
    changed = {name for name in before if not torch.equal(before[name], during[name])}
    assert changed == {f"{OURS[layer]}.weight" for layer in OURS}
    for layer, (down, up) in pairs.items():
        name = f"{OURS[layer]}.weight"
        torch.testing.assert_close(during[name] - before[name], 0.8 * 0.5 * up @ down, atol=2e-6, rtol=1e-4)
    after = weights(backbone)
    assert all(torch.equal(before[name], after[name]) for name in before)


def weights(backbone: StandaloneBackbone) -> dict[str, Tensor]:
    return {**backbone.unet.state_dict(), **backbone.text_encoder.state_dict()}


def test_it_acts_in_the_mask_and_leaves_no_trace(backbone: StandaloneBackbone, tmp_path: Path) -> None:
    """Also in what the caches hold: the same question has the old answer again."""
    path = in_layout("kohya", halves(backbone), tmp_path / "style.safetensors")

    def asked() -> tuple[Tensor, np.ndarray]:
        return backbone.text(["fox"]), ldz.segment(picture(), "fox", backbone=backbone).prob

    text, mask = asked()
    keys = [backbone.state_key(part) for part in ("unet", "text", "vae")]
    with contextlib.suppress(KeyboardInterrupt), wearing(backbone, lora=path):
        worn_text, worn_mask = asked()
        worn = [backbone.state_key(part) for part in ("unet", "text", "vae")]
        raise KeyboardInterrupt
    assert not torch.equal(text, worn_text) and np.abs(mask - worn_mask).max() > 1e-4
    assert worn[0] != keys[0] and worn[1] != keys[1] and worn[2] == keys[2]
    again_text, again_mask = asked()
    assert torch.equal(text, again_text) and np.array_equal(mask, again_mask)
    loaded = load_backbone(lora={path: 1}, embeddings=None)
    assert torch.equal(loaded.text(["fox"]), worn_text)
    assert np.array_equal(ldz.segment(picture(), "fox", backbone=loaded).prob, worn_mask)


def test_two_add_up_and_nothing_at_all_changes_nothing(backbone: StandaloneBackbone, tmp_path: Path) -> None:
    pairs = halves(backbone)
    one, other = (in_layout("kohya", pairs, tmp_path / f"{name}.safetensors") for name in ("one", "other"))
    name = f"{OURS[QUERY]}.weight"
    before = weights(backbone)[name]
    with wearing(backbone, lora={one: 0.5, other: 0.25}):
        down, up = pairs[QUERY]
        torch.testing.assert_close(weights(backbone)[name] - before, 0.75 * 0.5 * up @ down, atol=2e-6, rtol=1e-4)
    with wearing(backbone, lora={one: 0.5, other: -0.5}):
        torch.testing.assert_close(weights(backbone)[name], before, atol=1e-6, rtol=0)


def test_convolutions(backbone: StandaloneBackbone, tmp_path: Path) -> None:
    """With a core between the halves (LoCon with Tucker) and without: as torch composes the layers."""
    weight = backbone.unet.get_submodule("input_blocks.1.0.in_layers.2").weight
    out, into = weight.shape[:2]
    down, up, mid = torch.randn(RANK, into, 1, 1), torch.randn(out, RANK, 1, 1), torch.randn(RANK, RANK, 3, 3)
    plain = torch.randn(RANK, into, 3, 3)
    x = torch.randn(1, into, 7, 6)
    conv = torch.nn.functional.conv2d
    for delta, want in (
        (Delta(down=plain, up=up), conv(conv(x, plain), up)),
        (Delta(down=down, up=up, mid=mid, scale=2.0), 2 * conv(conv(conv(x, down), mid), up)),
    ):
        torch.testing.assert_close(conv(x, delta.of_shape(tuple(weight.shape))), want, atol=1e-3, rtol=1e-3)
    stem = "lora_unet_" + CONV.replace(".", "_")
    state = {f"{stem}.lora_down.weight": down, f"{stem}.lora_up.weight": up, f"{stem}.lora_mid.weight": mid}
    save_file(state, tmp_path / "conv.safetensors")
    with wearing(backbone, lora=tmp_path / "conv.safetensors"):
        now = backbone.unet.get_submodule("input_blocks.1.0.in_layers.2").weight
        change = Delta(down=down, up=up, mid=mid).of_shape(tuple(weight.shape))
        torch.testing.assert_close(now - weight, change, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (
            {"lora_unet_nowhere.lora_down.weight": (2, 3), "lora_unet_nowhere.lora_up.weight": (3, 2)},
            "changes nowhere, which",
        ),
        ({"lora_unet_time_embed_0.lora_down.weight": (2, 3)}, "lacks lora_up of time_embed_0"),
        ({"lora_unet_time_embed_0.hada_w1_a": (2, 3)}, "is of no plain LoRA"),
        (
            {"lora_unet_time_embed_0.lora_down.weight": (2, 5), "lora_unet_time_embed_0.lora_up.weight": (128, 2)},
            r"by \(128, 2\) and \(2, 5\), which does not fit \(128, 32\)",
        ),
        (
            {
                "lora_unet_time_embed_0.lora_down.weight": (2, 32),
                "lora_unet_time_embed_0.lora_up.weight": (128, 2, 3, 3),
            },
            "which does not fit",
        ),
        (
            {"lora_unet_time_embed_0.lora_down.weight": (), "lora_unet_time_embed_0.lora_up.weight": (3, 2)},
            "expected two matrices",
        ),
    ],
)
def test_other_files(
    backbone: StandaloneBackbone, tmp_path: Path, state: dict[str, tuple[int, ...]], said: str
) -> None:
    save_file({key: torch.zeros(shape) for key, shape in state.items()}, tmp_path / "x.safetensors")
    before = weights(backbone)
    with pytest.raises(ModelError, match=said), wearing(backbone, lora=tmp_path / "x.safetensors"):
        pytest.fail("it was put on")
    assert all(torch.equal(before[name], tensor) for name, tensor in weights(backbone).items())


def test_by_name_and_by_weight(
    backbone: StandaloneBackbone, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LDZNET_MODELS", f"{tmp_path}:{models}")
    (tmp_path / "loras").mkdir()
    path = in_layout("kohya", halves(backbone), tmp_path / "loras" / "style.safetensors")
    assert about(path)[0] == "lora" and read_lora(path).name == "style"
    state = {f"unet.{QUERY.replace('to_q', 'to_k')}.lora_A.default.weight": torch.zeros(2, 768)}
    save_file(state, tmp_path / "peft.safetensors")
    assert about(tmp_path / "peft.safetensors")[:2] == ("lora", "sd1")
    with wearing(backbone, lora=["style"]):
        pass
    with pytest.raises(ModelError, match=r"There is no lora 'stile'; expected a file, or the name of one in .*loras"):
        load_backbone(lora="stile")
    with pytest.raises(OptionError, match="weight of style is nan"):
        load_backbone(lora={"style": float("nan")})


# learned words


def embedding(path: Path, rows: int = 2, width: int = 32, layout: str = "web UI") -> Path:
    vectors = torch.randn(rows, width, generator=torch.Generator().manual_seed(9))
    if layout == "web UI, pickled":
        torch.save({"string_to_token": {"*": 265}, "string_to_param": {"*": vectors}, "name": "x", "step": 5}, path)
    else:
        save_file({"emb_params" if layout == "web UI" else f"<{path.stem}>": vectors}, path)
    return path


@pytest.mark.parametrize(
    ("layout", "file", "word"),
    [
        ("web UI", "zog.safetensors", "zog"),
        ("web UI, pickled", "zog.pt", "zog"),
        ("diffusers", "zog.safetensors", "<zog>"),
    ],
)
def test_a_learned_word_acts(backbone: StandaloneBackbone, tmp_path: Path, layout: str, file: str, word: str) -> None:
    path = embedding(tmp_path / file, layout=layout)
    table = backbone.text_encoder.embeddings.token_embedding.weight
    plain, before = backbone.text([f"a {word}"]), backbone.token_ids(f"a {word} on snow")
    assert backbone.unknown_words(f"a {word}") == (word,)
    with wearing(backbone, embeddings=path):
        ids = backbone.token_ids(f"a {word} on snow")
        assert ids == [*backbone.token_ids("a"), len(table), len(table) + 1, *backbone.token_ids("on snow")]
        assert backbone.token_ids(word.upper()) == ids[1:3] and backbone.unknown_words(f"a {word}") == ()
        rows = backbone.text_encoder.embeddings(torch.tensor([ids]))[0]
        position = backbone.text_encoder.embeddings.position_embedding.weight
        want = torch.randn(2, 32, generator=torch.Generator().manual_seed(9))
        torch.testing.assert_close(rows[1:3] - position[1:3], want)
        assert not torch.equal(backbone.text([f"a {word}"]), plain)
        found = ldz.segment(picture(), f'"a {word}"', backbone=backbone)
        assert found.phrases[0].status != "unknown"
    assert backbone.text_encoder.embeddings.token_embedding.weight is table
    assert backbone.token_ids(f"a {word} on snow") == before and torch.equal(backbone.text([f"a {word}"]), plain)
    assert load_backbone(embeddings=[path]).token_ids(word) == ids[1:3]


def test_a_learned_word_of_another_width(backbone: StandaloneBackbone, tmp_path: Path) -> None:
    path = embedding(tmp_path / "zog.safetensors", width=768)
    assert about(path)[:2] == ("embedding", "sd1")
    with (
        pytest.raises(ModelError, match="text embedding zog is 768 wide; expected 32"),
        wearing(backbone, embeddings=path),
    ):
        pytest.fail("it was learned")
    save_file({"emb_params": torch.zeros(80, 32)}, path)
    with pytest.raises(ModelError, match="expected 1 to 75 rows"):
        load_backbone(embeddings=path)


def test_both_towers_of_sdxl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A learned word has vectors for each; a LoRA of kohya's names them te1 and te2, and its UNet in CompVis' layout."""
    monkeypatch.setenv("LDZNET_MODELS", str(write_vocabulary(tmp_path)))
    model = load_backbone(write_official(tmp_path / "xl.safetensors", SDXL))
    save_file({"clip_l": torch.randn(3, 64), "clip_g": torch.randn(3, 128)}, tmp_path / "zog.safetensors")
    layers = {
        "lora_unet_input_blocks_7_1_transformer_blocks_2_attn2_to_k": model.unet.input_blocks[7][1]
        .transformer_blocks[2]
        .attn2.to_k,
        "lora_te1_text_model_encoder_layers_0_self_attn_q_proj": model.text_encoder.first.encoder.layers[
            0
        ].self_attn.q_proj,
        "lora_te2_text_model_encoder_layers_1_mlp_fc2": model.text_encoder.second.encoder.layers[1].mlp.fc2,
    }
    state = {}
    for stem, layer in layers.items():
        out, into = layer.weight.shape
        state |= {f"{stem}.lora_down.weight": torch.randn(1, into), f"{stem}.lora_up.weight": torch.randn(out, 1)}
    save_file(state, tmp_path / "style.safetensors")
    before, told = [layer.weight for layer in layers.values()], model.conditioning(["a zog"])
    with wearing(model, lora=tmp_path / "style.safetensors", embeddings=tmp_path / "zog.safetensors"):
        assert all(layer.weight is not old for layer, old in zip(layers.values(), before, strict=True))
        assert len(model.second_tokens.ids("zog")) == len(model.tokens.ids("zog")) == 3
        worn = model.conditioning(["a zog"])
        assert not torch.equal(worn.states, told.states) and not torch.equal(worn.vector, told.vector)
    assert all(layer.weight is old for layer, old in zip(layers.values(), before, strict=True))
    assert torch.equal(model.conditioning(["a zog"]).vector, told.vector)
    save_file({"emb_params": torch.zeros(2, 64)}, tmp_path / "one.safetensors")
    with pytest.raises(ModelError, match="is 64 wide; expected 64 and 128"):
        load_backbone(tmp_path / "xl.safetensors", embeddings=tmp_path / "one.safetensors")
