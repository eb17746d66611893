"""Checkpoints of a training: model, EMA and optimiser as one safetensors file, counters as its metadata.

No pickle is written or read. The file appears under its name only when complete.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from ldznet_ext.errors import DataError


@dataclass(kw_only=True)
class Counters:
    """Where a training stands: everything that is not a tensor."""

    step: int = 0
    seen: int = 0
    """Samples drawn so far over all processes: the index of the next one."""
    elapsed: float = 0.0
    """Seconds trained so far, over all runs."""
    phase: int = 0


def save(path: Path, module: torch.nn.Module, ema: list[torch.Tensor], optimizer, counters: Counters) -> None:
    """Write everything needed to go on exactly."""
    tensors = {f"model.{name}": value.detach().cpu() for name, value in module.state_dict().items()}
    names = [name for name, _ in module.named_parameters()]
    tensors |= {f"ema.{name}": value.cpu() for name, value in zip(names, ema, strict=True)}
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{key}": torch.as_tensor(value).cpu() for key, value in state.items()}
    part = path.with_suffix(".part")
    tensors = {key: value.contiguous().clone() for key, value in tensors.items()}
    save_file(tensors, part, metadata={"counters": json.dumps(asdict(counters))})
    os.replace(part, path)


def load(path: Path, module: torch.nn.Module, ema: list[torch.Tensor], optimizer) -> Counters:
    """Restore in place what `save` wrote and return the counters."""
    with safe_open(path, framework="pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (not a dict)
        kept = json.loads(file.metadata()["counters"])
    counters = Counters(**{key: value for key, value in kept.items() if key in Counters.__dataclass_fields__})
    expected = {f"model.{name}" for name in module.state_dict()}
    if missing := expected - set(tensors):
        raise DataError(
            f"The checkpoint {path} lacks {sorted(missing)[0]}; it belongs to another model, so train anew."
        )
    module.load_state_dict({key[6:]: value for key, value in tensors.items() if key.startswith("model.")})
    for (name, _), value in zip(module.named_parameters(), ema, strict=True):
        value.copy_(tensors[f"ema.{name}"])
    state: dict[int, dict[str, torch.Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith("optimizer."):
            _, index, field = key.split(".", 2)
            state.setdefault(int(index), {})[field] = value
    whole = optimizer.state_dict()
    optimizer.load_state_dict({"state": state, "param_groups": whole["param_groups"]})
    return counters
