"""Positions of phrases among the 77: packed, cut into pieces where they are long, weighted, averaged, never lost."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ldznet_ext.errors import PhraseError
from ldznet_ext.hosts.standalone import StandaloneBackbone
from ldznet_ext.segmenters.tokens import ROOM, Span, Template, compose, cut, mean_over, occurrences, states_of

TEMPLATE = Template(lead="a photo of", joint="and", rivals=("clear sky", "grass"))


def letters(text: str) -> list[str]:
    """A tokenizer with a token a letter."""
    return list(text.replace(" ", ""))


def read(texts: tuple[str, ...], span: Span, tokenize=str.split) -> list[str]:
    """The tokens a span names."""
    return tokenize(texts[span.row])[span.start - 1 : span.stop - 1]


@given(
    phrases=st.lists(
        st.lists(st.sampled_from("abcde"), min_size=1, max_size=160).map(" ".join), min_size=1, max_size=6
    ),
    together=st.booleans(),
)
def test_every_token_of_every_phrase_is_at_its_place(phrases: list[str], together: bool) -> None:
    prompt = compose(str.split, phrases, TEMPLATE, together=together)
    assert all(len(text.split()) <= ROOM for text in prompt.texts)
    for phrase, spans in zip(phrases, prompt.phrases, strict=True):
        assert [token for span in spans for token in read(prompt.texts, span)] == phrase.split()
    rivals = [" ".join(read(prompt.texts, span)) for span in prompt.rivals]
    assert rivals == ["clear sky", "grass"] * len(prompt.texts)
    assert [read(prompt.texts, span) for span in prompt.words] == [text.split() for text in prompt.texts]


def test_phrases_share_a_text_or_have_their_own() -> None:
    assert len(compose(str.split, ["fox", "owl"], TEMPLATE).texts) == 1
    alone = compose(str.split, ["fox", "owl"], TEMPLATE, together=False)
    assert alone.texts == tuple(f"a photo of {word} , clear sky , grass" for word in ("fox", "owl"))


def test_a_word_without_blanks_is_cut_too() -> None:
    pieces = cut(letters, "a" * 100 + " bc", 30)
    assert all(len(letters(piece)) <= 30 for piece in pieces) and letters("".join(pieces)) == [*"a" * 100, "b", "c"]


def test_rivals_that_leave_no_room_are_left_out() -> None:
    prompt = compose(letters, ["fox"], Template(rivals=("sky", "a" * 60, "sea")))
    assert prompt.texts == ("fox , sky",) and len(prompt.rivals) == 1


def test_no_token_is_a_sentence() -> None:
    with pytest.raises(PhraseError, match="has no token"):
        cut(str.split, " ")


def test_occurrences_raise_for_words_that_are_not_there() -> None:
    with pytest.raises(PhraseError, match="is not in the prompt"):
        occurrences(str.split, "a fox", "owl")


def test_positions_are_those_of_the_model_s_own_tokens(backbone: StandaloneBackbone) -> None:
    phrases = ["red balloon", "the owl!", "cat"]  # the last in letters
    prompt = compose(backbone.token_ids, phrases, Template(joint="and", rivals=("snow",)))
    ids = backbone.tokens.encode(prompt.texts[0])
    for phrase, (span,) in zip(phrases, prompt.phrases, strict=True):
        assert ids[span.start : span.stop] == list(backbone.token_ids(phrase))
    (words,) = prompt.words
    assert ids[words.stop] == ids[-1] != ids[words.stop - 1]  # the end token follows


def test_a_weight_scales_its_own_positions_only(backbone: StandaloneBackbone) -> None:
    prompt = compose(backbone.token_ids, ["red fox", "owl"])
    plain, weighted = backbone.text(prompt.texts), states_of(backbone, prompt, [1.4, 1.0])
    torch.testing.assert_close(weighted[0, 1:3], 1.4 * plain[0, 1:3])
    assert torch.equal(weighted[0, 3:], plain[0, 3:]) and torch.equal(weighted[0, 0], plain[0, 0])
    assert torch.equal(backbone.text(prompt.texts), plain)  # the cached states stay


def test_the_mean_weighs_every_position_alike() -> None:
    maps = torch.arange(2 * 77 * 3, dtype=torch.float32).reshape(2, 77, 3)
    (mean,) = mean_over(maps, [(Span(0, 1, 3), Span(1, 4, 5))])
    torch.testing.assert_close(mean, (maps[0, 1] + maps[0, 2] + maps[1, 4]) / 3)
