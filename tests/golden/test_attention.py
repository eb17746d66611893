"""DAAM, OVAM and iSeg: numbers that the authors' own functions gave, and an SD-shaped UNet's maps from kept queries.

Vectors: tests/golden/data/training_free (tests/golden/README.md says whose they are).
"""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ldznet_ext.geometry import Size
from ldznet_ext.harvest.attention import Layer, find_layers, finest_self_attention, grid_of, split_heads
from ldznet_ext.harvest.hooks import harvest
from ldznet_ext.harvest.sampling import second_half
from ldznet_ext.segmenters import variants
from ldznet_ext.segmenters.crossattention import Queries, against_background, heat, token_maps
from ldznet_ext.segmenters.prototypes import to_grid
from ldznet_ext.segmenters.selfattention import SelfAttention
from ldznet_ext.segmenters.tokens import occurrences

DATA = Path(__file__).parent / "data" / "training_free"
GRID = Size(16, 16)
STEPS = 3


def load(name: str) -> dict[str, np.ndarray]:
    """All arrays of a file."""
    with np.load(DATA / f"{name}.npz") as arrays:
        return {key: arrays[key] for key in arrays}


def close(ours: Tensor, theirs: np.ndarray, part: float = 1e-5) -> None:
    """Equal to within a part of the largest value."""
    np.testing.assert_allclose(ours.numpy(), theirs, rtol=0, atol=part * np.abs(theirs).max())


@pytest.fixture(scope="module")
def unet() -> nn.Module:
    diffusers = pytest.importorskip("diffusers", reason="diffusers is not installed")
    net = diffusers.UNet2DConditionModel(**json.loads((DATA / "tiny_unet_config.json").read_text()))
    net.load_state_dict({name: torch.from_numpy(value) for name, value in load("tiny_unet_weights").items()})
    return net.eval()


@pytest.fixture(scope="module")
def kept(unet: nn.Module) -> list[dict[str, Tensor]]:
    """Queries and keys of the conditional rows of three guided steps; the first step's output is the authors'."""
    io = load("tiny_unet_io")
    layers = [*find_layers(unet, "attn1"), *find_layers(unet, "attn2")]
    taps = [tap for layer in layers for tap in (layer.q, *([layer.k] if layer.kind == "attn1" else []))]
    steps = []
    for latent, timestep in zip(io["latents"], io["timesteps"], strict=True):
        batch = torch.from_numpy(latent).expand(2, -1, -1, -1)
        with torch.no_grad(), harvest(unet, taps, rows=second_half) as store:
            out = unet(batch, int(timestep), torch.from_numpy(io["context"])).sample
        if not steps:
            close(out, io["out_step0"], 1e-4)
        steps.append(store.take())
    return steps


@pytest.fixture(scope="module")
def conditional() -> Tensor:
    return torch.from_numpy(load("tiny_unet_io")["context"])[1:]


def test_kept_queries_give_the_maps_of_the_pass(unet: nn.Module, kept: list, conditional: Tensor) -> None:
    """Replayed with the same text, queries are as good as the maps themselves, in every layer of both kinds."""
    theirs = load("tiny_unet_probs")
    seen = 0
    for layer in [*find_layers(unet, "attn1"), *find_layers(unet, "attn2")]:
        name = next(
            (key for key in theirs if key != "note" and unet.get_submodule(key.replace("/", ".")) is layer.module), None
        )
        if name is None:
            continue
        q = split_heads(kept[0][layer.q], layer.heads)[0]
        k = split_heads(kept[0][layer.k], layer.heads)[0] if layer.kind == "attn1" else layer.keys(conditional)[0]
        probs = heat(q, k).transpose(-1, -2)
        close(
            probs[:, ::4] if probs.shape[1] != theirs[name].shape[1] else probs, theirs[name].astype(np.float32), 2e-3
        )
        seen += 1
    assert seen == 24


