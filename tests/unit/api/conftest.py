"""A desk over the tiny model, and pictures as a client sends them."""

import base64
import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ldznet_ext.backbone import Backbone
from ldznet_ext.pipeline import segment
from ldznet_ext.request import MaskSettings
from ldznet_ext.result import Segmentation
from ldznet_ext.ui.desk import About, Choice
from ldznet_ext.watch import UNWATCHED, Watch
from tests.tiny import picture


class TinyDesk:
    """Answers by the tiny model itself."""

    name = "a desk for tests"

    def __init__(self, backbone: Backbone) -> None:
        self.backbone = backbone
        self.asked: list[tuple[tuple[int, ...], MaskSettings]] = []
        self.error: Exception | None = None

    def about(self) -> About:
        why = "There is no znet head for this family; expected one in a model folder, so train or fetch one."
        return About(
            model=self.backbone.name,
            family=self.backbone.family,
            methods=(Choice(name="ldznet", label="LD-ZNet"), Choice(name="znet", label="ZNet", why_not=why)),
            heads=("ldznet-sticker.safetensors",),
            convertible=("LDZNet_txt2mask.ckpt",),
        )

    def mask(self, picture: Any, settings: MaskSettings, watch: Watch = UNWATCHED) -> Segmentation:
        watch.tell(0.5, "looking")
        self.asked.append((np.asarray(picture).shape, settings))
        if self.error:
            raise self.error
        said = {
            name: value for name, value in settings.to_mapping().items() if name in ("method", "threshold", "refine")
        }
        return segment(picture, settings.words, backbone=self.backbone, seed=settings.seed, **said)

    def regions(self, picture: Any, prompt: str, settings: MaskSettings, watch: Watch = UNWATCHED) -> Segmentation:
        raise NotImplementedError

    def heads_refresh(self) -> About:
        return self.about()

    def convert(self, name: str) -> str:
        raise NotImplementedError


@pytest.fixture
def desk(backbone: Backbone) -> TinyDesk:
    return TinyDesk(backbone)


def sent(image: "Image.Image | np.ndarray | None" = None, kind: str = "PNG") -> str:
    """A picture (90 x 130 by default) in base64."""
    image = picture() if image is None else image
    stream = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(stream, kind)
    return base64.b64encode(stream.getvalue()).decode()


def received(text: str) -> Image.Image:
    """A picture in an answer."""
    image = Image.open(io.BytesIO(base64.b64decode(text, validate=True)))
    image.load()
    assert image.format == "PNG"
    return image
