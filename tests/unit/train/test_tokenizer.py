"""CLIP's vocabulary: the ids that every Stable Diffusion knows, checked against open_clip's own tokenizer."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

from ldznet_ext.errors import DataError
from ldznet_ext.train import tokenizer as subject
from ldznet_ext.train.tokenizer import bpe_file, tokens_seen, write_tokenizer

needs_open_clip = pytest.mark.skipif(bpe_file() is None, reason="open_clip_torch is not there")
TEXTS = ("a fox", "an owl & a doughnut, 3d render", "crème brûlée", "the smaller of the two X-wings", "🦊 42", "")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_tokenizer(tmp_path_factory.mktemp("tokenizer"))


@pytest.fixture(scope="module")
def clip(folder):
    from transformers import CLIPTokenizer

    return CLIPTokenizer.from_pretrained(folder)


@needs_open_clip
def test_the_vocabulary_is_clips(folder, clip):
    table = json.loads((folder / "vocab.json").read_text("utf-8"))
    assert len(table) == 49_408
    assert (table["<|startoftext|>"], table["<|endoftext|>"]) == (49_406, 49_407)
    assert sorted(table.values()) == list(range(49_408))
    assert clip("a fox")["input_ids"] == [49406, 320, 3240, 49407]


@needs_open_clip
@pytest.mark.parametrize("text", TEXTS)
def test_ids_are_open_clips(clip, text):
    pytest.importorskip("ftfy")
    pytest.importorskip("regex")
    path = Path(bpe_file()).with_name("tokenizer.py")
    spec = importlib.util.spec_from_file_location("open_clip_tokenizer", path)
    theirs = sys.modules.get(spec.name)
    if theirs is None:
        theirs = importlib.util.module_from_spec(spec)
        try:
            spec.loader.exec_module(theirs)
        except ImportError as error:
            pytest.skip(f"open_clip's tokenizer cannot be imported alone ({error})")
        sys.modules[spec.name] = theirs
    expected = theirs.SimpleTokenizer(bpe_path=str(bpe_file())).encode(text)
    assert clip(text)["input_ids"] == [49406, *expected, 49407]


@needs_open_clip
def test_77_positions_padded_with_the_end(clip):
    ids = clip("a fox", padding="max_length", truncation=True, max_length=77)["input_ids"]
    assert len(ids) == 77
    assert ids[3:] == [49407] * 74
    assert len(clip("fox " * 100, truncation=True, max_length=77)["input_ids"]) == 77


@needs_open_clip
def test_the_stand_alone_tokenizer_reads_the_folder_alike(folder, clip, tmp_path):
    from ldznet_ext.hosts.tokens import load_tokens

    (tmp_path / "seen.json").write_text(json.dumps(tokens_seen(clip, ["a fox on snow"])))
    tokens = load_tokens(folder, tmp_path / "seen.json")
    assert list(tokens.unknown_words("a fox on snow")) == []
    assert list(tokens.unknown_words("a fox on lava")) == ["lava"]


@needs_open_clip
def test_tokens_seen_are_sorted_and_each_once(clip):
    assert tokens_seen(clip, ["a fox", "fox a"]) == [320, 3240, 49406, 49407]


def test_without_open_clip_the_shipped_tokenizer_is_copied(tmp_path, monkeypatch):
    monkeypatch.setattr(subject, "bpe_file", lambda: None)
    monkeypatch.setattr(subject, "find_model", lambda name: None)
    with pytest.raises(DataError, match="vocabulary was not found"):
        write_tokenizer(tmp_path / "new")
    shipped = tmp_path / "sticker-sd" / "tokenizer"
    shipped.mkdir(parents=True)
    (shipped / "merges.txt").write_text("#version: 0.2\n")
    monkeypatch.setattr(subject, "find_model", lambda name: tmp_path / name)
    assert (write_tokenizer(tmp_path / "new") / "merges.txt").read_text() == "#version: 0.2\n"
