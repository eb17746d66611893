"""The four routes as plain functions of a desk and a body, and the status each refusal has.

A web framework's glue only carries JSON to and fro: see `hosts/webui/api.py`.
"""

import base64
import io
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ldznet_ext.api.schema import CUTOUT, MASK, OVERLAY, PROB, MasksRequest, TooLargeError, read_masks
from ldznet_ext.errors import HeadError, LdznetError, ModelError

if TYPE_CHECKING:
    import numpy as np

    from ldznet_ext.request import MaskSettings
    from ldznet_ext.result import PhraseResult, Segmentation
    from ldznet_ext.ui.desk import Desk

PREFIX = "/ldznet/v1"
_FOLDERS = re.compile(r"""(?<![\w.])(?:[A-Za-z]:)?[\\/](?:[^\s,;:'"\\/]+[\\/])+""")
BAD_REQUEST, CONFLICT, TOO_LARGE, FAULT = 400, 409, 413, 500


def masks(desk: "Desk", body: Any) -> dict[str, Any]:
    """`POST masks`: every expression on every picture. See `schema.EXAMPLE_REQUEST` and `EXAMPLE_ANSWER`."""
    request = read_masks(body)
    images = [_image(desk, image, request) for image in request.images]
    return {"host": desk.name, "model": desk.about().model, "images": images}


def methods(desk: "Desk") -> dict[str, Any]:
    """`GET methods`: what a mask can be asked of, and in a sentence why some cannot be now."""
    about = desk.about()
    listed = [
        {"name": choice.name, "label": choice.label, "available": not choice.why_not, "why_not": choice.why_not}
        for choice in about.methods
    ]
    return {"methods": listed, "message": about.message}


def models(desk: "Desk") -> dict[str, Any]:
    """`GET models`: the loaded checkpoint, and the heads there are for it. Names only, no folders of the server."""
    about = desk.about()
    return {
        "model": about.model,
        "family": about.family,
        "heads": list(about.heads),
        "convertible": list(about.convertible),
        "message": about.message,
    }


def health(desk: "Desk") -> dict[str, Any]:
    """`GET health`: who answers. It loads nothing and waits for nobody."""
    from ldznet_ext import __version__

    return {"status": "ok", "host": desk.name, "version": __version__, "model": desk.about().model}


def refusal(error: Exception) -> tuple[int, dict[str, str]]:
    """Status and body of an error: 413 too large, 409 the host cannot now, 400 the request; 500 for what is our fault."""
    if not isinstance(error, LdznetError):
        said = str(error).splitlines()[0] if str(error) else "no reason given"
        sentence = f"The mask failed ({type(error).__name__}: {said:.200}); the host's log has the rest."
        return FAULT, {"error": without_folders(sentence)}
    status = CONFLICT if isinstance(error, (ModelError, HeadError)) else BAD_REQUEST
    return TOO_LARGE if isinstance(error, TooLargeError) else status, {"error": without_folders(str(error))}


def without_folders(sentence: str) -> str:
    """A sentence in which files of the server keep their names and lose their folders: who asks over the network knows neither.

    >>> without_folders("No head was found in /home/ann/webui/models/ldznet, C:\\\\ui\\\\models; and/or train one, 3/4.")
    'No head was found in ldznet, models; and/or train one, 3/4.'
    """
    from ldznet_ext.weights import model_folders

    for folder in model_folders():  # these may have blanks in their names
        sentence = sentence.replace(str(folder), folder.name)
    return _FOLDERS.sub("", sentence)


def _image(desk: "Desk", image: "np.ndarray", request: MasksRequest) -> dict[str, Any]:
    settings = [replace(request.settings, words=words) for words in request.expressions]
    return {"size": list(image.shape[:2]), "masks": [_mask(desk, image, each, request.want) for each in settings]}


def _mask(desk: "Desk", image: "np.ndarray", settings: "MaskSettings", want: Sequence[str]) -> dict[str, Any]:
    """One expression on one picture. `box` and `area` are those of the mask that is sent, grown and inverted as asked."""
    from ldznet_ext.masks.components import box_of
    from ldznet_ext.pipeline import apply

    result = desk.mask(image, settings)
    mask = apply(result, settings)
    answer, solid = result.phrases[0], mask >= 128
    return {
        "words": settings.words,
        **_judged(answer),
        "box": _box(box_of(solid)),
        "area": int(solid.sum()),
        "terms": [{"text": term.text, **_judged(term)} for term in answer.terms],
        **_pictures(image, mask, result, want),
        "method": result.method,
        "familiar": result.familiar,
        "message": result.message,
        "unet_calls": result.unet_calls,
        "seconds": {name: round(float(value), 4) for name, value in result.seconds.items()},
    }


def _judged(answer: "PhraseResult") -> dict[str, Any]:
    score = float(answer.score)
    return {
        "status": answer.status,
        "score": score if 0 <= score <= 1 else 0.0,  # false for NaN, which JSON has not
        "box": _box(answer.box),
        "area": int(answer.area),
    }


def _box(box: Sequence[int] | None) -> list[int] | None:
    return None if box is None else [int(edge) for edge in box]


def _pictures(image: "np.ndarray", mask: "np.ndarray", result: "Segmentation", want: Sequence[str]) -> dict[str, str]:
    """The wanted pictures as base64 PNGs, all of the picture's size."""
    import numpy as np

    from ldznet_ext.masks.ops import to_sixteen_bits
    from ldznet_ext.masks.overlay import overlay

    draw = {
        MASK: lambda: mask,
        PROB: lambda: to_sixteen_bits(result.prob),
        OVERLAY: lambda: overlay(image, mask >= 128),
        CUTOUT: lambda: np.dstack([image, mask]),
    }
    return {kind: _png(draw[kind]()) for kind in want}


def _png(array: "np.ndarray") -> str:
    """uint8 (h w), (h w 3) or (h w 4), or uint16 (h w), as a PNG in base64."""
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(array).save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode("ascii")
