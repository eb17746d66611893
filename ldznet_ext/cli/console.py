"""What the command line says, and where: one JSON object or a short report on standard output, all else on standard error."""

import contextlib
import json
import math
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ldznet_ext.errors import OutputError

Tick = Callable[[int, int], None]
"""Called with what is done and what there is to do."""


def debugging() -> bool:
    """Whether LDZNET_DEBUG asks for tracebacks and warnings."""
    return os.environ.get("LDZNET_DEBUG", "") not in ("", "0")


def prepare_streams() -> None:
    """Words may be in any script, the terminal in any encoding: print an escape rather than fail."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError, OSError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


def say(text: str) -> None:
    """A line for people, on standard error; where that is full or closed nobody reads it, and the work goes on."""
    try:
        print(text, file=sys.stderr, flush=True)
    except (OSError, ValueError):
        _drop(sys.stderr)


def settle() -> None:
    """Empty standard error before the end: what does not fit there must not decide the exit code."""
    try:
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError):
        _drop(sys.stderr)


def tell(text: str) -> None:
    """A line of the short report, on standard output; OutputError where that is full."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        drop_output()
        reason = error.strerror or error
        raise OutputError(
            f"The answer could not be written to standard output ({reason}); expected space there, so free some."
        ) from None


def give(as_json: bool, value: dict[str, Any], lines: Iterable[str]) -> None:
    """The answer of a command: its object where --json asks for it, else its lines for people."""
    if as_json:
        emit(value)
        return
    for line in lines:
        tell(line)


def emit(value: dict[str, Any]) -> None:
    """Print one JSON object on one line; numbers are finite, and characters the stream lacks are escaped."""
    text = json.dumps(finite(value), ensure_ascii=False, allow_nan=False)
    encoding = getattr(sys.stdout, "encoding", None) or "ascii"
    try:
        text.encode(encoding)
    except (UnicodeError, LookupError):
        text = json.dumps(finite(value), allow_nan=False)
    tell(text)


def drop_output() -> None:
    """Let nothing more reach standard output: a flush at exit would fail once more, and say so."""
    _drop(sys.stdout)


def _drop(stream: Any) -> None:
    with contextlib.suppress(OSError, ValueError, AttributeError):
        number = stream.fileno()
        os.dup2(os.open(os.devnull, os.O_WRONLY), number)


@contextlib.contextmanager
def quiet_output() -> Iterator[None]:
    """Send what libraries print to standard error, so that standard output carries the answer alone."""
    with contextlib.redirect_stdout(_Forgiving(sys.stderr)):  # type: ignore[type-var]
        yield


class _Forgiving:
    """A stream whose being full is nobody's failure."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            self._stream.write(text)
        except (OSError, ValueError):
            _drop(self._stream)
        return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except (OSError, ValueError):
            _drop(self._stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def finite(value: Any, digits: int = 6) -> Any:
    """A copy fit for JSON: numbers rounded, NaN and infinities as null, tuples and numpy numbers as JSON knows them."""
    if isinstance(value, dict):
        return {str(key): finite(item, digits) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item, digits) for item in value]
    if isinstance(value, (bool, str, int)) or value is None:
        return value
    if hasattr(value, "item"):
        return finite(value.item(), digits)
    if isinstance(value, float):
        return round(value, digits) if math.isfinite(value) else None
    return str(value)


def one_line(error: BaseException) -> str:
    """An error's message without line breaks."""
    return " ".join(str(error).split()) or type(error).__name__


@contextlib.contextmanager
def progress(label: str, unit: str = "it") -> Iterator[Tick]:
    """A bar on standard error while the body runs, if that is a terminal; call what is yielded with (done, total)."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from tqdm import tqdm

    with tqdm(desc=label, unit=unit, unit_scale=unit == "B", file=sys.stderr, leave=False, dynamic_ncols=True) as bar:

        def tick(done: int, total: int) -> None:
            bar.total = total or None
            bar.update(done - bar.n)

        yield tick
