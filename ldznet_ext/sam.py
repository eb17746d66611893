"""Segment Anything as an optional refiner: found where its weights already lie, loaded tensors only, nothing downloaded.

The network is transformers' `SamModel`, which web UIs and the stand-alone program carry; the weights are Meta's files, as the
segment-anything extension keeps them, or transformers' own. What it is asked and which answer is taken: `masks/prompted.py`.
"""

import contextlib
import functools
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from ldznet_ext.convert.pickles import ENDINGS, TensorFile
from ldznet_ext.convert.sam_layout import SHARED, SHARED_TWICE, is_sam, renamed, settings_of
from ldznet_ext.errors import LdznetError, ModelError
from ldznet_ext.geometry import Size
from ldznet_ext.masks.fit import stretch
from ldznet_ext.masks.prompted import Prompt, Prompted, improved
from ldznet_ext.tensors import fill, read_header, read_tensors, uninitialised
from ldznet_ext.weights import fingerprint, model_folders

if TYPE_CHECKING:
    import torch
    from torch import Tensor

VARIABLE = "LDZNET_SAM"
"""Names a weights file, in place of those found."""
MEAN, DEVIATION = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
"""Of the colours SAM was trained on, 0..255."""
SURE = 12.0
"""Logit of a pixel that is surely inside; SAM's own maps reach about this."""


def available() -> bool:
    """Whether weights lie in a folder that is looked into, and the library that runs them is there."""
    from importlib.util import find_spec

    return find_spec("transformers") is not None and find_weights() is not None


def find_weights() -> Path | None:
    """The weights' file: `LDZNET_SAM`, else the first SAM in the folders, by name, so that the smallest network wins."""
    if os.environ.get(VARIABLE):
        return Path(os.environ[VARIABLE]).expanduser()
    return next((path for folder in sam_folders() for path in _weights_in(folder)), None)


def sam_folders() -> tuple[Path, ...]:
    """Where SAM is looked for: `sam` in and beside each model folder, and where the segment-anything extension keeps it."""
    return tuple(dict.fromkeys(_folders()))


def absent() -> str:
    """The sentence for whoever asks for SAM without its weights."""
    there = next((folder for folder in model_folders() if folder.is_dir()), model_folders()[-1])
    folder = next((folder for folder in sam_folders() if folder.is_dir()), there / "sam")
    return (
        f"SAM's weights are not there; expected Meta's sam_vit_b_01ec64.pth (375 MB) or another of its files, so put it into "
        f"{folder}, or name it by {VARIABLE}."
    )


def refine_with_sam(picture: np.ndarray, mask: np.ndarray, *, device: "torch.device | str | None" = None) -> Prompted:
    """A mask (bool h w, or probabilities 0..1) of a picture (uint8 h w 3) in SAM's outlines, where SAM agrees with it.

    device: where SAM runs, by default the CPU. ModelError, in a sentence, without weights, with damaged ones, or without the
    library `transformers`.
    """
    if mask.shape != picture.shape[:2]:
        raise ValueError(
            f"The mask is {mask.shape}, its picture {picture.shape[:2]}; expected the same size, so resize one."
        )
    if not (mask > 0.5).any():
        return improved(mask, lambda _: ())
    return improved(mask, load_sam(device=device).look(picture))


class Sam:
    """A loaded network. `look` reads a picture; what it returns answers any number of prompts about it."""

    def __init__(self, network: Any, name: str) -> None:
        self.network, self.name = network, name
        self.side = int(network.config.vision_config.image_size)
        self.grid = 4 * int(network.config.prompt_encoder_config.image_embedding_size)
        self._last: tuple[np.ndarray, Seen] | None = None

    def look(self, picture: np.ndarray) -> "Seen":
        """Read a picture, uint8 (h w 3); the last one is kept, since reading takes seconds where the words have changed alone."""
        if self._last is None or not np.array_equal(self._last[0], picture):
            self._last = None
            self._last = (picture.copy(), self._read_somewhere(picture))
        return self._last[1]

    def to(self, device: "torch.device | str") -> None:
        """Move it; what was read elsewhere is forgotten."""
        import torch

        if torch.device(device).type != next(self.network.parameters()).device.type:
            self._last = None
            self.network.to(device)

    def _read_somewhere(self, picture: np.ndarray) -> "Seen":
        """On the network's device, or on the CPU where that has no room for it beside the host's models."""
        try:
            return self._read(picture)
        except RuntimeError:
            if next(self.network.parameters()).device.type == "cpu":
                raise
            self.network.to("cpu")
            return self._read(picture)

    def _read(self, picture: np.ndarray) -> "Seen":
        import torch

        size = Size(*picture.shape[:2])
        inner = size.scaled(self.side / max(size))
        pixels = np.zeros((self.side, self.side, 3), np.float32)
        pixels[: inner.height, : inner.width] = (stretch(picture, inner) - np.array(MEAN)) / np.array(DEVIATION)
        weight = next(self.network.parameters())
        with torch.no_grad():
            values = torch.from_numpy(pixels.transpose(2, 0, 1)[None].copy()).to(weight.device, weight.dtype)
            return Seen(self, size, inner, self.network.get_image_embeddings(values))


