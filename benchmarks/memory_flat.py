"""Whether memory stays where it is, mask after mask: `python benchmarks/memory_flat.py [--full-size] [--calls 200] [--json]`.

Every call brings another picture, so that nothing is answered out of a cache; the caches are so small that they are full after
a few calls. From then on memory must not grow. `--full-size`: random networks of SD 1.5's and LD-ZNet's size, not Sticker-SD.
"""

import argparse
import contextlib
import ctypes
import gc
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from ldznet_ext.caches import MEBIBYTE, ByteCache, Caches
from ldznet_ext.eval.footprint import slope
from ldznet_ext.pipeline import segment
from ldznet_ext.segmenters.base import Segmenter

WORDS = ("cat & !tail", "dog | fox", "fox", "owl", "snow", "red balloon", "tree", "house")
"""The largest batches first: kernels are made for each size of batch once, and that is no leak."""
WARM = 0.25
"""Of the calls, left out at the beginning: allocators and kernels settle in them."""
MOST, MOST_FULL_SIZE = 0.05, 1.0
"""MB a call that still count as flat: a map of 256x256 that is left behind each time is five times as much as the first, the
features of a phrase of full size three times as much as the second."""
KINDS = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


def main() -> None:
    """Ask, and print how much memory grew."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, help="how many (default: 200, full-size 10)")
    parser.add_argument("--full-size", action="store_true")
    parser.add_argument("--side", type=int, help="of the pictures (default: 256, full-size 512)")
    parser.add_argument("--device")
    parser.add_argument("--dtype", choices=KINDS, help="of full-size networks (default: float16, bfloat16 on a CPU)")
    parser.add_argument("--offload", action="store_true")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    found = measure(args)
    if args.json:
        print(json.dumps(found, indent=1))
        return
    print(", ".join(f"{name} {value}" for name, value in found.items() if not isinstance(value, list)))
    for name in ("main memory", "device"):
        if values := found[f"{name}, MB"]:
            print(f"{name:<12} {values[0]:9.1f} MB after the first call, {values[-1]:9.1f} after the last")


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """MB after every call, and how much that grows from one call to the next."""
    backbone, method = full_size(args) if args.full_size else sticker(args)
    backbone.caches = Caches(ByteCache(MEBIBYTE // 8), ByteCache(MEBIBYTE // 4), ByteCache(2 * MEBIBYTE))
    calls, side = args.calls or (10 if args.full_size else 200), args.side or (512 if args.full_size else 256)
    drawn = np.random.default_rng(0)
    main_memory, device, began = [], [], time.perf_counter()
    for number in range(calls):
        picture = drawn.integers(0, 255, (side, side, 3), dtype=np.uint8)
        segment(picture, WORDS[number % len(WORDS)], backbone=backbone, method=method)
        main_memory.append(resident() / 1e6)
        if backbone.device.type != "cpu":
            device.append(getattr(torch, backbone.device.type).memory_allocated(backbone.device) / 1e6)
    most = MOST_FULL_SIZE if args.full_size else MOST
    settled = int(len(main_memory) * WARM)
    growth = {"main memory": slope(main_memory[settled:]), "device": slope(device[settled:]) if device else None}
    return {
        "model": backbone.name,
        "device": str(backbone.device),
        "type": str(backbone.dtype).removeprefix("torch."),
        "calls": calls,
        "side": side,
        "seconds a call": round((time.perf_counter() - began) / calls, 2),
        **{f"{name} grows by MB a call": value and round(value, 4) for name, value in growth.items()},
        "flat": all(value < most for value in growth.values() if value is not None),
        "main memory, MB": [round(value, 1) for value in main_memory],
        "device, MB": [round(value, 2) for value in device],
    }


def resident() -> int:
    """Bytes of this process that are in main memory, after what the allocator had kept for later is given back."""
    gc.collect()
    if sys.platform != "linux":
        import psutil

        return psutil.Process().memory_info().rss
    with contextlib.suppress(OSError, AttributeError):  # another C library than GNU's
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def sticker(args: argparse.Namespace) -> tuple[Any, str]:
    """The shipped model with its head."""
    from ldznet_ext.hosts.standalone import load_backbone

    return load_backbone(device=args.device, dtype=args.dtype, offload=args.offload), "ldznet"


def full_size(args: argparse.Namespace) -> tuple[Any, Segmenter]:
    """A model of SD 1.5's size and its head, with random weights, that looks at pictures of the side that is asked."""
    from ldznet_ext.geometry import Size
    from ldznet_ext.hosts.autoencoder import Autoencoder, AutoencoderConfig
    from ldznet_ext.hosts.clip_text import ClipText, TextConfig
    from ldznet_ext.hosts.loading import Parts
    from ldznet_ext.hosts.schedule import Schedule
    from ldznet_ext.hosts.standalone import StandaloneBackbone, pick_device
    from ldznet_ext.hosts.tokens import load_tokens
    from ldznet_ext.nets.heads import build_head
    from ldznet_ext.nets.unet import UNet, UNetConfig
    from ldznet_ext.segmenters.ldznet import LDZNetSegmenter
    from ldznet_ext.weights import DEFAULT_MODEL, HeadInfo, find_model

    device, side = pick_device(args.device), args.side or 512
    dtype = KINDS[args.dtype or ("bfloat16" if device.type == "cpu" else "float16")]
    vocabulary = find_model(DEFAULT_MODEL)
    assert vocabulary is not None, "Sticker-SD lends CLIP's vocabulary"

    def make(network: Callable[[], nn.Module], where: torch.device = device) -> Any:
        """Drawn in the type that is wanted: twice the room would not be there for a moment either."""
        before = torch.get_default_dtype()
        torch.set_default_dtype(dtype)
        try:
            with torch.device(where):
                return network().to(dtype).eval().requires_grad_(False)
        finally:
            torch.set_default_dtype(before)

    parts = Parts(
        name="random weights of SD 1.5's size",
        family="sd1",
        native=Size(side, side),
        unet=make(lambda: UNet(UNetConfig())),
        vae=make(lambda: Autoencoder(AutoencoderConfig())),
        text_encoder=make(lambda: ClipText(TextConfig())),
        tokens=load_tokens(vocabulary / "tokenizer"),
        schedule=Schedule(),
    )
    head = make(lambda: build_head("ldznet", "sd1"), torch.device("cpu") if args.offload else device)
    info = HeadInfo(kind="ldznet", family="sd1", preset="sd1", taps=head.taps, native_grid=(12, 6))
    return StandaloneBackbone(parts, offload=args.offload), LDZNetSegmenter(head, info)


if __name__ == "__main__":
    main()
