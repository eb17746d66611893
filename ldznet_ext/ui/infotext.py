"""All that is needed to repeat a mask, in a picture's parameters and back.

A web UI writes parameters as `Name: value, Name: value`, quotes a value with a comma, a colon or a line break as JSON, and reads
them back with rules of its own: a value in quotes loses them, `3x4` becomes two sizes, blanks at the ends fall away, an empty
value is an error, and a value that equals its name is written without it. Words may be any of that, so those go as JSON behind a
colon, which the host always quotes; all other words stay readable.
"""

import contextlib
import json
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from ldznet_ext import __version__
from ldznet_ext.errors import LdznetError
from ldznet_ext.job import ENABLED, JOB_OPTION, JOB_OPTIONS, Job
from ldznet_ext.request import TEXT, Option

if TYPE_CHECKING:
    from ldznet_ext.result import Segmentation

Component = TypeVar("Component")
Field = Callable[[Mapping[str, Any]], Any]
"""What a host calls with all parameters of a pasted infotext: a widget's value, or None to leave it as it is."""

LOCAL = ("save", "overlay")
"""What is shown and saved is the person's habit, not the picture's: neither written nor pasted."""
MODEL, HEAD, HEAD_MARK, VERSION = "LD-ZNet model", "LD-ZNet head", "LD-ZNet head fingerprint", "LD-ZNet version"
ESCAPED = "json: "
_SIZE = re.compile(r"(\d+)x(\d+)")
_UNSAFE = ("Cc", "Cs", "Zl", "Zp")
"""Unicode categories that do not survive a text box, a PNG or a line: controls, halves of characters, separators of lines."""


def to_infotext(job: Job, result: "Segmentation | None" = None) -> dict[str, str]:
    """What to add to a picture's parameters: every setting that is not the default, and what the mask was made with.

    Empty where masks are off. `result` names the method that "auto" took, the model, and the head with its fingerprint
    (`weights.fingerprint`), which is no hash of the whole file.
    """
    if not job.enabled:
        return {}
    settings = job.to_mapping()
    if result is not None and job.mask.method == JOB_OPTION["method"].default:
        settings["method"] = result.method
    written = {JOB_OPTION[name].infotext: value for name, value in settings.items() if name not in LOCAL}
    texts = {key: value if isinstance(value, str) else str(value) for key, value in written.items()}
    made = {MODEL: result.model, **_head(result)} if result is not None else {}
    return {key: escape(text, key) for key, text in {**texts, **made, VERSION: __version__}.items() if text}


def from_infotext(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The accordion's settings by name in a host's reading of an infotext, defaults where it says nothing.

    Empty where the picture was made without masks. A value that cannot be (someone edited it) counts as not said.
    """
    if str(parameters.get(ENABLED.infotext, "")).lower() != "true":
        return {}
    return {option.name: _read(option, parameters) for option in JOB_OPTIONS if option.name not in LOCAL}


def paste_fields(components: Sequence[Component]) -> list[tuple[Component, Field]]:
    """Pairs for a script's `infotext_fields`, the components being in the order of `JOB_OPTIONS`.

    Pasting the parameters of a picture without masks turns them off and leaves the rest as it is. A gallery's "Send to" carries
    fields by name alone, so not these: what was to be masked and repainted in txt2img is not to be so again in img2img.
    """
    pairs = zip(components, JOB_OPTIONS, strict=True)
    return [(component, _field(option)) for component, option in pairs if option.name not in LOCAL]


def escape(text: str, key: str = "") -> str:
    """Text as a host's infotext keeps it; `key` is the name it stands under.

    >>> escape("fox & !tail, or an owl"), escape("3x4"), escape('"fox"')
    ('fox & !tail, or an owl', 'json: "3x4"', 'json: "\\\\"fox\\\\""')
    """
    plain = (
        text == text.strip() != ""
        and not text.startswith(('"', ESCAPED.strip()))
        and not _SIZE.match(text)
        and text != key
        and not any(unicodedata.category(letter) in _UNSAFE for letter in text)
    )
    return text if plain else ESCAPED + json.dumps(text)


def unescape(text: str) -> str:
    """The other way round; ValueError where someone damaged it.

    >>> unescape(escape('"3x4"'))
    '"3x4"'
    """
    if not text.startswith(ESCAPED.strip()):
        return text
    read = json.loads(text[len(ESCAPED.strip()) :])
    if not isinstance(read, str):
        raise ValueError("no text")
    return read


def _read(option: Option, parameters: Mapping[str, Any]) -> Any:
    """One setting, checked as the job checks it."""
    given = parameters.get(option.infotext)
    if given is None:
        return option.default
    try:
        value = option.read(unescape(str(given)) if option.kind == TEXT else str(given))
        job = Job.from_mapping({option.name: value})
    except (LdznetError, ValueError):
        return option.default
    return job.to_mapping().get(option.name, option.default)


def _field(option: Option) -> Field:
    def paste(parameters: Mapping[str, Any]) -> Any:
        settings = from_infotext(parameters)
        if not settings:
            return False if option is ENABLED else None
        return option.to_widget(settings[option.name])

    return paste


def _head(result: "Segmentation") -> dict[str, str]:
    name = str(result.provenance.get("head") or "")
    return {HEAD: name, HEAD_MARK: mark_of(name)} if name else {}


def mark_of(head: str) -> str:
    """A head's fingerprint, or nothing where its file is in none of the model folders."""
    from ldznet_ext.weights import fingerprint, model_folders

    for path in (folder / head for folder in model_folders()):
        with contextlib.suppress(OSError):
            return fingerprint(path)
    return ""
