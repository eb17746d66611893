"""What the library answers to a picture and settings, asked in the app's own interpreter: `library.py PICTURE OUT SETTINGS`.

OUT: an .npz with `mask` (uint8 h w), `prob` (float32 h w) and `found` (bool). SETTINGS: JSON, as `MaskSettings` has them.
"""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from tests.browser.app.serving import Served


def main(picture: str, out: str, settings: str) -> None:
    """Find, cut, shape."""
    import numpy as np
    from PIL import Image

    from ldznet_ext import segment
    from ldznet_ext.pipeline import apply
    from ldznet_ext.request import MaskSettings

    asked = MaskSettings.from_mapping(json.loads(settings))
    pixels = np.asarray(Image.open(picture).convert("RGB"))
    result = segment(pixels, asked.words)
    np.savez(
        out, mask=apply(result, asked, picture=pixels), prob=result.prob, found=result.phrases[0].status == "found"
    )


def answer(app: "Served", picture: Path, **settings: Any) -> "dict[str, np.ndarray]":
    """The same from outside: `mask`, `prob` and `found` of a picture's file."""
    import numpy as np

    out = picture.with_name(f"{picture.stem}_library.npz")
    app.run("-m", "tests.browser.app.library", str(picture), str(out), json.dumps(settings))
    with np.load(out) as arrays:
        return dict(arrays)


if __name__ == "__main__":
    main(*sys.argv[1:])
