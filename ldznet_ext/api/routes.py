"""The routes as plain functions of a desk, a body and a watch, and the status each refusal has.

A web framework's glue only carries JSON to and fro: see `web.py`.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ldznet_ext.api import schema
from ldznet_ext.api.jobs import NameTakenError, NoJobError
from ldznet_ext.api.limits import MediaTypeError, TooLargeError
from ldznet_ext.api.pictures import png
from ldznet_ext.api.replies import classes_reply, instance_reply, mask_reply
from ldznet_ext.errors import BusyError, CancelledError, HeadError, LdznetError, ModelError, OptionError
from ldznet_ext.result import FOUND
from ldznet_ext.watch import UNWATCHED, Watch

if TYPE_CHECKING:
    import numpy as np

    from ldznet_ext.request import MaskSettings
    from ldznet_ext.ui.desk import Desk

PREFIX = "/ldznet/v1"
_FOLDERS = re.compile(r"""(?<![\w.])(?:[A-Za-z]:)?[\\/](?:[^\s,;:'"\\/]+[\\/])+""")
BAD_REQUEST, MISSING, CONFLICT, TOO_LARGE, NO_JSON, FAULT, BUSY = 400, 404, 409, 413, 415, 500, 503
STATUSES: tuple[tuple[type[LdznetError], int], ...] = (
    (TooLargeError, TOO_LARGE),
    (MediaTypeError, NO_JSON),
    (BusyError, BUSY),
    (NoJobError, MISSING),
    (ModelError, CONFLICT),
    (HeadError, CONFLICT),
    (CancelledError, CONFLICT),
    (NameTakenError, CONFLICT),
)
"""What is not simply the request's fault: too large, too many wait, the host cannot now, work that was stopped."""
Json = dict[str, Any]


def masks(desk: "Desk", body: Any, watch: Watch = UNWATCHED) -> Json:
    """Masks of several words on several pictures. Base64 only: no path and no address is ever opened."""
    request = schema.read_masks(body)
    images, parts = [], _parts(watch, len(request.images) * len(request.expressions))
    for image in request.images:
        found = []
        for words in request.expressions:
            settings = replace(request.settings, words=words)
            result = desk.mask(image, settings, next(parts))
            found.append(mask_reply(image, result, settings, request.want, request.edits))
        images.append({"size": list(image.shape[:2]), "masks": found})
    return {**_answered(desk), "images": images}


def classes(desk: "Desk", body: Any, watch: Watch = UNWATCHED) -> Json:
    """Every pixel of several pictures with the name it belongs to, or with none."""
    request, label = schema.read_classes(body), _able(desk, "classes")
    images, parts = [], _parts(watch, len(request.images))
    for image in request.images:
        result = label(image, request.names, request.settings, next(parts), keep_absent=request.keep_absent)
        images.append(classes_reply(image, result, request.want))
    return {**_answered(desk), "images": images}


def like(desk: "Desk", body: Any, watch: Watch = UNWATCHED) -> Json:
    """What looks like a marked example, in its own picture or in others."""
    request, seek = schema.read_like(body), _able(desk, "like")
    from ldznet_ext.like import instances, mark

    marked = mark(request.image, request.example)  # what is wrong with it is said before anybody waits
    results = seek(request.image, request.example, request.others, request.settings, watch)
    images = []
    for image, result in zip(request.others or (request.image,), results, strict=True):
        found = [instance_reply(one) for one in instances(result, marked)]
        reply = mask_reply(image, result, request.settings, request.want)
        images.append({"size": list(image.shape[:2]), **reply, "instances": found})
    return {**_answered(desk), "images": images}


def generate(desk: "Desk", body: Any, watch: Watch = UNWATCHED) -> Json:
    """A picture from words, and masks in it from other words at no extra pass of the model."""
    request, paint = schema.read_generate(body), _able(desk, "generate")
    settings = replace(request.settings, words="")
    picture = paint(settings=settings, watch=watch.part(0, 0.9), **request.painting).picture
    found, parts = [], _parts(watch.part(0.9, 1), len(request.expressions))
    for words in request.expressions:
        asked = replace(settings, words=words)
        found.append(mask_reply(picture, desk.mask(picture, asked, next(parts)), asked, request.want))
    return {
        **_answered(desk),
        "image": png(picture),
        "size": list(picture.shape[:2]),
        "seed": request.painting["seed"],
        "masks": found,
    }


def edit(desk: "Desk", body: Any, watch: Watch = UNWATCHED) -> Json:
    """Repaint what a mask covers or words name; pixels away from it stay bit for bit."""
    request, repaint = schema.read_edit(body), _able(desk, "edit")
    mask, found = request.mask, None
    if mask is None:
        settings = replace(request.settings, words=request.words)
        mask, found = _found(desk, request.image, settings, watch.part(0, 0.2))
    picture = repaint(request.image, mask, watch=watch.part(0.2, 1), **request.painting)
    return {
        **_answered(desk),
        "image": png(picture),
        "size": list(picture.shape[:2]),
        "seed": request.painting["seed"],
        "masks": [] if found is None else [found],
    }


def methods(desk: "Desk") -> Json:
    """The methods, and in a sentence why some cannot be used with the loaded checkpoint."""
    about = desk.about()
    listed = [
        {"name": choice.name, "label": choice.label, "available": not choice.why_not, "why_not": choice.why_not}
        for choice in about.methods
    ]
    return {"methods": listed, "message": about.message}


def models(desk: "Desk") -> Json:
    """The loaded checkpoint, the trained heads there are for it, and what else could be loaded; names only, no folders."""
    about = desk.about()
    others = getattr(desk, "models", tuple)()
    return {
        "model": about.model,
        "family": about.family,
        "heads": list(about.heads),
        "convertible": list(about.convertible),
        "models": [
            {"name": one.name, "family": one.family, "bytes": one.bytes, "loaded": one.loaded} for one in others
        ],
        "message": about.message,
    }


def health(desk: "Desk") -> Json:
    """Who answers; loads nothing and waits for nobody."""
    from ldznet_ext import __version__

    return {"status": "ok", "host": desk.name, "version": __version__, "model": desk.about().model}


Work = Callable[["Desk", Any, Watch], Json]
POSTS: dict[str, Work] = {each.__name__: each for each in (masks, classes, like, generate, edit)}
GETS: dict[str, Callable[["Desk"], Json]] = {each.__name__: each for each in (methods, models, health)}
"""The routes by name. Those of POSTS take a body and wait their turn; those of GETS load nothing and wait for nobody."""


def refusal(error: Exception) -> tuple[int, dict[str, str]]:
    """Status and body of an error: as STATUSES says, else 400 where the request is wrong and 500 where we are."""
    if not isinstance(error, LdznetError):
        said = str(error).splitlines()[0] if str(error) else "no reason given"
        sentence = f"The work failed ({type(error).__name__}: {said:.200}); the host's log has the rest."
        return FAULT, {"error": without_folders(sentence)}
    status = next((status for kind, status in STATUSES if isinstance(error, kind)), BAD_REQUEST)
    return status, {"error": without_folders(str(error))}


def without_folders(sentence: str) -> str:
    """A sentence in which files of the server keep their names and lose their folders: who asks over the network knows neither.

    >>> without_folders("No head was found in /home/ann/webui/models/ldznet, C:\\\\ui\\\\models; and/or train one, 3/4.")
    'No head was found in ldznet, models; and/or train one, 3/4.'
    """
    from ldznet_ext.weights import model_folders

    for folder in model_folders():  # these may have blanks in their names
        sentence = sentence.replace(str(folder), folder.name)
    return _FOLDERS.sub("", sentence)


def _able(desk: "Desk", what: str) -> Callable[..., Any]:
    """What a desk can do; ModelError where it cannot: in a web UI the host paints by its own API."""
    found = getattr(desk, what, None)
    if found is None:
        raise ModelError(
            f"{desk.name} does not do '{what}' here; expected a host that does, so ask the web UI's own API or `ldznet serve`."
        )
    return found


def _parts(watch: Watch, count: int) -> Any:
    """A watch for each of so many equal parts of the work."""
    return (watch.part(number / count, (number + 1) / count) for number in range(count))


def _found(
    desk: "Desk", image: "np.ndarray", settings: "MaskSettings", watch: Watch
) -> tuple["np.ndarray", dict[str, Any]]:
    """The words' mask, uint8 (h w), and what is said of it; OptionError where there is nothing of it."""
    from ldznet_ext.pipeline import apply

    result = desk.mask(image, settings, watch)
    mask = apply(result, settings, None, image)
    if not (mask >= 128).any():
        status = "covers nothing" if result.phrases[0].status == FOUND else f"is {result.phrases[0].status}"
        raise OptionError(
            f'"{settings.words[:40]}" {status} in this picture; expected something to repaint, so try other words or send a mask.'
            + (f" {result.message}" if result.message else "")
        )
    return mask, mask_reply(image, result, settings, ())


def _answered(desk: "Desk") -> dict[str, str]:
    return {"host": desk.name, "model": desk.about().model}
