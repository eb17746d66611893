"""Expressions as hypothesis makes them: phrases in any script, signs and quotes among them, and every node over them."""

from hypothesis import strategies as st

from ldznet_ext.prompt.tree import And, Grow, Instance, Not, Or, Phrase, Threshold, Tree, Weight

SIGNS = [
    "&",
    "|",
    "!",
    "(",
    ")",
    "{",
    "}",
    "*",
    "@",
    '"',
    "'",
    "‘",
    "’",
    "“",
    "”",
    "\\",
    "+12",
    "-4",
    "- 4",
    "−4px",
    "#1",
    "#",
    "AND",
    "NOT",
    "and",
]
TEXTS = st.lists(
    st.sampled_from([*SIGNS, "fox", "dog's", "F-16", "尾巴", "лиса", "🦊", '5"', "1.5", ",", "x"]),
    min_size=1,
    max_size=4,
)
ANY = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12).filter(str.strip)
PHRASES = st.builds(Phrase, TEXTS.map(" ".join) | TEXTS.map("".join) | ANY)


def _over(parts: st.SearchStrategy[Tree], bent: bool) -> st.SearchStrategy[Tree]:
    several = st.lists(parts, min_size=2, max_size=3).map(tuple)
    straight = st.builds(And, several) | st.builds(Or, several) | st.builds(Not, parts)
    straight |= st.builds(Instance, parts, st.integers(1, 3) | st.just(999))
    if not bent:
        return straight | st.builds(Grow, parts, st.integers(-9, 9))
    return (
        straight
        | st.builds(Weight, parts, st.floats(0.001, 1000) | st.sampled_from([1.5, 6, 0.5]))
        | st.builds(Threshold, parts, st.floats(1e-6, 0.999999) | st.sampled_from([0.4, 0.5]))
        | st.builds(Grow, parts, st.integers(-1024, 1024))
    )


def trees(leaves: st.SearchStrategy[Tree] = PHRASES, most: int = 8, bent: bool = True) -> st.SearchStrategy[Tree]:
    """Trees over such phrases; without weights and thresholds unless `bent`."""
    return st.recursive(leaves, lambda parts: _over(parts, bent), max_leaves=most)
