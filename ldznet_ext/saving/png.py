"""PNG with text in its metadata: encoded by OpenCV, which is many times faster than Pillow, and given a chunk of its own.

The chunk is `iTXt` (UTF-8, uncompressed), section 11.3.3.4 of the PNG specification; it stands right after the header, where
every reader finds it without decoding a pixel.
"""

import struct
import zlib

import cv2
import numpy as np

from ldznet_ext.errors import OutputError

SIGNATURE = b"\x89PNG\r\n\x1a\n"
HEADER_END = len(SIGNATURE) + 4 + 4 + 13 + 4
"""Bytes of the signature and of the header, which is always first and always 13 bytes long."""
_QUICK = [cv2.IMWRITE_PNG_COMPRESSION, 1]
_CODES = {3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}


def png(array: np.ndarray, texts: dict[str, str] | None = None, *, quick: bool = False) -> bytes:
    """uint8 (h w), uint16 (h w), uint8 RGB (h w 3) or RGBA (h w 4) as a PNG's bytes; texts by keyword, which is plain letters.

    quick: packed least, for what is read once, by a browser on the same machine.
    """
    if array.ndim == 3:
        array = cv2.cvtColor(array, _CODES[array.shape[2]])
    done, encoded = cv2.imencode(".png", array, _QUICK if quick else [])
    if not done:
        raise OutputError("A picture could not be encoded as PNG; expected enough memory, so use a smaller one.")
    content = encoded.tobytes()
    if not texts:
        return content
    chunks = b"".join(_chunk(key, text) for key, text in texts.items())
    return content[:HEADER_END] + chunks + content[HEADER_END:]


def text_of(content: bytes, key: str) -> str | None:
    """The text under a keyword, from a PNG's bytes; None where there is none that can be read."""
    place = len(SIGNATURE)
    while place + 12 <= len(content):
        length, kind = struct.unpack(">I4s", content[place : place + 8])
        body = content[place + 8 : place + 8 + length]
        if len(body) < length:
            break
        if kind == b"iTXt" and body.startswith(key.encode("latin-1") + b"\0"):
            return _text(body[len(key) + 1 :])
        if kind == b"IEND":
            break
        place += 12 + length
    return None


def _chunk(key: str, text: str) -> bytes:
    """Keyword, not compressed, neither a language nor the keyword in it, text."""
    body = b"iTXt" + key.encode("latin-1") + b"\0\0\0\0\0" + text.encode("utf-8")
    return struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))


def _text(rest: bytes) -> str | None:
    """What follows the keyword: two flags, two texts ended by zero, and ours; other programs may have compressed it."""
    try:
        compressed, after = rest[0], rest[2:]
        _, _, text = after.split(b"\0", 2)
        if compressed:
            unpacking = zlib.decompressobj()
            text = unpacking.decompress(text, 64 << 20)  # and no more: a bomb is no recipe
        return text.decode("utf-8")
    except (IndexError, ValueError, zlib.error):
        return None
