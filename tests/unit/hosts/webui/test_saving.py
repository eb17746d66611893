"""Saving from the tab: what is said of where the host put it."""

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ldznet_ext.hosts.webui.saving import save_cut_out


def test_the_folder_that_is_named_is_the_one_they_are_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host may put pictures into dated folders of its own."""

    def save_image(picture: Any, folder: str, basename: str, **more: Any) -> tuple[str, None]:
        return str(Path(folder, "2026-11-20", f"00001{more['suffix']}.png")), None

    package: Any = ModuleType("modules")
    package.images = SimpleNamespace(save_image=save_image)
    package.shared = SimpleNamespace(opts=SimpleNamespace(outdir_samples="", outdir_img2img_samples="out"))
    monkeypatch.setitem(sys.modules, "modules", package)
    said = save_cut_out(Image.new("RGBA", (4, 3)), np.zeros((3, 4), np.uint8), "fox")
    assert said == f"Saved 00001-cutout.png and 00001-mask.png in {Path('out', '2026-11-20')}."
