"""What a mask holds in memory beside a loaded SD 1.5, in half precision: `python benchmarks/memory.py [--device cuda] [--json]`.

Counted on the meta device, where networks of full size cost nothing: every tensor, as it comes and goes. With --device it is
measured there instead, by the device's own allocator, kernels' workspaces included. `--docs docs/memory.md` renews its tables.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from ldznet_ext.caches import Caches
from ldznet_ext.eval.footprint import counted, measured, weights
from ldznet_ext.harvest.hooks import harvest
from ldznet_ext.harvest.taps import LDZNET_TAPS, last_tap
from ldznet_ext.hosts.autoencoder import Autoencoder, AutoencoderConfig
from ldznet_ext.hosts.clip_text import ClipText, TextConfig
from ldznet_ext.hosts.tiling import encode_in_tiles, is_large
from ldznet_ext.nets.heads import build_head
from ldznet_ext.nets.unet import UNet, UNetConfig
from ldznet_ext.nets.znet import ZNet
from ldznet_ext.segmenters.lending import lent

SIDES, ENCODED = (384, 512), (512, 768, 1024, 2048, 4096)
PHRASES = (1, 4, 8)
TOKENS, FACTOR = 77, 8
MARKS = "<!-- counted -->", "<!-- end of what is counted -->"


@dataclass(frozen=True, kw_only=True)
class Table:
    """What is printed: a title, names of columns, rows of a name and numbers or words."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


@dataclass(kw_only=True)
class Networks:
    """Those of SD 1.5's size, in half precision."""

    unet: UNet
    vae: Autoencoder
    text: ClipText
    head: ZNet

    def features(self, latent: Tensor, context: Tensor, *, early: bool = True) -> dict[str, Tensor]:
        """What the head reads, of a pass that ends after the last tap, or at its own end."""
        times = torch.full((len(context),), 400, device=latent.device)
        with harvest(self.unet, LDZNET_TAPS, stop_after=last_tap(LDZNET_TAPS) if early else None) as store:
            self.unet(latent.expand(len(context), -1, -1, -1), times, context)
        return store.take()

    def mask(self, latent: Tensor, context: Tensor) -> Tensor:
        """UNet pass, then head."""
        return self.head(latent, context, self.features(latent, context))


class Meter:
    """MB at the peak of a call: counted on the meta device, measured on any other."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.counts = device.type == "meta"

    def __call__(self, call: Callable[[], object], *, fused: bool = True) -> float | str:
        try:
            taken = counted(call, fused=fused) if self.counts else measured(call, self.device)
        except torch.cuda.OutOfMemoryError:
            return "no room"
        return round(taken / 1e6, 1)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="meta", help="measure on an accelerator, e.g. cuda (default: count)")
    parser.add_argument("--docs", type=Path, help="a page whose tables are to be renewed")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    device = torch.device(args.device)
    tables = all_tables(device)
    if args.json:
        print(json.dumps({"device": named(device), "tables": [asdict(table) for table in tables]}, indent=1))
        return
    if args.docs:
        renew(args.docs, tables)
    print(f"SD 1.5 and LD-ZNet in float16, {named(device)}\n")
    for table in tables:
        print(f"{markdown(table)}\n")


def all_tables(device: torch.device) -> list[Table]:
    """Every table of this device."""
    nets, meter = build(device), Meter(device)
    return [
        table_of_weights(nets),
        table_of_passes(nets, meter),
        table_of_encoding(nets, meter),
        table_of_caches(nets, device),
        *([] if meter.counts else [table_of_offload(nets, device)]),
    ]


def build(device: torch.device) -> Networks:
    """Networks of full size; what is in them does not matter."""

    def make(network: Callable[[], nn.Module]) -> Any:
        with torch.device(device):
            return network().to(torch.float16).eval().requires_grad_(False)

    vae = make(lambda: Autoencoder(AutoencoderConfig())).to(memory_format=torch.channels_last)
    return Networks(
        unet=make(lambda: UNet(UNetConfig())),
        vae=vae,
        text=make(lambda: ClipText(TextConfig())),
        head=make(lambda: build_head("ldznet", "sd1")),
    )


def table_of_weights(nets: Networks) -> Table:
    """What is loaded, and what we add to it."""
    host = {"UNet": nets.unet, "text encoder": nets.text, "VAE": nets.vae}
    rows = [(name, round(weights(network) / 1e9, 3), "the host's, shared") for name, network in host.items()]
    ours = ("LD-ZNet's head", round(weights(nets.head) / 1e9, 3), "ours")
    return Table(title="Weights", columns=("network", "GB", "whose"), rows=(*rows, ours))


def table_of_passes(nets: Networks, meter: Meter) -> Table:
    """Activations of a mask."""
    rows = []
    for side in SIDES:
        for phrases in PHRASES:
            latent, context = inputs(nets, side, phrases, meter.device)
            with torch.no_grad():
                features = nets.features(latent, context)
            parts: list[Callable[[], object]] = [
                partial(nets.features, latent, context),
                partial(nets.features, latent, context, early=False),
                partial(nets.head, latent, context, features),
                partial(nets.mask, latent, context),
            ]
            del features
            plain = [meter(parts[-1], fused=False)] if meter.counts else []
            rows.append((f"{side}x{side}, {phrases}", *map(meter, parts), *plain))
            del parts
    columns = ("picture, phrases", "UNet pass", "to its end", "head", "both", *(["no fused attention"] * meter.counts))
    return Table(title="Activations of a mask, MB", columns=columns, rows=tuple(rows))


def inputs(nets: Networks, side: int, phrases: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """A latent and the states of so many texts."""
    kind: dict[str, Any] = {"device": device, "dtype": torch.float16}
    latent = torch.zeros(1, 4, side // FACTOR, side // FACTOR, **kind)
    return latent, torch.zeros(phrases, TOKENS, nets.unet.config.context_dim, **kind)


def table_of_encoding(nets: Networks, meter: Meter) -> Table:
    """The VAE's pass over a picture: whole, in tiles, and which is taken."""
    rows = []
    for side in ENCODED:
        pixels = torch.zeros(1, 3, side, side, device=meter.device, dtype=torch.float16)
        tiled = partial(encode_in_tiles, nets.vae.encoder, pixels)
        whole = partial(nets.vae.encoder, pixels)
        more = [times_the_work(tiled, whole) if side <= 2048 else "-"] if meter.counts else []
        taken = "tiles" if is_large(pixels) else "whole"
        rows.append((f"{side}x{side}", meter(whole), meter(tiled), taken, *more))
    columns = ("picture", "whole", "in tiles", "taken", *(["work of tiles"] * meter.counts))
    return Table(title="Encoding, MB", columns=columns, rows=tuple(rows))


