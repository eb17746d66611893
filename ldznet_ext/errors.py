"""The errors a user can meet. Each message is one sentence: what was got, what was expected, what to do.

The command line turns them into exit code 2, the API into a 4xx, the panel into one message.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class LdznetError(ValueError):
    """Base of every error a user can cause or mend."""

    @property
    def line(self) -> str:
        """The message for where breaks of lines and blanks in a row do not survive."""
        return str(self)


class PictureError(LdznetError):
    """A picture that is missing, unreadable, too large or of an impossible shape."""


class PhraseError(LdznetError):
    """Words that are empty or cannot be encoded."""


class ExpressionError(PhraseError):
    """Words that are no expression of the mask language.

    The message is `sentence`, and below it two lines: the text, and a caret under the character at `place`.
    """

    def __init__(self, message: str, *, sentence: str, place: int, near: str = "") -> None:
        super().__init__(message)
        self.sentence, self.place, self.near = sentence, place, near

    @property
    def line(self) -> str:
        """The sentence, and the text near the place with a mark before the character."""
        return f"{self.sentence} It is at the mark: {self.near}" if self.near else self.sentence


class OptionError(LdznetError):
    """A setting out of its range."""


class MethodError(LdznetError):
    """A segmentation method that does not exist or does not fit the loaded model."""


class ModelError(LdznetError):
    """A Stable Diffusion checkpoint that is missing, damaged or of an unsupported kind."""


class HeadError(LdznetError):
    """A trained head that is missing, damaged or made for another family."""


class DataError(LdznetError):
    """A data set, an annotation file or art that is missing or malformed."""


class NetworkError(LdznetError):
    """A download that failed, stalled or did not match its checksum."""


class RecipeError(LdznetError):
    """A recipe of a mask that is missing, damaged or none."""


class OutputError(LdznetError):
    """A result that could not be written."""


@contextmanager
def explained(target: Path, *, place: str = "folder", remedy: str) -> Iterator[None]:
    """Tell an OSError of the body as an OutputError about `target`: what it wants is a writable `place`, and what to do."""
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"{target} could not be written ({error.strerror or error}); expected a writable {place} with room for it, "
            f"so {remedy}."
        ) from error


class BusyError(LdznetError):
    """Work that was not taken, for too much of it waits already."""


class CancelledError(LdznetError):
    """Work that was stopped by who asked for it, or while it waited."""


BAD_SETTINGS = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What a network's constructor may raise when it is given settings out of a foreign file."""
