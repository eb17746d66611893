"""What a mask costs: calls of the UNet and GFLOP at SD 1.5's 512x512, early exits counted, and seconds on a loaded model.

Counted on the meta device, where tensors have shapes and no values: our own networks at full size, nothing is computed. A
multiplication and an addition are two; convolutions, matrix products and attention count, norms and activations do not.
"""

import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ldznet_ext.geometry import Size
from ldznet_ext.harvest.hooks import harvest
from ldznet_ext.harvest.taps import LDZNET_TAPS, last_tap
from ldznet_ext.hosts.autoencoder import Autoencoder, AutoencoderConfig
from ldznet_ext.hosts.clip_text import ClipText, TextConfig
from ldznet_ext.nets.heads import build_head
from ldznet_ext.nets.unet import UNet, UNetConfig
from ldznet_ext.segmenters import noise_difference
from ldznet_ext.segmenters.attention import AttentionSegmenter
from ldznet_ext.segmenters.example import SETTINGS as EXAMPLE
from ldznet_ext.segmenters.example import taps_at
from ldznet_ext.segmenters.maskdiffusion import MaskDiffusionSegmenter

FAMILY = "sd1"
SIZE = Size(512, 512)
FACTOR = 8
HEADS = ("ldznet", "concat", "znet", "rgbnet")


@dataclass(frozen=True, kw_only=True)
class Work:
    """What one phrase on one picture takes.

    calls: of the UNet. rows: latents that go through it in all. taps: what is read; a pass ends after the last of them, and goes
    to its end where there are none. texts: how many are encoded. head: the kind of the trained network that runs, if one does.
    """

    calls: int = 0
    rows: int = 0
    taps: tuple[str, ...] = ()
    texts: int = 1
    head: str | None = None


@dataclass(frozen=True, kw_only=True)
class Cost:
    """GFLOP of one phrase on one picture never seen before, by what does the work."""

    calls: int
    rows: int
    encode: float
    text: float
    unet: float
    head: float

    @property
    def total(self) -> float:
        """All of it."""
        return self.encode + self.text + self.unet + self.head


def works(unet: nn.Module) -> dict[str, Work]:
    """What each method of the registry does on SD 1.x, with the settings of that family."""
    model: Any = SimpleNamespace(unet=unet, family=FAMILY, name="SD 1.5")
    read = {
        "attention": (AttentionSegmenter.for_model(model).wanted(model).taps, 2),
        "maskdiffusion": (MaskDiffusionSegmenter.for_model(model).wanted(model).taps, 2),
        "example": (taps_at(unet, EXAMPLE[FAMILY].strides), 1),
    }
    noises = noise_difference.SETTINGS[FAMILY].noises
    return {
        **{kind: _head_work(kind) for kind in HEADS},
        **{name: Work(calls=1, rows=1, taps=taps, texts=texts) for name, (taps, texts) in read.items()},
        "noise_difference": Work(calls=2 * -(-noises // noise_difference.ROWS), rows=2 * noises, texts=2),
    }


def _head_work(kind: str) -> Work:
    if kind in ("ldznet", "concat"):
        return Work(calls=1, rows=1, taps=LDZNET_TAPS, head=kind)
    return Work(head=kind)


def costs(size: Size = SIZE) -> dict[str, Cost]:
    """What each method costs on SD 1.5."""
    unet, vae, text = _meta(lambda: UNet(UNetConfig())), _meta(lambda: Autoencoder(AutoencoderConfig())), _text()
    pixels = torch.empty(1, 3, *size, device="meta")
    latent = torch.empty(1, 4, size.height // FACTOR, size.width // FACTOR, device="meta")
    encode, one_text = (
        gflop(lambda: vae.encode(pixels)),
        gflop(lambda: text(torch.zeros(1, 77, dtype=int, device="meta"))),
    )
    found = {}
    for name, work in works(unet).items():
        spent, features = unet_gflop(unet, latent, work.taps) if work.rows else (0.0, {})
        source = pixels if work.head == "rgbnet" else latent
        found[name] = Cost(
            calls=work.calls,
            rows=work.rows,
            encode=0.0 if work.head == "rgbnet" else encode,
            text=work.texts * one_text,
            unet=work.rows * spent,
            head=0.0 if work.head is None else _head_gflop(work.head, source, features),
        )
    return found


def unet_gflop(
    unet: UNet, latent: Tensor, taps: Sequence[str] = (), *, tokens: int = 77
) -> tuple[float, dict[str, Tensor]]:
    """GFLOP of a pass over a latent (b c lh lw), which ends after the last tap, and what the taps hold."""
    rows, device = latent.shape[0], latent.device
    times = torch.zeros(rows, device=device)
    context = torch.zeros(rows, tokens, unet.config.context_dim, device=device)
    if not taps:
        return gflop(lambda: unet(latent, times, context)), {}
    kept: dict[str, Tensor] = {}

    def run() -> None:
        with harvest(unet, taps, stop_after=last_tap(taps), clone=False) as store:
            unet(latent, times, context)
        kept.update(store.take())

    return gflop(run), kept


def gflop(call: Callable[[], object]) -> float:
    """1e9 floating-point operations of what `call` does."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter, torch.no_grad():
        call()
    return counter.get_total_flops() / 1e9


def seconds(ask: Callable[[np.ndarray], object], pictures: Iterable[np.ndarray]) -> float | None:
    """Median seconds of `ask` on pictures not seen before; the first warms up and is left out where there are more."""
    taken = []
    for picture in pictures:
        started = time.perf_counter()
        ask(picture)
        taken.append(time.perf_counter() - started)
    return round(statistics.median(taken[1:] or taken), 4) if taken else None


def table(found: Mapping[str, Cost], timed: Mapping[str, float | None] | None = None) -> list[dict[str, object]]:
    """Rows for a report, the cheapest first: plain JSON types, GFLOP rounded to one digit."""
    timed = timed or {}
    return [
        {
            "method": name,
            "unet_calls": cost.calls,
            "unet_rows": cost.rows,
            "gflop": {part: round(getattr(cost, part), 1) for part in ("encode", "text", "unet", "head", "total")},
            "seconds": timed.get(name),
        }
        for name, cost in sorted(found.items(), key=lambda item: item[1].total)
    ]


def _head_gflop(kind: str, source: Tensor, features: Mapping[str, Tensor]) -> float:
    head = _meta(lambda: build_head(kind, FAMILY))
    context = torch.zeros(1, 77, head.config.context_dim, device="meta")
    return gflop(lambda: head(source, context, features) if features else head(source, context))


def _text() -> nn.Module:
    return _meta(lambda: ClipText(TextConfig()))


def _meta(make: Callable[[], Any]) -> Any:
    """A network of shapes alone."""
    with torch.device("meta"):
        return make().eval()
