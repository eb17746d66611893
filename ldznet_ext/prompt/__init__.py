"""The mask language: "fox & !tail" to a tree, the tree to text again, and to one map out of the phrases' maps.

docs/words.md is the language on one page.
"""

from ldznet_ext.prompt.parse import parse
from ldznet_ext.prompt.tree import And, Grow, Instance, Not, Or, Phrase, Threshold, Tree, Weight, phrases_of
from ldznet_ext.prompt.write import write

__all__ = [
    "And",
    "Grow",
    "Instance",
    "Not",
    "Or",
    "Phrase",
    "Threshold",
    "Tree",
    "Weight",
    "parse",
    "phrases_of",
    "write",
]
