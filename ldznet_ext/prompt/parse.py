"""Text to tree. The grammar is `grammar.lark`; what it does not take is refused with a caret under the place."""

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ldznet_ext.errors import ExpressionError, PhraseError
from ldznet_ext.prompt.complaint import complaint, explain
from ldznet_ext.prompt.tree import And, Grow, Instance, Not, Or, Phrase, Threshold, Tree, Weight, check_extent
from ldznet_ext.words import check_phrase

if TYPE_CHECKING:
    from lark import Lark, Token
    from lark.exceptions import UnexpectedInput

Change = tuple["Token", type, float]
"""What stands behind a term: where, the node it makes, and its number."""
_MARKED = re.compile(
    r"""[&|!(){}*@"“”„«»「」]|(?:\A|\s)(?:['‘]|(?:AND|OR|NOT)(?:\s|\Z)|[+\-−–]\s*[0-9][0-9.,]*(?:px)?(?:\s|\Z))"""
    r"""|#[0-9][0-9.,]*(?=[\s&|!(){}*@"“”„«»「」]|#[0-9]|\Z)"""
)
"""What makes a text more than words."""


def parse(text: str) -> Tree:
    """The tree of an expression; ExpressionError (a PhraseError) where it is none.

    >>> parse("fox & !tail +12")
    And(parts=(Phrase(text='fox'), Not(part=Grow(part=Phrase(text='tail'), pixels=12))))
    >>> parse("a dog's t-shirt, white")
    Phrase(text="a dog's t-shirt, white")
    """
    check_phrase(text)
    return _parsed(text)


@lru_cache(maxsize=256)
def _parsed(text: str) -> Tree:
    exclaimed = not "".join(text.split()).strip("!")  # "!!!" negates nothing
    return Phrase(text) if exclaimed or is_words(text) else by_grammar(text)  # plain words spare the host lark's import


def is_words(text: str) -> bool:
    """Whether a text is one phrase as it stands.

    >>> is_words("dog's t-shirt"), is_words("hair +12"), is_words("cats AND dogs"), is_words("'cats'"), is_words("fox#1")
    (True, False, False, False, False)
    """
    return not _MARKED.search(text)


def by_grammar(text: str) -> Tree:
    """As `parse`; the grammar reads plain words too, and says the same of them."""
    from lark.exceptions import UnexpectedInput

    try:
        tree: Any = _grammar().parse(text)
    except UnexpectedInput as error:
        raise _refusal(text, error) from None
    except _Refused as refused:
        raise complaint(refused.sentence, text, refused.place) from None
    check_extent(tree)
    return tree


class _Refused(Exception):
    """A token that stands where it may and means nothing."""

    def __init__(self, sentence: str, token: "Token") -> None:
        self.sentence, self.place = sentence, int(token.start_pos or 0)


@lru_cache(maxsize=1)
def _grammar() -> "Lark":
    """The parser, made on its first use: importing lark and building the tables take a moment."""
    from lark import Lark, Transformer, v_args

    @v_args(inline=True)
    class Builder(Transformer):
        """A node of ours for each rule, made as the text is read: nothing recurses, however deep it is nested."""

        def phrase(self, *words: "Token") -> Tree:
            return Phrase(" ".join(words))

        def quoted(self, token: "Token") -> Tree:
            return _made(token, Phrase, _unquoted(token))

        def both(self, *parts: Tree) -> Tree:
            return And(parts)

        def either(self, *parts: Tree) -> Tree:
            return Or(parts)

        def negation(self, part: Tree) -> Tree:
            return Not(part)

        def weight(self, number: "Token") -> Change:
            return number, Weight, float(number)

        def threshold(self, number: "Token") -> Change:
            return number, Threshold, float(number)

        def growth(self, token: "Token") -> Change:
            return token, Grow, _pixels(token)

        def instance(self, token: "Token") -> Change:
            return token, Instance, _place(token)

        def changed(self, tree: Tree, *changes: Change) -> Tree:
            for token, kind, number in changes:
                tree = _made(token, kind, tree, number)
            return tree

    return Lark.open("grammar.lark", rel_to=__file__, parser="lalr", transformer=Builder())


def _made(token: "Token", kind: type, *values: Any) -> Tree:
    """A node; where its values are refused, with the place."""
    try:
        return kind(*values)
    except PhraseError as error:
        raise _Refused(str(error), token) from None


def _unquoted(token: str) -> str:
    """What stands between quotes; in straight ones a backslash makes a quote or a backslash a letter."""
    inner = token[1:-1]
    return re.sub(rf"\\([\\{token[0]}])", r"\1", inner) if token[0] in "\"'" else inner


def _pixels(token: "Token") -> int:
    sign, number = -1 if token[0] in "-−–" else 1, token[1:].removesuffix("px").strip()
    if not number.isdecimal() or len(number) > 9:
        raise _Refused(f'A growth is "{token:.30}"; expected whole pixels, so write one such as hair +12.', token)
    return sign * int(number)


def _place(token: "Token") -> int:
    number = token[1:]
    if not number.isdecimal() or len(number) > 9:
        raise _Refused(f'Behind # stands "{number:.30}"; expected a whole number, so write one such as fox#1.', token)
    return int(number)


def _refusal(text: str, error: "UnexpectedInput") -> ExpressionError:
    """What lark says, as a sentence."""
    from lark.exceptions import UnexpectedToken

    if not isinstance(error, UnexpectedToken):
        place = error.pos_in_stream or 0
        return explain(text, place, text[place], set(getattr(error, "allowed", None) or ()))
    expected = set(error.expected)
    if error.token.type == "$END":
        return explain(text, len(text.rstrip()), "", expected)
    return explain(text, error.token.start_pos or 0, str(error.token), expected)
