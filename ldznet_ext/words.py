"""Words that a person gives: what is to be found, painted or avoided, checked before any model sees them."""

from ldznet_ext.errors import PhraseError

MAX_CHARACTERS = 20_000


def check_phrase(phrase: str) -> None:
    """Refuse a phrase that is not text, is blank, is absurdly long, or holds half a character (a lone surrogate)."""
    _check_text(phrase, "A phrase", 'expected words such as "fox", so give some')


def check_prompt(prompt: str) -> None:
    """Refuse a prompt for the same reasons."""
    _check_text(prompt, "The prompt", 'expected what to paint, such as "a fox on snow", so give it')


def check_negative(negative: str) -> None:
    """Refuse what a picture is to be drawn away from for the same reasons, but that it may be blank."""
    if not isinstance(negative, str) or negative.strip():
        _check_text(negative, "The negative prompt", "expected what to avoid, so give that or nothing")


def _check_text(text: str, what: str, remedy: str) -> None:
    if not isinstance(text, str):
        raise PhraseError(f"{what} is of the type {type(text).__name__}; {remedy}.")
    if not text.strip():
        raise PhraseError(f"{what} is empty; {remedy}.")
    if len(text) > MAX_CHARACTERS:
        raise PhraseError(f"{what} has {len(text):,} characters; expected at most {MAX_CHARACTERS:,}, so shorten it.")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise PhraseError(
            f"{what} is no valid Unicode at character {error.start + 1}; expected text in UTF-8, so type it again."
        ) from None
