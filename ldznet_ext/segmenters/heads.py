"""One runner for every trained head: harvest what it reads, run it over the phrases in chunks, score what comes out."""

import os
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from ldznet_ext.errors import HeadError
from ldznet_ext.geometry import Size
from ldznet_ext.harvest.wanted import Wanted
from ldznet_ext.nets.heads import with_positions
from ldznet_ext.request import SegmentRequest
from ldznet_ext.segmenters.base import Clock, Evidence
from ldznet_ext.segmenters.choice import fitting_heads, kinds_at_hand
from ldznet_ext.segmenters.familiarity import Familiarity, pool_features
from ldznet_ext.segmenters.lending import lent, offloads
from ldznet_ext.segmenters.presence import presence_stats, raw_score
from ldznet_ext.segmenters.view import View, features_of
from ldznet_ext.weights import HeadInfo, load_head, read_info

if TYPE_CHECKING:
    from ldznet_ext.backbone import Backbone
    from ldznet_ext.nets.znet import ZNet

CHUNK = 8
"""Phrases in one batch at the model's native size; larger pictures take fewer."""
BUDGET = 300_000_000
"""Bytes that a batch may hold at its peak in half precision, head and UNet pass: four phrases of SD 1.5's at 512x512."""
HELD = 53
"""Bytes a phrase holds at that peak for each latent cell and each channel of the finest level (docs/memory.md counts them)."""
KEPT = 1 << 30
"""Bytes of heads that stay loaded; the one used last does in any case, and a full-size one is then alone."""

_heads: "OrderedDict[Any, tuple[ZNet, HeadInfo, Familiarity | None]]" = OrderedDict()
_lock = threading.Lock()


class HeadSegmenter:
    """A trained head over a diffusion model; subclasses name a kind and a rank."""

    name: str
    kind: ClassVar[str]
    rank: ClassVar[int] = 0
    any_length: ClassVar[bool] = False

    def __init__(
        self, head: "ZNet", info: HeadInfo, familiarity: Familiarity | None = None, *, source: str = "in memory"
    ) -> None:
        self.head = head.eval()
        self.info = info
        self.familiarity = familiarity
        self.source = source

    @property
    def needs(self) -> frozenset[str]:
        """What the head reads: text, and latent or pixels, and features where it has taps."""
        return frozenset({"text", self.head.reads, *(("features",) if self.info.taps else ())})

    @property
    def native(self) -> Size:
        """The picture size its position embeddings were made for, and it was trained at."""
        return Size(self.head.preset.native, self.head.preset.native)

    @property
    def timestep(self) -> int:
        """Of the pass it was trained around."""
        return self.info.timestep

    def as_authors(self) -> "HeadSegmenter":
        """The same method, its position embeddings resized by the authors' rule (nets/attention.py); the weights are shared."""
        theirs = with_positions(self.head, "parity")
        return type(self)(theirs, self.info, self.familiarity, source=self.source)

    @classmethod
    def fits(cls, backbone: "Backbone", head: Path | None) -> bool:
        """Whether the named head, or one of those that serve the model, is of this kind; HeadError for a damaged one."""
        if head is not None:
            return read_info(head).kind == cls.kind
        return cls.kind in kinds_at_hand(backbone)

    @classmethod
    def open(cls, backbone: "Backbone", head: Path | None) -> "HeadSegmenter":
        """Load the named head, or the first of this kind and family in the model folders."""
        path = head or fitting_heads(backbone, cls.kind)[0].path
        trained, info, familiarity = _load_cached(path, backbone)
        if info.kind != cls.kind:
            raise HeadError(
                f"{path.name} is a head of kind '{info.kind}'; expected '{cls.kind}', so choose another method."
            )
        _check_widths(trained, path.name, backbone)
        return cls(trained, info, familiarity, source=path.name)

    @classmethod
    def foreseen(cls, backbone: "Backbone", head: Path | None) -> Wanted:
        """What it would want, as the head's file says: while a picture is painted the head itself only takes room."""
        info = read_info(head) if head else fitting_heads(backbone, cls.kind)[0].info
        assert info is not None, "a head that fits has been read"
        return Wanted(taps=info.taps)

    def wanted(self, backbone: "Backbone") -> Wanted:
        """Features at the head's taps, of the step nearest the timesteps it was trained at."""
        return Wanted(taps=self.info.taps)

    @torch.inference_mode()
    def evidence(
        self, backbone: "Backbone", view: View, phrases: Sequence[str], request: SegmentRequest, clock: Clock
    ) -> Evidence:
        """Maps and scores of the phrases."""
        source = self._source(backbone, view, clock)
        timestep = self.info.timestep if request.timestep is None else request.timestep
        maps, pooled, rows, calls = [], [], [], 0
        with lent(self.head, backbone.device) if offloads(backbone) else nullcontext():
            for chunk in _chunks(phrases, view, backbone, self.head.config.model_channels):
                with clock("text"):
                    context = backbone.text(chunk)
                with clock("unet"):
                    features, extra = self._features(backbone, view, chunk, timestep, request.seed)
                    pooled.append(self._pooled(features, source))
                with clock("head"):
                    logits = self._logits(source, context, features)
                    maps.append(logits[:, 0].float().cpu().numpy())
                calls += extra
                rows.append(len(chunk))
        average = np.average(pooled, axis=0, weights=rows)
        return self._judge(np.concatenate(maps), average, calls, view, timestep, request.seed)

    def _logits(self, source: Tensor, context: Tensor, features: Mapping[str, Tensor]) -> Tensor:
        """What the head says; features that a generation left may have come in another type, or wait on another device."""
        if not self.info.taps:
            return self.head(source, context)
        return self.head(source, context, {tap: value.to(context) for tap, value in features.items()})

    def _source(self, backbone: "Backbone", view: View, clock: Clock) -> Tensor:
        with clock("encode"):
            return view.tensor(backbone) if self.head.reads == "pixels" else view.latent(backbone)

    def _features(
        self, backbone: "Backbone", view: View, chunk: tuple[str, ...], timestep: int, seed: int
    ) -> tuple[dict[str, Tensor], int]:
        """Features at the head's taps: those a generation left, or those of one pass over the chunk."""
        if not self.info.taps:
            return {}, 0
        if view.given_features is not None:
            return dict(view.given_features), 0
        return features_of(backbone, view, chunk, self.info.taps, timestep=timestep, seed=seed)

    def _pooled(self, features: dict[str, Tensor], latent: Tensor) -> np.ndarray:
        arrays = {tap: value.float().cpu().numpy() for tap, value in features.items()}
        return (
            pool_features(arrays, self.info.taps, latent.float().cpu().numpy()) if arrays else np.zeros(0, np.float32)
        )

    def _judge(
        self, logits: np.ndarray, pooled: np.ndarray, calls: int, view: View, timestep: int, seed: int
    ) -> Evidence:
        statistics, info = self.familiarity, self.info
        # texture comes last: heads fitted before it was pooled know only what stands before it
        known = pooled if statistics is None else pooled[: len(statistics.mean)]
        distance = float(statistics.distance(known)[0]) if statistics is not None and known.size else None
        limit = None if statistics is None or distance is None else statistics.limit
        scores = info.calibration.score(presence_stats(logits)) if info.calibration else raw_score(logits)
        given = view.given_features is not None
        return Evidence(
            logits=logits,
            scores=scores,
            found_threshold=info.found_threshold,
            mask_threshold=info.mask_threshold,
            familiar=None if distance is None or limit is None else distance <= limit,
            calibrated=info.calibration is not None and distance is not None,
            unet_calls=calls,
            provenance={
                "head": self.source,
                "recipe": info.recipe,
                "commit": info.commit,
                "timestep": view.given_timestep if given else timestep if info.taps else None,
                "seed": seed,
                "features": "of the generation" if given else "of the phrase" if info.taps else "none",
                "distance": distance,
                "distance_limit": limit,
            },
        )


