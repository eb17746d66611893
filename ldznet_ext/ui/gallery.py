"""A picture in a host's gallery, and the mask that the accordion above it asks for: no Gradio, no model of its own."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from PIL import Image

from ldznet_ext.errors import PictureError
from ldznet_ext.job import JOB_OPTION, Job
from ldznet_ext.request import OPTION
from ldznet_ext.ui import handlers
from ldznet_ext.ui.origins import ORIGINS
from ldznet_ext.ui.views import View, said

if TYPE_CHECKING:
    from ldznet_ext.ui.desk import Desk

FIELDS = (*OPTION, "source")
"""Settings of the accordion that say what the masks under a gallery are."""
NO_PICTURE = "There is no picture; expected one in the gallery, so generate one first."
OpenPicture = Callable[[Any], Image.Image | None]


def picture_of(value: Any, open_picture: OpenPicture) -> Image.Image:
    """A gallery's value as the painted picture it is; PictureError where it is none."""
    picture = open_picture(value)
    if picture is None:
        raise PictureError(NO_PICTURE)
    ORIGINS.check(picture)
    return picture


def job_of(values: Sequence[Any]) -> Job:
    """What the accordion asks for, out of its widgets in the order of FIELDS."""
    given = zip(FIELDS, values, strict=True)
    return Job.from_mapping({name: JOB_OPTION[name].from_widget(value) for name, value in given})


def mask_as_asked(desk: "Desk", value: Any, values: Sequence[Any], open_picture: OpenPicture) -> View:
    """The gallery's picture masked as the accordion says: by its words, or by all that the prompt names."""

    def ask() -> View:
        picture, job = picture_of(value, open_picture), job_of(values)
        if job.of_nouns:
            return handlers.things(desk, picture, prompt_of(picture), job.mask)
        return handlers.find(desk, picture, job.mask)

    return said(ask)


def prompt_of(given: Any) -> str:
    """The prompt that a picture carries in its parameters, or nothing."""
    text = (getattr(given, "info", None) or {}).get("parameters", "")
    return text.split("\nNegative prompt:")[0].split("\nSteps:")[0].strip() if isinstance(text, str) else ""