def test_early_exit_leaves_the_queries_bit_identical(unet: nn.Module, kept: list) -> None:
    io, layer = load("tiny_unet_io"), find_layers(unet, "attn2", ["out.5"])[0]
    batch = torch.from_numpy(io["latents"][0]).expand(2, -1, -1, -1)
    with torch.no_grad(), harvest(unet, [layer.q], rows=second_half, stop_after=layer.q) as store:
        unet(batch, int(io["timesteps"][0]), torch.from_numpy(io["context"]))
    assert store.stopped and torch.equal(store[layer.q], kept[0][layer.q])


@pytest.fixture(scope="module")
def daam_layers(unet: nn.Module, kept: list, conditional: Tensor) -> list[tuple[int, Tensor]]:
    """(stride, maps summed over the steps) of the layers DAAM reads: all but the deepest level's."""
    found = []
    for layer in find_layers(unet, "attn2"):
        q = split_heads(torch.cat([step[layer.q] for step in kept]), layer.heads)
        size = grid_of(GRID, layer.stride, q.shape[2])
        found.append((layer.stride, variants.summed_heat(q, layer.keys(conditional)[0], size)))
    return [(stride, maps) for stride, maps in found if stride < 8]


def test_daam_maps(daam_layers: list[tuple[int, Tensor]]) -> None:
    theirs, maps = load("daam"), [maps for _, maps in daam_layers]
    rows = len(theirs["tokens"]) + 2
    close(variants.daam(maps, GRID)[:rows], theirs["global_maps"], 1e-4)
    close(variants.daam([each[:, :rows] for each in maps], GRID, shares=True), theirs["global_maps_normalized"], 1e-4)
    fine = [each for stride, each in daam_layers if stride < 4]
    close(variants.daam(fine, GRID)[:rows], theirs["global_maps_factor12"], 1e-4)


@pytest.mark.parametrize("word", ["cats", "small", "sofa", "photo"])
def test_daam_words(daam_layers: list[tuple[int, Tensor]], word: str) -> None:
    """Every occurrence's every token counts, the start token does not."""
    theirs = load("daam")
    pieces: dict[str, list[str]] = json.loads(str(theirs["tokens_by_word"]))
    words = str(theirs["prompt"])
    spans = occurrences(lambda text: [token for each in text.split() for token in pieces[each]], words, word)
    maps = variants.daam([maps for _, maps in daam_layers], GRID)
    mean = torch.cat([maps[span.start : span.stop] for span in spans]).mean(dim=0)
    close(mean, theirs[f"word_{word}"], 1e-4)


def test_daam_at_the_size_of_the_picture() -> None:
    theirs = load("daam")
    grown = variants.daam_word(torch.from_numpy(theirs["word_small"]), Size(40, 40))
    close(grown, theirs["expand_small_40"], 1e-4)
    assert np.mean((grown > 0.4).numpy() == theirs["expand_small_40_thr04"]) == 1


@pytest.fixture
def ovam_layers() -> Callable[[str], list[Tensor]]:
    arrays = {name: torch.from_numpy(value) for name, value in load("ovam").items()}
    heads = int(arrays["heads"])

    def layers(values: str) -> list[Tensor]:
        found = []
        for name in ("up-a", "up-b", "down-a"):
            q = arrays[f"{name}_q"]
            k = split_heads((arrays["text"] @ arrays[f"{name}_wk"].T)[None], heads)[0]
            side = round(q.shape[2] ** 0.5)
            found.append(variants.summed_heat(q, k, Size(side, side), values))
        return found

    return layers


def test_ovam_maps(ovam_layers: Callable[[str], list[Tensor]]) -> None:
    theirs = load("ovam")
    close(variants.ovam(ovam_layers("raw"), GRID), theirs["out_default"][0])
    shares = ovam_layers("softmax")
    close(variants.ovam(shares, GRID, mean=False), theirs["out_token_softmax"][0])
    close(to_grid(variants.ovam(shares, GRID), Size(32, 32)), theirs["out_softmax_expand"][0])


