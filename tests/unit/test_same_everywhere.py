"""One picture, words and settings: the same mask from the panel, the API, the accordion and the command line."""

import base64
import io
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ldznet_ext.api.routes import masks as by_api
from ldznet_ext.hosts.desk import StandaloneDesk
from ldznet_ext.hosts.webui.find import masks_of
from ldznet_ext.job import Job
from ldznet_ext.pipeline import apply
from ldznet_ext.request import FLAG, OPTION, MaskSettings
from ldznet_ext.ui import handlers
from tests.tiny import picture

WORDS = "fox@0.505 +1"
"""The tiny model is hardly surer of one pixel than of another: this cuts it through the middle."""
ALIKE: list[dict[str, Any]] = [
    {},
    {"threshold": 0.499, "grow": 3, "feather": 1.5},
    {"cut": "automatic", "soft": True, "refine": False},
    {"cut": "hysteresis", "threshold": 0.501, "low": 0.499, "islands": 30, "keep": 2, "holes": True},
    {"grow": -2, "invert": True, "refine": False, "alpha": True},
]


@pytest.fixture
def here(tmp_path: Path, models: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a picture, and the tiny model as the one that is found."""
    monkeypatch.setenv("LDZNET_MODELS", str(models))
    monkeypatch.chdir(tmp_path)
    Image.fromarray(picture()).save("photo.png")
    return tmp_path


def by_command(settings: MaskSettings, folder: str) -> np.ndarray:
    from ldznet_ext.cli.main import main

    given = settings.to_mapping().items()
    flags = [
        [("--" if value else "--no-") + name] if OPTION[name].kind == FLAG else [f"--{name}={value}"]
        for name, value in given
        if name != "words"
    ]
    flat = itertools.chain.from_iterable(flags)
    assert main(["mask", "photo.png", settings.words, "-o", folder, "--save", "mask", *flat]) == 0
    return np.asarray(Image.open(Path(folder) / "photo_mask.png"))


def from_api(desk: StandaloneDesk, settings: MaskSettings) -> np.ndarray:
    sent = base64.b64encode(Path("photo.png").read_bytes()).decode()
    answer = by_api(desk, {"images": [sent], **settings.to_mapping()})
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(answer["images"][0]["masks"][0]["mask"]))))


@pytest.mark.parametrize("given", ALIKE, ids=lambda given: ",".join(given) or "plain")
def test_the_mask_is_the_same_from_everywhere(
    given: dict[str, Any], here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings, desk = MaskSettings(words=WORDS, **given), StandaloneDesk()
    result = desk.mask(picture(), settings)
    mask = apply(result, settings, picture=picture())
    assert mask.any() and mask.min() < 255, "else this tries nothing"
    panel = handlers.find(desk, picture(), settings)
    assert panel.mask is not None, panel.message
    ways: dict[str, Callable[[], np.ndarray]] = {
        "panel": lambda: np.asarray(panel.mask),
        "slider": lambda: np.asarray(handlers.recut(panel.handle, {}).mask),
        "accordion": lambda: masks_of(result, Job(mask=settings), picture())[0].grey,
        "API": lambda: from_api(desk, settings),
        "command line": lambda: by_command(settings, "out"),
    }
    for way, ask in ways.items():
        np.testing.assert_array_equal(ask(), mask, way)
