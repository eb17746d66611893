"""`ldznet train ...` with what a GPU gains from: `python tools/away/train.py KIND ...`, SPEED=none|narrow|narrow,last.

narrow: norms stay in bfloat16 (autocast would make them, and all up to the next convolution, float32); last: channels last.
"""

import argparse
import os
import resource
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from ldznet_ext.nets.blocks import GroupNorm32
from ldznet_ext.train import loop
from ldznet_ext.train.cli import add_arguments, run


def settle(speed: str) -> None:
    """Let this process train as fast as the machine can."""
    torch.backends.cudnn.benchmark = True
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # every batch of a painting process is a file
    if "narrow" in speed:
        narrow()
    if "last" in speed:
        plain = loop.train
        loop.train = lambda task, *args, **how: plain(channels_last(task), *args, **how)


def narrow() -> None:
    """Compute norms in the type of what comes in."""
    for kind, norm in ((nn.GroupNorm, _group), (GroupNorm32, _group), (nn.LayerNorm, _layer)):
        kind.forward = _unless_wide(kind.forward, norm)


def channels_last(task):
    """The task, its networks' weights ordered as a GPU's convolutions want them."""
    task.module.to(memory_format=torch.channels_last)
    return task


def _unless_wide(plain, norm):
    def forward(self, x):
        if x.dtype != torch.bfloat16:
            return plain(self, x)
        with torch.autocast(x.device.type, enabled=False):
            return norm(self, x, self.weight.to(x.dtype), self.bias.to(x.dtype))

    return forward


def _group(self, x, weight, bias):
    return F.group_norm(x, self.num_groups, weight, bias, self.eps)


def _layer(self, x, weight, bias):
    return F.layer_norm(x, self.normalized_shape, weight, bias, self.eps)


if __name__ == "__main__":
    settle(os.environ.get("SPEED", "narrow"))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_arguments(parser)
    raise SystemExit(run(parser.parse_args()))
