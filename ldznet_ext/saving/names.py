"""What a saved file is called: a pattern filled in, safe on every file system, never outside the folder it is written to.

The strictest rules win everywhere, so that a folder saved on one machine can be opened on any: no sign that Windows refuses, none
of its device names, no dot or blank at an end, composed Unicode (macOS decomposes it), and below the 255 bytes of Linux.
"""

import hashlib
import itertools
import re
import unicodedata
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from ldznet_ext.errors import OptionError
from ldznet_ext.saving.kinds import Kind

if TYPE_CHECKING:
    from ldznet_ext.saving.exports import Export, Item

DEFAULT = "{picture}"
PLACEHOLDERS: dict[str, str] = {
    "picture": "the picture's name without its ending",
    "words": "the words, as plain letters and dashes",
    "seed": "the mask's seed",
    "number": "which picture it is, from 0001",
    "method": "how it was segmented, such as ldznet",
    "model": "the diffusion model's name",
    "width": "of the picture, in pixels",
    "height": "of the picture, in pixels",
    "kind": "what the file is: mask, prob, cutout, ...; without it that is added at the end",
}
"""What a pattern may hold, in curly brackets. A / in it makes subfolders."""
LONGEST_PART = 200
"""Bytes of a file's or folder's name; with the longest ending and a number it stays below 255."""
LONGEST_WORDS = 60
_FIELD = re.compile(r"\{([^{}]*)\}")
_REFUSED = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]')
_DEVICES = re.compile(r"(CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|(COM|LPT)[0-9\u00b9\u00b2\u00b3])(\..*)?", re.IGNORECASE)


def name(pattern: str, item: "Item", number: int, kind: str = "") -> str:
    """A pattern filled in for one picture, without an ending: a path relative to the folder, its parts divided by /.

    number: from 1. kind: fills {kind}. OptionError for a placeholder that there is not.
    """
    return _filled(check_pattern(pattern), _values(item, number, kind))


def file_names(
    pattern: str, item: "Item", number: int, kinds: Iterable[Kind], taken: Callable[[str], bool] = lambda name: False
) -> dict[str, str]:
    """The names of one picture's files by kind: photo_mask.png, or, where the pattern has {kind}, with its ending alone.

    Where one of them is taken all are numbered: photo-2_mask.png.
    """
    bare = {kind: name(pattern, item, number, kind.name) for kind in kinds}
    ends = {kind: kind.ending if "{kind}" in pattern else kind.suffix for kind in bare}
    for count in itertools.count(1):
        mark = f"-{count}" if count > 1 else ""
        names = {kind.name: f"{stem}{mark}{ends[kind]}" for kind, stem in bare.items()}
        if not any(map(taken, names.values())):
            return names
    raise AssertionError("there is always another number")


def file_name(pattern: str, item: "Item", number: int, export: "Export") -> str:
    """The name of one file of a picture."""
    return file_names(pattern, item, number, [export.kind])[export.kind.name]


def check_pattern(pattern: str) -> str:
    """The pattern, or OptionError in a sentence for one that could name nothing."""
    for found in _FIELD.findall(pattern):
        if found not in PLACEHOLDERS:
            known = ", ".join(f"{{{one}}}" for one in PLACEHOLDERS)
            raise OptionError(f"The pattern has {{{found:.40}}} in it; expected some of {known}, so use those.")
    rest = _FIELD.sub("", pattern)
    if "{" in rest or "}" in rest:
        raise OptionError(
            f'The pattern "{pattern:.60}" has a bracket without its other; expected "{DEFAULT}", so close it.'
        )
    if not pattern.strip(" ./\\"):
        raise OptionError(f'The pattern "{pattern:.60}" names nothing; expected one such as "{DEFAULT}", so give that.')
    return pattern


def safe(text: str, longest: int = LONGEST_PART) -> str:
    """Text as one name of a file or folder, without an ending; never empty, never "." or "..".

    >>> safe('a/b: "c"?'), safe("con"), safe(" .. ")
    ('a_b_ _c__', 'con_', '_')
    """
    clean = unicodedata.normalize("NFC", text.encode("utf-8", "ignore").decode("utf-8"))
    clean = _REFUSED.sub("_", "".join(" " if unicodedata.category(one) in ("Zl", "Zp", "Cf") else one for one in clean))
    clean = clean.strip(" .")
    if len(clean.encode("utf-8")) > longest:
        clean = clean.encode("utf-8")[:longest].decode("utf-8", "ignore").rstrip(" .")
    return f"{clean}_" if _DEVICES.fullmatch(clean) else clean or "_"


def spoken(words: tuple[str, ...]) -> str:
    """Expressions as a name of letters, digits and dashes, in their own script; long ones are cut and told apart by a mark.

    >>> spoken(("fox & !tail", "red balloon"))
    'fox-tail-red-balloon'
    """
    plain = "-".join(re.findall(r"[^\W_]+", unicodedata.normalize("NFC", " ".join(words)))) or "words"
    if len(plain.encode("utf-8")) <= LONGEST_WORDS:
        return plain
    mark = hashlib.sha256("\n".join(words).encode("utf-8", "surrogatepass")).hexdigest()[:6]
    return f"{plain.encode('utf-8')[:LONGEST_WORDS].decode('utf-8', 'ignore').rstrip('-')}-{mark}"


def _values(item: "Item", number: int, kind: str) -> dict[str, str]:
    recipe = item.recipe
    return {
        "picture": item.stem,
        "words": spoken(recipe.words),
        "seed": str(recipe.settings.seed),
        "number": f"{number:04d}",
        "method": recipe.settings.method,
        "model": recipe.model,
        "width": str(item.picture.shape[1]),
        "height": str(item.picture.shape[0]),
        "kind": kind,
    }


def _filled(pattern: str, values: dict[str, str]) -> str:
    """Each part by itself: a / in a value makes no folder, and neither values nor pattern leave the folder by .."""
    parts = [part for part in pattern.replace("\\", "/").split("/") if part.strip(" .")]
    return "/".join(safe(_FIELD.sub(lambda found: values[found[1]], part)) for part in parts)
