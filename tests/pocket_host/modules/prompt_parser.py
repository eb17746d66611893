"""Prompts: attention weights, AND; no schedules."""

import re
from collections.abc import Sequence

TOKEN = re.compile(r"\\[()\[\]\\]|[()\[\]]|:\s*([-+]?[.\d]+)\s*\)|\bBREAK\b|[^\\()\[\]:B]+|:|B|\\")


class SdConditioning(list):
    """Prompts with the size of the picture, which SDXL is told."""

    def __init__(
        self,
        prompts: Sequence[str],
        is_negative_prompt: bool = False,
        width: int | None = None,
        height: int | None = None,
        copy_from: "SdConditioning | None" = None,
        distilled_cfg_scale: float | None = None,
    ) -> None:
        super().__init__(prompts)
        source = copy_from if copy_from is not None else prompts
        self.is_negative_prompt = is_negative_prompt or getattr(source, "is_negative_prompt", False)
        self.width = width or getattr(source, "width", None)
        self.height = height or getattr(source, "height", None)


def parse_prompt_attention(text: str) -> list[tuple[str, float]]:
    """Texts with their weights: (x) is 1.1, [x] 1/1.1, (x:1.3) 1.3."""
    found: list[tuple[str, float]] = []
    open_at: list[tuple[str, int]] = []
    for match in TOKEN.finditer(text):
        token, weight = match[0], match[1]
        if token in ("(", "["):
            open_at.append((token, len(found)))
        elif weight is not None and open_at:
            _weigh(found, open_at.pop()[1], float(weight))
        elif token in (")", "]") and open_at:
            bracket, at = open_at.pop()
            _weigh(found, at, 1.1 if bracket == "(" else 1 / 1.1)
        else:
            found.append((token[-1] if token.startswith("\\") else token, 1.0))
    for bracket, at in open_at:
        _weigh(found, at, 1.1 if bracket == "(" else 1 / 1.1)
    return _joined(found) or [("", 1.0)]


def _weigh(found: list[tuple[str, float]], at: int, factor: float) -> None:
    found[at:] = [(text, weight * factor) for text, weight in found[at:]]


def _joined(found: list[tuple[str, float]]) -> list[tuple[str, float]]:
    joined: list[tuple[str, float]] = []
    for text, weight in found:
        if joined and joined[-1][1] == weight and "BREAK" not in (text, joined[-1][0]):
            joined[-1] = (joined[-1][0] + text, weight)
        else:
            joined.append((text, weight))
    return joined


def split_and(prompt: str) -> list[tuple[str, float]]:
    """The parts of a prompt divided by AND, each with its weight."""
    parts = []
    for part in re.split(r"\bAND\b", prompt):
        match = re.match(r"^((?:[^:]|:(?!\s*[-+\d.]+\s*$))*)(?::\s*([-+]?[\d.]+)\s*)?$", part.strip(), re.DOTALL)
        parts.append((match[1], float(match[2] or 1.0)) if match else (part.strip(), 1.0))
    return parts
