"""The judge of generated and edited pictures: a classifier of Sticker World's objects, trained on scenes alone.

It answers for every object by itself whether it is in a picture: "seen" is a logit above 0.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ldznet_ext.errors import DataError, ModelError
from ldznet_ext.weights import find_model, read_header, sha256_of

FILE = "classifier"
TRAINED = Path("runs/classifier/classifier.safetensors")
"""Where `ldznet train classifier` leaves it."""


@dataclass(frozen=True, kw_only=True)
class Judge:
    """`look` gives logits (b classes) float32 of pictures (b h w 3) uint8; `names` are the classes in order.

    accuracy: part of the objects of test scenes it names right, None where it was not measured. mark: of its weights.
    """

    look: Callable[[np.ndarray], np.ndarray]
    names: Sequence[str]
    accuracy: float | None = None
    mark: str = ""

    def place(self, name: str) -> int:
        """The column of an object; DataError when the judge does not know it."""
        if name not in self.names:
            raise DataError(f"The classifier does not know {name!r}; expected one of its {len(self.names)} objects.")
        return list(self.names).index(name)

    def ranks(self, pictures: np.ndarray, wanted: Sequence[str]) -> list[int]:
        """For each picture, how many other objects it sees more strongly than the wanted one (0: it is the strongest)."""
        logits = self.look(pictures)
        return [int((row > row[self.place(name)]).sum()) for row, name in zip(logits, wanted, strict=True)]

    def sees(self, picture: np.ndarray, name: str) -> bool:
        """Whether it sees the object in the picture (h w 3)."""
        return bool(self.look(picture[None])[0, self.place(name)] > 0)

    def strongest(self, picture: np.ndarray) -> str:
        """The object it sees most of all in the picture (h w 3)."""
        return str(self.names[int(self.look(picture[None])[0].argmax())])


def find_judge(path: Path | None = None) -> Path | None:
    """The classifier's file: the one named, else one in the model folders or where training leaves it; None without one."""
    if path is not None:
        return path
    found = find_model(FILE)
    return found or (TRAINED if TRAINED.is_file() else None)


def load_judge(path: Path) -> Judge:
    """Read a classifier that `ldznet train classifier` wrote. Raises ModelError."""
    import torch

    from ldznet_ext.train.classifier import load_classifier

    meta, _ = read_header(path)
    if "classes" not in meta:
        raise ModelError(f"{path} is no classifier; expected the file that `ldznet train classifier` writes.")
    module, names = load_classifier(path)

    @torch.inference_mode()
    def look(pictures: np.ndarray) -> np.ndarray:
        pixels = torch.from_numpy(np.ascontiguousarray(pictures.transpose(0, 3, 1, 2))).float() / 127.5 - 1
        return module(pixels).numpy()

    accuracy = float(meta["top1"]) if "top1" in meta else None
    return Judge(look=look, names=tuple(names), accuracy=accuracy, mark=sha256_of(path)[:16])
