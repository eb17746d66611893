"""Words as people and file systems hand them over."""

import pytest

from ldznet_ext.errors import PhraseError
from ldznet_ext.words import check_negative, check_phrase, check_prompt


@pytest.mark.parametrize("text", ["fox", "\U0001f98a", "\u05e9\u05d5\u05e2\u05dc", "a\u202efox", "x" * 20_000])
def test_words_in_any_script(text: str) -> None:
    for check in (check_phrase, check_prompt, check_negative):
        check(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        (" \n", "is empty"),
        (3, "is of the type int"),
        (None, "is of the type NoneType"),
        ("x" * 20_001, "has 20,001 characters"),
        ("fox \ud83e", "is no valid Unicode at character 5"),
        ("\udcff", "is no valid Unicode at character 1"),
    ],
)
def test_words_that_are_none(text: object, said: str) -> None:
    checks = {check_phrase: "A phrase", check_prompt: "The prompt", check_negative: "The negative prompt"}
    for check, what in checks.items():
        if check is not check_negative or said != "is empty":
            with pytest.raises(PhraseError, match=f"^{what} {said}; .*so .*") as caught:
                check(text)
            str(caught.value).encode("utf-8")  # the sentence itself can be printed


@pytest.mark.parametrize("text", ["", "  "])
def test_a_negative_prompt_may_be_blank(text: str) -> None:
    check_negative(text)
