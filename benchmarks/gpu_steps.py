"""What each way of running the same mask gains on a GPU: one step after the other, each kept, measured against each other."""

import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from benchmarks.full_size import TIMESTEP, Inputs, Networks
from benchmarks.timing import alternate
from ldznet_ext.harvest.taps import LDZNET_TAPS
from ldznet_ext.nets.attention import AttentionPool2d
from ldznet_ext.nets.blocks import GroupNorm32, ResBlock, SpatialTransformer
from ldznet_ext.nets.unet import UNet


def ladder(zoo: Mapping[str, Networks], inputs: Mapping[str, Inputs], device: torch.device) -> dict[str, Any]:
    """An uploaded picture and one phrase: from the authors' way in float32 to everything at once in float16."""
    nets, mine = zoo["float16"], inputs["float16"]
    exact, theirs = zoo["float32"], inputs["float32"]
    truth = exact.plain(theirs.pixels, theirs.one)
    found: dict[str, Any] = {}

    def uploaded() -> Tensor:
        return nets.uploaded(mine.pixels, mine.one)

    def rung(name: str, call: Callable[[], Tensor] = uploaded, *, graph: bool = False) -> None:
        try:
            ready = graphed(call, device) if graph else call
            found[name] = _timed(ready, device)
            if (out := ready()).shape == truth.shape:
                found[name]["error"] = float((out - truth).norm() / (truth - truth.mean()).norm())
        except Exception as error:
            found[name] = {"failed": f"{type(error).__name__}: {error}"[:300]}

    rung("plain, float32", lambda: exact.plain(theirs.pixels, theirs.one))
    rung("plain, float16", lambda: nets.plain(mine.pixels, mine.one))
    rung("early exit")
    with channels_last(nets):
        rung("early exit, channels_last")
    rung("early exit, graph", graph=True)
    with tuned_convolutions():
        rung("early exit, cudnn.benchmark")
        rung("early exit, cudnn.benchmark, graph", graph=True)
    with ExitStack() as stack:
        stack.enter_context(own_norms())
        rung("early exit, norms in float16")
        stack.enter_context(fused_pool())
        rung("early exit, norms in float16, fused pool")
        rung("early exit, norms in float16, fused pool, graph", graph=True)
        stack.enter_context(channels_last(nets))
        rung("early exit, norms in float16, fused pool, graph, channels_last", graph=True)
    rung("another phrase, graph", lambda: nets.again(mine.latent, mine.one), graph=True)
    rung("just generated, graph", lambda: nets.head(mine.latent, mine.one, mine.features), graph=True)
    rung("8 phrases, graph", lambda: nets.again(mine.latent, mine.context), graph=True)
    rung("UNet step, graph", lambda: nets.step(mine.latent, mine.one), graph=True)
    return found


def _timed(call: Callable[[], object], device: torch.device) -> dict[str, Any]:
    return alternate({"this": call}, rounds=15, warm=3, device=device, seconds=1.5)["this"]


def attention_kernels(nets: Networks, inputs: Inputs, device: torch.device) -> dict[str, Any]:
    """Each kernel of `scaled_dot_product_attention` by itself, in the head alone, where it can run at all."""
    from torch.nn.attention import SDPBackend, sdpa_kernel

    found = {}
    for kernel in ("FLASH_ATTENTION", "EFFICIENT_ATTENTION", "CUDNN_ATTENTION", "MATH"):
        try:
            with sdpa_kernel(getattr(SDPBackend, kernel)):
                found[kernel] = _timed(lambda: nets.head(inputs.latent, inputs.one, inputs.features), device)
        except Exception as error:
            found[kernel] = f"{type(error).__name__}: {error}"[:200]
    return found