def times_the_work(tiled: Callable[[], object], whole: Callable[[], object]) -> float:
    """Operations of one in terms of the other."""
    from ldznet_ext.eval.costs import gflop  # brings OpenCV, which a machine lent for its GPU may lack

    return round(gflop(tiled) / gflop(whole), 2)


def table_of_caches(nets: Networks, device: torch.device) -> Table:
    """What stays after a mask of one phrase at 512x512, and the most that ever does."""
    latent, context = inputs(nets, 512, 1, device)
    with torch.no_grad():
        features = nets.features(latent, context)
    kept = {
        "latents": (latent.nbytes, "the device"),
        "texts": (context.nbytes, "the device"),
        "features": (sum(each.nbytes for each in features.values()), "main memory"),
    }
    caches = Caches()
    rows = [
        (name, round(used / 1e6, 2), round(getattr(caches, name).limit / 1e6), where)
        for name, (used, where) in kept.items()
    ]
    return Table(title="Caches, MB", columns=("cache", "a mask", "at most", "in"), rows=tuple(rows))


def table_of_offload(nets: Networks, device: torch.device) -> Table:
    """What the device holds between calls and during one, the head waiting on it or in main memory."""
    module: Any = getattr(torch, device.type)
    latent, context = inputs(nets, 512, 1, device)

    def ask() -> None:
        with torch.no_grad(), lent(nets.head, device):
            nets.mask(latent, context)

    rows = []
    for where in (device, torch.device("cpu")):
        nets.head.to(where)
        ask()
        module.synchronize(device)
        before = module.memory_allocated(device)
        module.reset_peak_memory_stats(device)
        ask()
        rows.append((where.type, round(before / 1e9, 3), round(module.max_memory_allocated(device) / 1e9, 3)))
    return Table(title="Held by the device, GB", columns=("the head waits on", "between", "during"), rows=tuple(rows))


def named(device: torch.device) -> str:
    """The device in words."""
    if device.type == "meta":
        return f"counted, torch {torch.__version__.partition('+')[0]}"
    return f"measured on {getattr(torch, device.type).get_device_name(device)}, torch {torch.__version__}"


def markdown(table: Table) -> str:
    """A table as a page shows it."""

    def line(cells: Sequence[Any]) -> str:
        return f"| {' | '.join(f'{cell:,}' if isinstance(cell, (int, float)) else cell for cell in cells)} |"

    ruler = line(["---", *["---:"] * (len(table.columns) - 1)])
    return "\n".join([f"**{table.title}**", "", line(table.columns), ruler, *map(line, table.rows)])


def renew(page: Path, tables: Sequence[Table]) -> None:
    """Put the tables between a page's marks."""
    text = page.read_text(encoding="utf-8")
    before, _, rest = text.partition(MARKS[0])
    _, _, after = rest.partition(MARKS[1])
    shown = "\n\n".join(map(markdown, tables))
    page.write_text(f"{before}{MARKS[0]}\n{shown}\n\n{MARKS[1]}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
