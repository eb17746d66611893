"""The loop on a network of twelve weights: exact resume, budgets, phases, the rate, EMA and checkpoints."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from ldznet_ext.errors import DataError
from ldznet_ext.train import checkpoint, loop
from ldznet_ext.train.checkpoint import Counters
from ldznet_ext.train.loop import CHECKPOINT, Stretch, _ema_in_place, train
from ldznet_ext.train.recipe import Phase, parse_recipe


class Killed(Exception):
    """Stands for a kill."""


class Ramp:
    """Sample n is a vector that depends on n alone."""

    def __getitem__(self, index):
        return {"x": torch.tensor([index % 7, index % 3, 1.0]), "text": f"n{index}"}


class Task:
    """Fits noisy targets; notes what it is given, and dies after `life` steps."""

    def __init__(self, life=10**9):
        torch.manual_seed(3)
        self.module = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))
        self.life, self.seen, self.sizes, self.exported = life, [], [], None

    def dataset(self, phase):
        self.sizes.append(phase.size)
        return Ramp()

    def loss(self, batch, noise, progress):
        if len(self.seen) == self.life:
            raise Killed
        self.seen.append(list(batch["text"]))
        target = torch.randn(batch["x"].shape, generator=noise)
        return {"loss": (self.module(batch["x"]) - target).square().mean() * (1 + progress)}

    def sheet(self):
        return np.zeros((4, 6, 3), np.uint8)

    def export(self, folder, recipe):
        self.exported = {name: value.clone() for name, value in self.module.state_dict().items()}


def recipe(**changes):
    phases = [{"share": 0.5, "size": 8, "batch": 4, "rate": 0.05}, {"share": 0.5, "size": 16, "batch": 2, "rate": 0.02}]
    settings = {"kind": "test", "steps": 8, "warmup": 2, "decay": 0.25, "checkpoint_minutes": 0.0}
    return parse_recipe({**settings, "phases": phases, **changes})


def run(task, out, **changes):
    train(task, recipe(**changes), out, device="cpu")
    return task


def same(one, two):
    assert one.keys() == two.keys()
    for key in one:
        assert torch.equal(one[key], two[key]), key


@pytest.mark.parametrize("life", [1, 3, 4, 5, 7])
def test_a_killed_training_goes_on_bit_for_bit(tmp_path, life):
    whole = run(Task(), tmp_path / "whole")
    first = Task(life)
    with pytest.raises(Killed):
        run(first, tmp_path / "parts")
    second = run(Task(), tmp_path / "parts")
    assert first.seen + second.seen == whole.seen
    assert len(second.seen) == 8 - life
    same(load_file(tmp_path / "parts" / CHECKPOINT), load_file(tmp_path / "whole" / CHECKPOINT))
    same(second.exported, whole.exported)


def test_the_test_above_can_fail(tmp_path):
    run(Task(), tmp_path / "one")
    run(Task(), tmp_path / "two", seed=1)
    one, two = (load_file(tmp_path / name / CHECKPOINT) for name in ("one", "two"))
    assert not torch.equal(one["model.0.weight"], two["model.0.weight"])
    assert not torch.equal(one["model.0.weight"], one["ema.0.weight"])


def test_phases_split_the_budget_and_samples_follow_one_another(tmp_path):
    task = run(Task(), tmp_path)
    assert task.sizes == [8, 16]
    assert [len(batch) for batch in task.seen] == [4] * 4 + [2] * 4
    assert [text for batch in task.seen for text in batch] == [f"n{index}" for index in range(24)]


def test_a_finished_training_only_exports_and_takes_a_larger_budget(tmp_path):
    run(Task(), tmp_path)
    again = run(Task(), tmp_path)
    assert again.seen == []
    assert again.exported is not None
    more = run(Task(), tmp_path, steps=10)
    assert [len(batch) for batch in more.seen] == [2, 2]
    assert more.seen[0][0] == "n24"


def test_fresh_ignores_the_checkpoint(tmp_path):
    run(Task(), tmp_path)
    task = Task()
    train(task, recipe(), tmp_path, resume=False, device="cpu")
    assert len(task.seen) == 8


def test_minutes_end_the_training(tmp_path, monkeypatch):
    seconds = iter(range(0, 10**6, 10))
    monkeypatch.setattr(loop.time, "perf_counter", lambda: float(next(seconds)))
    task = run(Task(), tmp_path, steps=None, minutes=1.0)
    assert len(task.seen) == 6  # a step takes ten seconds of this clock
    assert task.sizes == [8, 16]
    with pytest.raises(Killed):
        run(Task(2), tmp_path, steps=None, minutes=2.0)
    assert len(run(Task(), tmp_path, steps=None, minutes=2.0).seen) == 4  # all runs together


def rates(tmp_path, monkeypatch, **changes):
    given = []
    monkeypatch.setattr(loop._Log, "add", lambda self, step, values: given.append(values["rate"]))
    run(Task(), tmp_path, **changes)
    return given


def test_the_rate_warms_up_holds_and_falls(tmp_path, monkeypatch):
    phases = [{"share": 1.0, "size": 8, "batch": 2, "rate": 0.1}]
    given = rates(tmp_path, monkeypatch, phases=phases, steps=10, warmup=4, decay=0.4)
    assert given == pytest.approx([0.025, 0.05, 0.075, 0.1, 0.1, 0.1, 0.1, 0.075, 0.05, 0.025])


def test_without_decay_the_rate_stays(tmp_path, monkeypatch):
    phases = [{"share": 1.0, "size": 8, "batch": 2, "rate": 0.1}]
    assert rates(tmp_path, monkeypatch, phases=phases, steps=4, warmup=0, decay=0.0) == [0.1] * 4


def test_log_and_sheets_are_written(tmp_path):
    run(Task(), tmp_path, steps=100, sample_minutes=0.0)
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [49, 99]
    assert {"loss", "rate", "time"} <= rows[0].keys()
    assert list((tmp_path / "tensorboard").iterdir())
    assert (tmp_path / "samples" / "step_0000100.png").is_file()


def test_processes_share_the_samples():
    both = [iter(Stretch(10, rank, 2)) for rank in range(2)]
    assert [[next(one) for _ in range(3)] for one in both] == [[10, 12, 14], [11, 13, 15]]


def test_the_average_is_swapped_in_and_out():
    module = nn.Linear(2, 1, bias=False).train()
    raw, average = module.weight.detach().clone(), torch.full((1, 2), 7.0)
    ema = [average]

    def drawing_a_sheet():
        with _ema_in_place(module, ema):
            assert not module.training
            assert torch.equal(module.weight, torch.full((1, 2), 7.0))
            raise Killed

    with pytest.raises(Killed):
        drawing_a_sheet()
    assert module.training
    assert torch.equal(module.weight, raw)
    assert torch.equal(ema[0], torch.full((1, 2), 7.0))


def test_the_average_follows_slowly(tmp_path):
    """EMA decay is min(ema, (1 + n) / (10 + n)): after one step nine tenths new."""
    task = Task()
    start = task.module[0].weight.detach().clone()
    run(task, tmp_path, steps=1, warmup=0, phases=[{"share": 1.0, "size": 8, "batch": 4, "rate": 0.05}])
    kept = load_file(tmp_path / CHECKPOINT)
    expected = torch.lerp(start, kept["model.0.weight"], 0.9)
    torch.testing.assert_close(kept["ema.0.weight"], expected)
    assert torch.equal(task.exported["0.weight"], kept["ema.0.weight"])


def trained(seed):
    torch.manual_seed(seed)
    module = nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(module.parameters(), lr=0.1)
    module(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    return module, [p.detach() * 2 for p in module.parameters()], optimizer


def test_a_checkpoint_brings_everything_back(tmp_path):
    module, ema, optimizer = trained(1)
    counters = Counters(step=5, seen=40, elapsed=12.5, phase=1)
    checkpoint.save(tmp_path / "c.safetensors", module, ema, optimizer, counters)
    assert [path.name for path in tmp_path.iterdir()] == ["c.safetensors"]
    other, other_ema, other_optimizer = trained(2)
    assert checkpoint.load(tmp_path / "c.safetensors", other, other_ema, other_optimizer) == counters
    same(other.state_dict(), module.state_dict())
    for one, two in zip(other_ema, ema, strict=True):
        assert torch.equal(one, two)
    for index in (0, 1):
        same(other_optimizer.state_dict()["state"][index], optimizer.state_dict()["state"][index])


def test_a_checkpoint_of_another_network_is_refused(tmp_path):
    module, ema, optimizer = trained(1)
    checkpoint.save(tmp_path / "c.safetensors", module, ema, optimizer, Counters())
    other = nn.Sequential(nn.Linear(3, 2))
    with pytest.raises(DataError, match="belongs to another model"):
        checkpoint.load(tmp_path / "c.safetensors", other, [], torch.optim.AdamW(other.parameters()))


def test_counters_of_an_older_version_are_read(tmp_path):
    module, ema, optimizer = trained(1)
    path = tmp_path / "c.safetensors"
    checkpoint.save(path, module, ema, optimizer, Counters(step=3))
    meta = {"counters": json.dumps({"step": 3, "seen": 9, "elapsed": 1.0, "phase": 0, "decay_from": None})}
    save_file(load_file(path), path, metadata=meta)
    assert checkpoint.load(path, module, ema, optimizer) == Counters(step=3, seen=9, elapsed=1.0)


def test_a_phase_is_what_the_task_is_asked_for():
    assert recipe().phases[0] == Phase(share=0.5, size=8, batch=4, rate=0.05)


def test_parts_may_learn_slowly(tmp_path):
    def moved(slow):
        task = Task()
        before = [parameter.detach().clone() for parameter in task.module.parameters()]
        train(
            task, recipe(steps=1, warmup=0, decay=0.0, weight_decay=0.0, slow=slow), tmp_path / str(slow), resume=False
        )
        return [float((a - b).detach().abs().max()) for a, b in zip(before, task.module.parameters(), strict=True)]

    usual, slow = moved({}), moved({"0": 0.1})
    assert slow[:2] == pytest.approx([0.1 * step for step in usual[:2]], rel=1e-3)
    assert slow[2:] == pytest.approx(usual[2:])
