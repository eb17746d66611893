"""The training loop shared by every network: accelerate, EMA, checkpoints, logs, sample sheets, a time budget.

Every batch is a pure function of (recipe, step): a run that was killed goes on exactly where its checkpoint stands.
"""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import broadcast, is_torch_version
from PIL import Image
from torch.utils.data import Dataset, Sampler
from tqdm import tqdm

from ldznet_ext.train import checkpoint
from ldznet_ext.train.checkpoint import Counters
from ldznet_ext.train.loading import Packed, loader, unpacked
from ldznet_ext.train.recipe import Phase, Recipe

CHECKPOINT = "checkpoint.safetensors"


class Task(Protocol):
    """What differs between networks."""

    module: torch.nn.Module
    """Holds every trained parameter."""

    def dataset(self, phase: Phase) -> Dataset:
        """Samples addressed by their index alone, dicts of tensors."""

    def loss(self, batch: dict[str, Any], noise: torch.Generator, progress: float) -> dict[str, torch.Tensor]:
        """Scalars by name; "loss" is the one to descend. `noise` is a CPU generator seeded by the step; `progress` 0..1."""

    def sheet(self) -> np.ndarray | None:
        """A picture (uint8 h w 3) that shows how far the training is, drawn with the EMA weights."""

    def export(self, folder: Path, recipe: Recipe) -> None:
        """Write the final files, with the EMA weights in place."""


class Stretch(Sampler[int]):
    """Indices of one process: start + rank, then every `world`-th, without end."""

    def __init__(self, start: int, rank: int, world: int) -> None:
        self.start, self.rank, self.world = start, rank, world

    def __iter__(self) -> Iterator[int]:
        index = self.start + self.rank
        while True:
            yield index
            index += self.world


def train(task: Task, recipe: Recipe, out: Path, *, resume: bool = True, device: str | None = None) -> Path:
    """Train `task` as the recipe says and export it into `out`.

    Goes on from `out`/checkpoint.safetensors when there is one and `resume`. Returns `out`.
    """
    out.mkdir(parents=True, exist_ok=True)
    AcceleratorState._reset_state(reset_partial_state=False)  # several trainings may follow one another in a process
    accelerator = Accelerator(mixed_precision=recipe.precision, cpu=device == "cpu")
    torch.manual_seed(recipe.seed)
    groups = _groups(task.module, recipe.slow)
    optimizer = torch.optim.AdamW(
        groups, lr=0.0, weight_decay=recipe.weight_decay, betas=(0.9, 0.99), fused=_fuses(accelerator.device)
    )
    task.module, optimizer = accelerator.prepare(task.module, optimizer)
    bare = accelerator.unwrap_model(task.module)
    ema = [p.detach().clone() for p in bare.parameters()]
    counters = Counters()
    if resume and (out / CHECKPOINT).is_file():
        counters = checkpoint.load(out / CHECKPOINT, bare, ema, optimizer)
    run = _Run(task, recipe, out, accelerator, optimizer, ema, counters)
    run.go()
    with _ema_in_place(bare, ema):
        if accelerator.is_main_process:
            task.export(out, recipe)
    return out


def _fuses(device: torch.device) -> bool:
    """Whether this torch has AdamW as one kernel there: on the CPU a sixteenth of a step's time, since 2.4."""
    return device.type == "cuda" or (device.type == "cpu" and is_torch_version(">=", "2.4"))


def _groups(module: torch.nn.Module, slow: dict[str, float]) -> list[dict[str, Any]]:
    """What is trained, one group for each part's share of the rate."""
    groups: dict[float, list[torch.nn.Parameter]] = {}
    for name, parameter in module.named_parameters():
        if parameter.requires_grad:
            groups.setdefault(slow.get(name.split(".")[0], 1.0), []).append(parameter)
    return [{"params": parameters, "share": share} for share, parameters in groups.items()]


