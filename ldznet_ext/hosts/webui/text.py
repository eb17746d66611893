"""Words as a web UI's prompt parser takes them, and where their tokens stand in its chunks of 77.

The parsers of A1111, Forge and reForge read brackets as weights and BREAK as a new chunk; a phrase means them as words.
"""

from typing import Any

from ldznet_ext.errors import ModelError

ROOM = 75
"""Tokens between a chunk's start and its end."""
BRACKETS = str.maketrans({mark: f"\\{mark}" for mark in "()[]\\"})


def escape(text: str) -> str:
    r"""A text whose brackets the host's parser takes for brackets.

    >>> escape("a (red) fox [1]")
    'a \\(red\\) fox \\[1\\]'
    """
    return text.translate(BRACKETS)


def for_parser(text: str) -> str:
    """A text that the host's parser leaves as it is; its setting "emphasis" may be off, and brackets are no weights then."""
    from modules import shared

    text = text.replace("BREAK", "break")  # CLIP's vocabulary has small letters only
    return text if getattr(shared.opts, "emphasis", "Original") == "None" else escape(text)


def tokens_of(clip: Any, text: str) -> list[int]:
    """The tokens of a text in the host's own chunks, one after the other, without start, end and padding."""
    chunks, count = clip.tokenize_line(for_parser(text))
    ids = [token for chunk in chunks for token in chunk.tokens[1 : ROOM + 1]]
    return ids[:count]


def clip_of(model: Any) -> Any:
    """What cuts prompts into chunks: Forge's text engine, or the wrapped encoder; SDXL's first."""
    for name in ("text_processing_engine", "text_processing_engine_l", "text_processing_engine_g", "cond_stage_model"):
        found = getattr(model, name, None)
        if hasattr(found, "tokenize_line"):
            return found
        for embedder in getattr(found, "embedders", ()):
            if hasattr(embedder, "tokenize_line"):
                return embedder
    raise ModelError(
        "The loaded checkpoint has no text encoder of CLIP's kind; expected Stable Diffusion 1.x, 2.x or XL, so choose such a "
        "checkpoint."
    )