def compiled(nets: Networks, inputs: Inputs, device: torch.device, limit: float) -> dict[str, Any]:
    """`torch.compile` on the head and on the UNet without hooks, for as long as the limit (seconds) allows."""
    found: dict[str, Any] = {}
    noisy, features = nets.noisy(inputs.latent), {tap: inputs.features[tap] for tap in LDZNET_TAPS}
    work = {
        "head": (nets.head, (inputs.latent, inputs.one, features)),
        "UNet to its last tap": (Trunk(nets.unet), (noisy, inputs.one)),
    }
    try:
        with time_limit(limit):
            for name, (network, given) in work.items():
                quick, start = torch.compile(network, dynamic=False), time.perf_counter()
                quick(*given)
                found[name] = {"compiling_seconds": round(time.perf_counter() - start, 1)}
                found[name]["eager"] = _timed(lambda n=network, g=given: n(*g), device)
                found[name]["compiled"] = _timed(lambda q=quick, g=given: q(*g), device)
                found[name]["compiled, graph"] = _timed(graphed(lambda q=quick, g=given: q(*g), device), device)
    except Exception as error:  # what was measured before stays
        found["ended"] = f"{type(error).__name__}: {error}"[:600]
    return found


class Trunk(nn.Module):
    """Our own UNet as far as its last tap, without hooks: the same numbers, in one piece for a compiler."""

    def __init__(self, unet: UNet) -> None:
        super().__init__()
        self.unet = unet

    def forward(self, noisy: Tensor, context: Tensor) -> dict[str, Tensor]:
        emb = self.unet.embed(torch.full((1,), TIMESTEP, device=noisy.device))
        kept, skips, x = {}, [], noisy
        for index, block in enumerate(self.unet.input_blocks):
            x = kept[f"in.{index}"] = block(x, emb, context)
            skips.append(x)
        for layer in self.unet.middle_block:
            x = _through(layer, x, emb, context)
            if isinstance(layer, SpatialTransformer):
                kept["mid"] = x
        for index, block in enumerate(self.unet.output_blocks):
            x = torch.cat([x, skips.pop()], dim=1)
            for layer in block.children():
                x = _through(layer, x, emb, context)
                if isinstance(layer, SpatialTransformer):
                    kept[f"out.{index}"] = x
                if LDZNET_TAPS[-1] in kept:
                    return {tap: kept[tap] for tap in LDZNET_TAPS}
        return kept


def _through(layer: nn.Module, x: Tensor, emb: Tensor, context: Tensor) -> Tensor:
    if isinstance(layer, ResBlock):
        return layer(x, emb)
    return layer(x, context) if isinstance(layer, SpatialTransformer) else layer(x)


def graphed(call: Callable[[], Tensor], device: torch.device) -> Callable[[], Tensor]:
    """The call's kernels recorded once and sent to the GPU in one go ever after; on a CPU the call itself."""
    if device.type != "cuda":
        return call
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            call()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        out = call()

    def replay() -> Tensor:
        graph.replay()
        return out

    return replay


@contextmanager
def channels_last(nets: Networks) -> Iterator[None]:
    """Weights of convolutions with their channels last in memory; what flows follows them."""
    for network in nets.each().values():
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    try:
        yield
    finally:
        for network in nets.each().values():
            network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]


@contextmanager
def tuned_convolutions() -> Iterator[None]:
    """cuDNN tries its algorithms and keeps the fastest for each shape."""
    kept, torch.backends.cudnn.benchmark = torch.backends.cudnn.benchmark, True
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = kept


@contextmanager
def own_norms() -> Iterator[None]:
    """Group norms on numbers as they come: the kernel adds up in float32 by itself."""
    with _patched(GroupNorm32, "forward", nn.GroupNorm.forward):
        yield


@contextmanager
def fused_pool() -> Iterator[None]:
    """The pool's attention by `scaled_dot_product_attention`."""

    def attend(self: AttentionPool2d, qkv: Tensor) -> Tensor:
        q, k, v = rearrange(qkv, "b (three heads d) n -> three b heads n d", three=3, heads=self.heads)
        return rearrange(F.scaled_dot_product_attention(q, k, v), "b heads n d -> b (heads d) n")

    with _patched(AttentionPool2d, "_attend", attend):
        yield


@contextmanager
def _patched(owner: type, name: str, value: Any) -> Iterator[None]:
    kept = owner.__dict__[name]
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, kept)


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """TimeoutError in the middle of what takes longer."""

    def ring(*_: object) -> None:
        raise TimeoutError(f"longer than {seconds:.0f} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.1))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
