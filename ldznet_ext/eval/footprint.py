"""What a pass holds in memory at its peak, beside the weights: every tensor that torch makes, counted as it comes and goes.

On the meta device tensors have shapes and no values, so networks of full size are counted in seconds, exactly, and alike on
every machine. What a kernel takes for itself (a convolution's workspace) is not seen: `measured` asks a device for that.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


def counted(call: Callable[[], object], *, fused: bool = True) -> int:
    """Bytes of the tensors alive at once while `call` runs, at most; those that were there before are not counted.

    fused: attention as fused kernels do it, which hold no scores; otherwise as torch does it step by step where there is none.
    """
    with torch.no_grad(), _Counter() as counter, _FusedAttention() if fused else _PlainAttention():
        kept = call()
    del kept  # alive until here: what a call returns is part of what it holds
    return counter.peak


def measured(call: Callable[[], object], device: torch.device) -> int:
    """The same as the accelerator's own allocator counts it, workspaces included. The first call warms up."""
    module: Any = getattr(torch, device.type)
    with torch.no_grad():
        call()
        module.synchronize(device)
        before = module.memory_allocated(device)
        module.reset_peak_memory_stats(device)
        call()
        module.synchronize(device)
    return module.max_memory_allocated(device) - before


def weights(network: nn.Module) -> int:
    """Bytes of a network's parameters and buffers."""
    return sum(tensor.nbytes for tensor in (*network.parameters(), *network.buffers()))


class _Counter(TorchDispatchMode):
    """Counts the bytes of each new storage until nobody holds it any more."""

    def __init__(self) -> None:
        super().__init__()
        self.peak = self._now = 0
        self._alive: dict[StorageWeakRef, int] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        given = {_storage(each) for each in tree_leaves((args, kwargs)) if isinstance(each, Tensor)}
        for gone in [ref for ref in self._alive if ref.expired()]:
            self._now -= self._alive.pop(gone)
        for each in tree_leaves(made):
            if isinstance(each, Tensor) and (ref := _storage(each)) not in given and ref not in self._alive:
                self._alive[ref] = each.untyped_storage().nbytes()
                self._now += self._alive[ref]
        self.peak = max(self.peak, self._now)
        return made


def _storage(tensor: Tensor) -> StorageWeakRef:
    return StorageWeakRef(tensor.untyped_storage())


class _Attention(TorchFunctionMode):
    """Puts `attend` in the place of torch's attention: which kernel that takes depends on the machine."""

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        raise NotImplementedError

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is F.scaled_dot_product_attention:
            return self.attend(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))


class _FusedAttention(_Attention):
    """What fused kernels leave: the answer, laid out so that heads join without a copy, and a sum for each query."""

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        batch, heads, queries, _ = q.shape
        sums = q.new_empty(batch, heads, queries, dtype=torch.float32)
        made = q.new_empty(batch, queries, heads, v.shape[-1]).transpose(1, 2)
        del sums  # both are there at once
        return made


class _PlainAttention(_Attention):
    """torch's own fallback: all scores and their softmax, in float32 whatever the type (`_scaled_dot_product_attention_math`)."""

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        wide = q.float() * q.shape[-1] ** -0.25, k.float() * q.shape[-1] ** -0.25
        scores = wide[0] @ wide[1].transpose(-1, -2)
        return (scores.softmax(dim=-1) @ v.float()).to(q.dtype)


def slope(values: Sequence[float]) -> float:
    """How much values grow from one to the next: the least-squares line through them."""
    middle, mean = (len(values) - 1) / 2, math.fsum(values) / len(values)
    spread = sum((index - middle) ** 2 for index in range(len(values)))
    return sum((index - middle) * (value - mean) for index, value in enumerate(values)) / spread if spread else 0.0
