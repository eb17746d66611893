"""How much one request may bring and as what, so that no client takes the machine from the others."""

from ldznet_ext.errors import LdznetError

MAX_PICTURES = 16
MAX_EXPRESSIONS = 64
MAX_NAMES = 255
"""Names of classes; an 8-bit palette holds no more beside nothing."""
MAX_CLICKS = 64
MAX_MEGAPIXELS = 32
MAX_TOGETHER = 96
"""Megapixels of all pictures of a request, which are in memory at once."""
MAX_MASKS = 256
"""Masks in one answer: pictures times expressions."""
MAX_BODY = 128 << 20
"""Bytes of a whole request: sixteen large photographs as JPEG, or about four of the largest pictures as PNG."""
MAX_AT_ONCE = 16
"""Requests that are worked on or wait for the model."""
MAX_CHARACTERS = 20_000
"""Of a text."""


class TooLargeError(LdznetError):
    """More, or larger, than one request may bring: 413."""


class MediaTypeError(LdznetError):
    """A body that is not called JSON: 415."""