class Seen:
    """A picture that SAM has read; called with a prompt it answers with its candidates, see `masks.prompted.Ask`."""

    def __init__(self, sam: Sam, size: Size, inner: Size, embedding: "Tensor") -> None:
        self.sam, self.size, self.inner, self.embedding = sam, size, inner, embedding

    def __call__(self, prompt: Prompt) -> Sequence[np.ndarray]:
        """SAM's three candidates, float32 (h w) 0..1."""
        logits = self.logits(prompt)
        return [1 / (1 + np.exp(-np.clip(self._own_size(one), -30, 30))) for one in logits]

    def logits(self, prompt: Prompt) -> np.ndarray:
        """What SAM says, float32 (candidates, g, g), the picture at the upper left of its square grid."""
        import torch

        def tensor(values: Any) -> "Tensor":
            return torch.tensor(np.asarray(values, np.float32)).to(self.embedding.device, self.embedding.dtype)

        points = [self._there(x + 0.5, y + 0.5) for x, y in (*prompt.inside, *prompt.outside)]
        labels = [1] * len(prompt.inside) + [0] * len(prompt.outside)
        corners = (*self._there(prompt.box.x0, prompt.box.y0), *self._there(prompt.box.x1, prompt.box.y1))
        with torch.no_grad():
            out = self.sam.network(
                image_embeddings=self.embedding,
                input_points=tensor([[points]]),
                input_labels=torch.tensor([[labels]], device=self.embedding.device),
                input_boxes=tensor([[corners]]),
                input_masks=tensor(self._coarse(prompt.shape)[None, None]),
                multimask_output=True,
            )
        return out.pred_masks[0, 0].float().cpu().numpy()

    def _there(self, x: float, y: float) -> tuple[float, float]:
        """A place in the picture as SAM counts it: pixels of its square."""
        return x * self.inner.width / self.size.width, y * self.inner.height / self.size.height

    def _coarse(self, shape: np.ndarray) -> np.ndarray:
        """A mask (bool h w) as logits on SAM's grid, float32 (g g)."""
        square = np.zeros((self.sam.side, self.sam.side), np.float32)
        square[: self.inner.height, : self.inner.width] = stretch(shape.astype(np.float32), self.inner)
        small = stretch(square, Size(self.sam.grid, self.sam.grid))
        return np.clip((small - 0.5) * 2 * SURE, -SURE, SURE)

    def _own_size(self, logits: np.ndarray) -> np.ndarray:
        """A map on SAM's grid (g g) at the picture's own size, still logits."""
        whole = cv2.resize(logits, (self.sam.side, self.sam.side), interpolation=cv2.INTER_LINEAR)
        return stretch(np.ascontiguousarray(whole[: self.inner.height, : self.inner.width]), self.size)


def load_sam(path: Path | None = None, *, device: "torch.device | str | None" = None) -> Sam:
    """The network with its weights, kept for the next call; ModelError without weights or library."""
    path = path or find_weights()
    if path is None:
        raise ModelError(absent())
    if not path.is_file():
        raise ModelError(f"{path} does not exist; expected SAM's weights there, so check {VARIABLE}.")
    key = (str(path), fingerprint(path))
    if _kept.get("key") != key:
        _kept.clear()  # first: two of them may not fit
        _kept.update(sam=_loaded(path, device), key=key)
    _kept["sam"].to(device or "cpu")
    return _kept["sam"]


def put_sam_away(device: "torch.device | str | None" = None) -> None:
    """Move the network that is kept to a device, or forget it, so that its memory is free."""
    if device is None:
        _kept.clear()
    elif _kept:
        _kept["sam"].to(device)


_kept: dict[str, Any] = {}


def _loaded(path: Path, device: "torch.device | str | None") -> Sam:
    import torch

    try:
        from transformers import SamConfig, SamModel
    except ImportError as cause:
        raise ModelError(
            "SAM needs the library transformers 4.29 or newer, which is not there; install it, or leave SAM off."
        ) from cause
    state = _tensors(path)
    settings: dict[str, Any] = settings_of({name: tuple(value.shape) for name, value in state.items()}, path.name)
    with uninitialised():
        network = SamModel(SamConfig(**settings))
    fill(network, state, path.name, ModelError, device=device, dtype=torch.float32)
    return Sam(network.eval().requires_grad_(False), path.name)


def _tensors(path: Path) -> "dict[str, Tensor]":
    """All tensors of a weights file under transformers' names; a pickle's program is not run."""
    if path.suffix in ENDINGS:
        with TensorFile(path, ModelError) as file:
            state = {name: file.tensor(reference) for name, reference in file.references().items()}
    else:
        state = read_tensors(path, ModelError)
    names = {name: tuple(value.shape) for name, value in state.items()}
    state = {renamed(name, names): value for name, value in state.items()}
    if SHARED in state:
        state.setdefault(SHARED_TWICE, state[SHARED])
    return state


def _folders() -> Iterator[Path]:
    for folder in model_folders():
        yield folder / "sam"
        yield folder.parent / "sam"  # a web UI's models/sam, beside its models/ldznet
        if folder.parent.parent.name == "extensions":  # ours is an extension: another one's models are near
            yield from sorted(folder.parent.parent.glob("*segment-anything*/models/sam"))


def _weights_in(folder: Path) -> Iterator[Path]:
    """The SAM files in a folder, by name; what cannot be read, or is another network, is passed over."""
    for path in sorted(folder.glob("*")) if folder.is_dir() else ():
        with contextlib.suppress(OSError):
            about = path.stat()
            if path.suffix in (*ENDINGS, ".safetensors") and _is_weights(path, about.st_mtime_ns, about.st_size):
                yield path


@functools.lru_cache(maxsize=64)
def _is_weights(path: Path, changed: int, size: int) -> bool:
    """Each state of a file is opened once: a page asks many times whether SAM is there."""
    try:
        if path.suffix == ".safetensors":
            return is_sam(read_header(path, ModelError)[1])
        with TensorFile(path, ModelError) as file:
            return is_sam({name: reference.shape for name, reference in file.references().items()})
    except (LdznetError, OSError):
        return False