def _check_widths(head: "ZNet", name: str, backbone: "Backbone") -> None:
    """Refuse a head of the right family for a model of other widths, before anything is painted or encoded."""
    latent = getattr(backbone, "latent_channels", None)
    pairs = [("text states", "wide", head.config.context_dim, _text_width(backbone))]
    if head.reads == "latent":
        pairs.append(("latents", "channels deep", head.source_channels, latent))
    for what, measure, expected, got in pairs:
        if got is not None and got != expected:
            raise HeadError(
                f"{name} is a head for {what} {expected} {measure}, and those of the model '{backbone.name}' are {got}; expected "
                "the same, so use a head trained for this model or another model."
            )


def _text_width(backbone: "Backbone") -> int | None:
    """The width of the text states a UNet reads: what the host says, or its weights; None where no layer is called as usual."""
    said = getattr(backbone, "text_width", None)
    if said is not None:
        return said
    named = backbone.unet.named_parameters()
    return next((int(weight.shape[1]) for name, weight in named if name.endswith("attn2.to_k.weight")), None)


def _chunks(phrases: Sequence[str], view: View, backbone: "Backbone", channels: int) -> Iterator[tuple[str, ...]]:
    """Phrases in batches as large as each other, within `BUDGET` and the memory of `CHUNK` phrases at the native size."""
    area = view.fit.network.area
    native = CHUNK * backbone.native.area // max(area, backbone.native.area)
    within = BUDGET // (HELD * channels * area // getattr(backbone, "factor", 8) ** 2)
    batches = -(-len(phrases) // max(1, min(native, within)))
    for number in range(batches):
        start, end = (len(phrases) * each // batches for each in (number, number + 1))
        yield tuple(phrases[start:end])


def _load_cached(path: Path, backbone: "Backbone") -> "tuple[ZNet, HeadInfo, Familiarity | None]":
    """Load a head for a model; those used last stay loaded, until their files change."""
    try:
        stat = os.stat(path)
    except OSError:
        stat = None
    home = torch.device("cpu") if offloads(backbone) else backbone.device
    key = (path.resolve(), stat and (stat.st_mtime_ns, stat.st_size), backbone.family, home, backbone.dtype)
    with _lock:
        if key not in _heads:
            _heads[key] = load_head(path, family=backbone.family, device=home, dtype=backbone.dtype)
            while len(_heads) > 1 and sum(_size(head) for head, _, _ in _heads.values()) > KEPT:
                _heads.popitem(last=False)
        _heads.move_to_end(key)
        _heads[key][0].to(device=home)  # it may have been put away
        return _heads[key]


def _size(head: "ZNet") -> int:
    """Bytes of its weights."""
    return sum(parameter.nbytes for parameter in head.parameters())


def put_away(device: "torch.device | str | None") -> None:
    """Move the loaded heads to a device until they are asked for again; with None forget them."""
    with _lock:
        if device is None:
            _heads.clear()
        for head, _, _ in _heads.values():
            head.to(device=device)
