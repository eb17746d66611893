"""The things a prompt names as phrases to look for, and what was found of them in order; the same for every desk."""

from dataclasses import replace
from typing import TYPE_CHECKING

from ldznet_ext.errors import PhraseError
from ldznet_ext.result import FOUND

if TYPE_CHECKING:
    from ldznet_ext.prompt.tree import Tree
    from ldznet_ext.result import Segmentation


def named(prompt: str) -> "list[Tree]":
    """A phrase for each thing the prompt names; PhraseError where it names none."""
    from ldznet_ext.prompt.nouns import things
    from ldznet_ext.prompt.tree import Phrase

    found: list[Tree] = [Phrase(thing) for thing in things(prompt)]
    if not found:
        raise PhraseError(
            f'The prompt "{prompt[:60]}" names no thing; expected some, such as "a fox on snow", so give words yourself.'
        )
    return found


def ranked(result: "Segmentation") -> "Segmentation":
    """The same with its answers in order: found ones first, the likeliest before the others."""
    phrases = sorted(result.phrases, key=lambda phrase: (phrase.status != FOUND, -phrase.score))
    return replace(result, phrases=tuple(phrases))
