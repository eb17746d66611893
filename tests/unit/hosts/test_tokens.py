"""Unknown words and overlong phrases. (Token ids themselves are compared with transformers in the contract tests.)"""

import json
from pathlib import Path

import pytest

from ldznet_ext.errors import ModelError
from ldznet_ext.hosts.tokens import POSITIONS, Tokens, load_tokens
from tests.tiny import WORDS, write_tokenizer


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tokenizer")
    vocabulary = write_tokenizer(folder)
    (folder / "seen.json").write_text(json.dumps([vocabulary[f"{word}</w>"] for word in WORDS]))
    return folder


@pytest.fixture(scope="module")
def tokens(folder: Path) -> Tokens:
    return load_tokens(folder, folder / "seen.json")


@pytest.mark.parametrize(
    ("phrase", "unknown"),
    [
        ("fox", ()),
        ("The RED fox, on snow!", ()),
        ("cat", ("cat",)),
        ("a cat, and the fox's owl", ("cat", "fox's")),
        ("cat cat", ("cat",)),
        ("\U0001f98a", ("\U0001f98a",)),
        ("\u05e9\u05d5\u05e2\u05dc", ("\u05e9\u05d5\u05e2\u05dc",)),
        ("fox\u200f", ("fox\u200f",)),
        ("...", ("...",)),
        (" !!! ", ("!!!",)),
        ("\u201c\u2026\u201d", ("\u201c\u2026\u201d",)),
        ("fox ...", ()),
    ],
)
def test_unknown_words(tokens: Tokens, phrase: str, unknown: tuple[str, ...]) -> None:
    assert tokens.unknown_words(phrase) == unknown


def test_without_a_list_every_word_is_known(folder: Path) -> None:
    assert load_tokens(folder).unknown_words("cat") == ()
    assert load_tokens(folder).unknown_words("!!!") == ("!!!",)  # but that is no word


@pytest.mark.parametrize("layout", ["ids", "strings", "object"])
def test_the_list_may_be_ids_or_strings(folder: Path, tmp_path: Path, layout: str) -> None:
    vocabulary = json.loads((folder / "vocab.json").read_text("utf-8"))
    content = {"ids": [vocabulary["fox</w>"]], "strings": ["fox</w>"], "object": {"tokens": ["fox</w>"]}}[layout]
    (tmp_path / "seen.json").write_text(json.dumps(content))
    tokens = load_tokens(folder, tmp_path / "seen.json")
    assert tokens.unknown_words("fox owl") == ("owl",)


def test_a_garbled_list_is_a_sentence(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "seen.json").write_text("{")
    with pytest.raises(ModelError, match="not a list of tokens"):
        load_tokens(folder, tmp_path / "seen.json")


def test_a_learned_word_leaves_longer_words_alone(tokens: Tokens) -> None:
    """It may be called as a piece of the vocabulary: the numbers of both are the same then."""
    longer, wider = ["zq", "qz", "zz"], tokens.with_words({"z": (900, 901)})
    assert len(tokens.ids("zq")) == 2, "no word of the vocabulary, else this could not fail"
    assert wider.ids("a z, Z") == [*tokens.ids("a"), 900, 901, *tokens.ids(","), 900, 901]
    assert [wider.ids(word) for word in longer] == [tokens.ids(word) for word in longer]


def test_overlong_phrases_are_cut_at_75_tokens(tokens: Tokens) -> None:
    ids = tokens.encode("fox " * 300)
    assert len(ids) == POSITIONS and len(set(ids[1:-1])) == 1 and ids[-1] != ids[1]
    assert tokens.overflow("fox " * 300) == 225
    assert tokens.overflow("fox " * 75) == 0


def test_a_folder_without_a_tokenizer_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="holds no readable tokenizer"):
        load_tokens(tmp_path)


def test_a_foreign_vocabulary_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "vocab.json").write_text('{"a": 0}')
    (tmp_path / "merges.txt").write_text("#version: 0.2\n")
    with pytest.raises(ModelError, match="expected"):
        load_tokens(tmp_path)