def test_our_token_maps_are_the_same_up_to_means(ovam_layers: Callable[[str], list[Tensor]]) -> None:
    arrays = {name: torch.from_numpy(value) for name, value in load("ovam").items()}
    q, heads = arrays["up-b_q"], int(arrays["heads"])
    keys = split_heads((arrays["text"] @ arrays["up-b_wk"].T)[None], heads)
    ours = token_maps(Queries(q, Size(8, 8), 2), keys)[0]
    torch.testing.assert_close(ours * STEPS * heads, ovam_layers("softmax")[1].sum(dim=0))


@pytest.fixture(scope="module")
def iseg() -> dict[str, Tensor]:
    return {name: torch.from_numpy(value) for name, value in load("iseg").items() if value.dtype.kind != "U"}


@pytest.fixture(scope="module")
def classes() -> list[list[int]]:
    return json.loads(str(load("iseg")["token_sel"]))


@pytest.mark.parametrize(
    ("name", "clustered"), [("voc_it8_ent0015", True), ("ctx_it5_ent0002", True), ("coco_it10_ent02_nocluster", False)]
)
def test_iseg_class_maps(iseg: dict[str, Tensor], classes: list[list[int]], name: str, clustered: bool) -> None:
    """Levels 0.7 to 0.3, the 2x2 level given as a decoy; cells that are alike averaged, then each class's tokens."""
    maps = variants.iseg_cross([(0.7, iseg["cross_4"][0]), (0.3, iseg["cross_8"][0])], GRID)
    maps = variants.iseg_clustered(maps, every=2) if clustered else maps
    ours = torch.stack([maps[positions].mean(dim=0) for positions in classes])
    close(ours.flatten(1).T, iseg[f"cross_{name}"][0].numpy(), 1e-4)


@pytest.mark.parametrize(
    ("name", "rounds", "sharpen"),
    [
        ("voc_it8_ent0015", 8, 0.015),
        ("ctx_it5_ent0002", 5, 0.002),
        ("coco_it10_ent02_nocluster", 10, 0.2),
        ("it0", 0, 0.0),
    ],
)
def test_iseg_refinement(iseg: dict[str, Tensor], name: str, rounds: int, sharpen: float) -> None:
    chosen = iseg["heads_used"]
    q, k = (iseg[part][chosen][None] for part in ("q", "k"))
    attention = SelfAttention(q, k, sharpen=sharpen, scale=float(iseg["qk_scale"]))
    start = iseg[f"cross_{name}"][0].T.unflatten(-1, GRID)
    ours = variants.iseg_refined(start, attention, rounds=rounds, size=Size(32, 32))
    close(ours, iseg[f"map32_{name}"].numpy(), 1e-4)


def test_iseg_divergence(iseg: dict[str, Tensor]) -> None:
    close(variants.divergence(iseg["kl_x"], iseg["kl_y"]), iseg["kl"].float().numpy(), 5e-3)  # theirs is half precision


def test_iseg_backgrounds(iseg: dict[str, Tensor]) -> None:
    """Both rules: the square of what the classes leave, and a fixed level."""
    named = iseg["cls_label"][0].bool()
    maps = iseg["cams"][0] * named[:, None, None]
    for rule, background in (("bg0", against_background(maps)), ("bg045", torch.full(maps.shape[1:], 0.45))):
        labels = torch.cat([background[None], maps]).argmax(dim=0)
        np.testing.assert_array_equal(labels.numpy(), iseg[f"label_{rule}"][0].numpy())


def test_the_finest_self_attention_is_isegs(unet: nn.Module) -> None:
    layer: Layer = finest_self_attention(unet)
    assert layer.module is unet.up_blocks[3].attentions[1].transformer_blocks[0].attn1 and layer.stride == 1
