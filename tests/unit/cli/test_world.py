"""`ldznet world`: rendering test sets, with art made here."""

import json

import numpy as np
import pytest
from PIL import Image

from ldznet_ext.eval.datasets import load
from ldznet_ext.world.concepts import named


@pytest.fixture
def art(tmp_path_factory, monkeypatch):
    """Discs of many colours for every named object, in style fluent."""
    folder = tmp_path_factory.mktemp("art")
    y, x = np.mgrid[:64, :64] - 31.5
    disc = np.where(y**2 + x**2 < 900, 255, 0).astype(np.uint8)[2:-2, 2:-2]
    sprites = {}
    for number, thing in enumerate(named()):
        colour = np.full((60, 60, 3), (number * 37 % 256, number * 91 % 256, number * 13 % 256), np.uint8)
        sprites[f"fluent/{thing.name}"] = np.dstack([colour, disc])
    np.savez_compressed(folder / "fluent.npz", **sprites)
    monkeypatch.setenv("LDZNET_ART", str(folder))
    return folder


def render(ldznet, *options):
    return ldznet("world", "render", "--style", "fluent", "-n", 2, "--size", 128, "--json", *options)


def test_a_rendered_set_is_one_that_evaluate_reads(ldznet, art, tmp_path):
    answer = render(ldznet, "-o", "set", "--seed", 3).json
    assert (answer["data"], answer["scenes"], answer["split"], answer["seed"]) == ("set", 2, "test", 3)
    examples = load(str(tmp_path / "set"))
    assert len(examples) == answer["lines"] > 4
    assert {example.picture.shape for example in examples} == {(128, 128, 3)}
    assert any(example.mask is None for example in examples)
    assert all(
        example.mask.shape == (128, 128) and example.mask.any() for example in examples if example.mask is not None
    )
    masks = sorted((tmp_path / "set" / "masks").iterdir())
    assert {Image.open(path).mode for path in masks} == {"1"}
    rows = [json.loads(line) for line in (tmp_path / "set" / "annotations.jsonl").read_text().splitlines()]
    assert {row["mask"] for row in rows if row["mask"]} == {f"masks/{path.name}" for path in masks}
    assert {row["image"] for row in rows} == {"00000.png", "00001.png"}


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(ldznet, art, tmp_path):
    for folder, seed in (("a", 1), ("b", 1), ("c", 2)):
        assert render(ldznet, "-o", folder, "--seed", seed, "--format", "webp").code == 0
    first, again, other = ({p.name: p.read_bytes() for p in (tmp_path / x).rglob("*.*")} for x in "abc")
    assert first == again != other and "00001.webp" in first


@pytest.mark.parametrize(
    "options", [["-n", "0"], ["--size", "32"], ["--seed", "-1"], ["--style", "oil"], ["--split", "dev"]]
)
def test_settings_out_of_range(ldznet, art, tmp_path, options):
    render(ldznet, "-o", "set", *options).complaint  # noqa: B018
    assert not (tmp_path / "set").exists()


def test_art_that_is_not_fetched(ldznet, tmp_path):
    assert "ldznet world fetch" in ldznet("world", "render", "--style", "noto", "-o", "set").complaint
    assert not (tmp_path / "set").exists()


def test_fetching_an_unknown_style_or_without_the_archives(ldznet):
    assert "oil" in ldznet("world", "fetch", "--style", "oil").complaint


def test_the_concepts(ldznet):
    answer = ldznet("world", "concepts", "--json").json["concepts"]
    fox = next(row for row in answer if row["name"] == "fox")
    assert (fox["group"], fox["set"]) == ("animals", "named") and isinstance(fox["synonyms"], list)
    assert sum(row["set"] == "named" for row in answer) == 64 and sum(row["set"] == "held_out" for row in answer) == 20
    lines = ldznet("world", "concepts").out.splitlines()
    assert [line.split("  ")[0] for line in lines] == [row["name"] for row in answer]
    assert next(line for line in lines if line.startswith("fox ")).split() == ["fox", "animals", "named"]