class _Run:
    """The state of one call of `train`."""

    def __init__(self, task, recipe, out, accelerator, optimizer, ema, counters) -> None:
        self.task, self.recipe, self.out, self.accelerator = task, recipe, out, accelerator
        self.optimizer, self.ema, self.counters = optimizer, ema, counters
        self.bare = accelerator.unwrap_model(task.module)
        self.log = _Log(out) if accelerator.is_main_process else None
        self.last_checkpoint = self.last_sheet = counters.elapsed

    def go(self) -> None:
        """Phase by phase to the end of the budget."""
        bar = tqdm(desc=self.recipe.kind, unit=" steps", initial=self.counters.step, mininterval=10)
        phases = self.recipe.phases
        self.counters.phase = min(self.counters.phase, len(phases) - 1)  # a finished run may be given a larger budget
        while self.counters.phase < len(phases) and not self._finished():
            if not self._phase_over():  # a checkpoint may stand at the very end of a phase
                self._phase(phases[self.counters.phase], bar)
            self.counters.phase += 1
        bar.close()
        self._checkpoint()
        if self.log is not None:
            self._sheet()
            self.log.close()

    def _phase(self, phase: Phase, bar: tqdm) -> None:
        world = self.accelerator.num_processes
        sampler = Stretch(self.counters.seen, self.accelerator.process_index, world)
        with self.accelerator.main_process_first():  # one process fills a cache, the others read it
            dataset = self.task.dataset(phase)
        pinned = self.accelerator.device.type != "cpu"
        batches = loader(
            Packed(dataset) if self.recipe.workers else dataset,
            workers=self.recipe.workers,
            pinned=pinned,
            batch_size=phase.batch,
            sampler=sampler,
        )
        clock = time.perf_counter() - self.counters.elapsed
        for batch in batches:
            self._step(phase, batch)
            self.counters.step += 1
            self.counters.seen += phase.batch * world
            self.counters.elapsed = self._agreed(time.perf_counter() - clock)
            bar.update()
            self._housekeeping(bar)
            if self._phase_over():
                return

    def _agreed(self, elapsed: float) -> float:
        """The first process' clock: phases must end at the same step everywhere, or the processes wait for ever."""
        if self.accelerator.num_processes == 1:
            return elapsed
        return broadcast(torch.tensor(elapsed, device=self.accelerator.device)).item()

    def _phase_over(self) -> bool:
        """Whether the running phase has had its share; the last one ends with the budget."""
        until = sum(p.share for p in self.recipe.phases[: self.counters.phase + 1])
        return self._finished() or (self._progress() >= until and self.counters.phase + 1 < len(self.recipe.phases))

    def _step(self, phase: Phase, batch: dict[str, Any]) -> None:
        rate = phase.rate * self._rate()
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["share"]
        seed = (self.recipe.seed * 1_000_003 + self.counters.step) * 64 + self.accelerator.process_index
        noise = torch.Generator().manual_seed(seed)
        batch = unpacked(batch, self.accelerator.device)
        with self.accelerator.autocast():
            losses = self.task.loss(batch, noise, self._progress())
        self.optimizer.zero_grad(set_to_none=True)
        self.accelerator.backward(losses["loss"])
        if self.recipe.clip:
            self.accelerator.clip_grad_norm_(self.task.module.parameters(), self.recipe.clip)
        self.optimizer.step()
        decay = min(self.recipe.ema, (1 + self.counters.step) / (10 + self.counters.step))
        with torch.no_grad():
            torch._foreach_lerp_(self.ema, [p.detach() for p in self.bare.parameters()], 1 - decay)
        if self.log is not None:
            self.log.add(self.counters.step, {**losses, "rate": rate})

    def _progress(self) -> float:
        if self.recipe.steps is not None:
            return self.counters.step / self.recipe.steps
        return self.counters.elapsed / (self.recipe.minutes * 60)

    def _rate(self) -> float:
        """Warm up, hold, then fall to zero over the last part of the budget."""
        falling = (1 - self._progress()) / self.recipe.decay if self.recipe.decay else 1.0
        return max(0.0, min(1.0, (self.counters.step + 1) / max(1, self.recipe.warmup), falling))

    def _finished(self) -> bool:
        return self._progress() >= 1

    def _housekeeping(self, bar: tqdm) -> None:
        c = self.counters
        if self.log is not None and c.step % 25 == 0:
            bar.set_postfix_str(self.log.line(), refresh=False)
        if c.elapsed - self.last_checkpoint > self.recipe.checkpoint_minutes * 60:
            self._checkpoint()
        if self.log is not None and c.elapsed - self.last_sheet > self.recipe.sample_minutes * 60:
            self._sheet()

    def _checkpoint(self) -> None:
        self.last_checkpoint = self.counters.elapsed
        if self.accelerator.is_main_process:
            checkpoint.save(self.out / CHECKPOINT, self.bare, self.ema, self.optimizer, self.counters)

    def _sheet(self) -> None:
        self.last_sheet = self.counters.elapsed
        with _ema_in_place(self.bare, self.ema), torch.inference_mode():
            sheet = self.task.sheet()
        if sheet is not None:
            folder = self.out / "samples"
            folder.mkdir(exist_ok=True)
            Image.fromarray(sheet).save(folder / f"step_{self.counters.step:07d}.png")
            self.log.picture(self.counters.step, sheet)


class _ema_in_place:
    """Swap the EMA weights in, and the raw ones back on leaving."""

    def __init__(self, module: torch.nn.Module, ema: list[torch.Tensor]) -> None:
        self.module, self.ema = module, ema

    def _swap(self) -> None:
        for parameter, average in zip(self.module.parameters(), self.ema, strict=True):
            parameter.data, average.data = average.data, parameter.data

    def __enter__(self) -> None:
        self.training = self.module.training
        self.module.eval()
        self._swap()

    def __exit__(self, *_: object) -> None:
        self._swap()
        self.module.train(self.training)


class _Log:
    """Running means to log.jsonl and, where it is installed, to TensorBoard."""

    def __init__(self, out: Path) -> None:
        self.writer = _tensorboard(out / "tensorboard")
        self.file = (out / "log.jsonl").open("a", encoding="utf-8")
        self.sums: dict[str, Any] = {}
        self.count = 0
        self.means: dict[str, float] = {}

    def add(self, step: int, values: dict[str, Any]) -> None:
        for name, value in values.items():  # sums stay where they are: to read one would make a GPU wait
            self.sums[name] = self.sums.get(name, 0.0) + (value.detach() if isinstance(value, torch.Tensor) else value)
        self.count += 1
        if self.count == 50:
            self.means = {name: float(value) / self.count for name, value in self.sums.items()}
            if self.writer is not None:
                for name, value in self.means.items():
                    self.writer.add_scalar(name, value, step)
            self.file.write(json.dumps({"step": step, "time": round(time.time()), **self.means}) + "\n")
            self.file.flush()
            self.sums, self.count = {}, 0

    def line(self) -> str:
        return " ".join(f"{name} {value:.4g}" for name, value in self.means.items())

    def picture(self, step: int, sheet: np.ndarray) -> None:
        if self.writer is not None:
            self.writer.add_image("samples", sheet, step, dataformats="HWC")

    def close(self) -> None:
        if self.writer is not None:
            self.writer.close()
        self.file.close()


def _tensorboard(folder: Path) -> Any:
    """A SummaryWriter, or None without the package."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(folder)
