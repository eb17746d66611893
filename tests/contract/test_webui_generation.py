"""Harvest during a web UI's generation: the right rows of the right call, the same picture bit for bit, nothing left behind."""

import contextlib
import copy
import gc
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from ldznet_ext.harvest.hooks import harvest
from ldznet_ext.harvest.taps import LDZNET_TAPS
from ldznet_ext.hosts.memory import Memory
from ldznet_ext.hosts.standalone import StandaloneBackbone, load_backbone
from ldznet_ext.hosts.webui import script as webui_script
from ldznet_ext.hosts.webui.networks import Networks
from ldznet_ext.hosts.webui.script import Generation
from ldznet_ext.hosts.webui.session import NAME
from ldznet_ext.result import Segmentation
from ldznet_ext.segmenters import heads
from tests.fake_webui import (
    FakeHost,
    Interrupted,
    Processed,
    Run,
    Scripts,
    ddim,
    euler,
    heun,
    hooks_left,
    process_images,
)

LATE = {"euler": 3, "heun": 5, "ddim": 2}
"""The last half of the calls that five steps take: 5, 9 and 4."""
ON = {"words": "fox | owl", "overlay": False}


@pytest.fixture
def state(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The host's state: its jobs begin one after the other."""
    shared = SimpleNamespace(state=SimpleNamespace(time_start=0))
    monkeypatch.setitem(sys.modules, "modules.shared", shared)  # type: ignore[arg-type]
    return shared.state


@pytest.fixture(scope="module")
def loaded(models: Path) -> StandaloneBackbone:
    return load_backbone(models / "sticker-sd")


@pytest.fixture
def host(loaded: StandaloneBackbone, models: Path, state: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> FakeHost:
    monkeypatch.setenv("LDZNET_MODELS", str(models))
    return FakeHost(loaded)


def arrays(pictures: list[Image.Image]) -> list[np.ndarray]:
    return [np.asarray(picture) for picture in pictures]


def paint(host: FakeHost, memory: Memory | None = None, settings: Any = ON, **run: Any) -> tuple[Run, Processed]:
    p = Run(**run)
    memory = Memory() if memory is None else memory
    scripts = Scripts(Generation(host, memory), [settings])  # type: ignore[arg-type]
    sys.modules["modules.shared"].state.time_start += 1
    processed = process_images(p, host, scripts)
    assert not scripts.raised
    return p, processed


RUNS = [
    pytest.param({}, id="euler"),
    pytest.param({"sampler_of": heun}, id="second order"),
    pytest.param({"sampler_of": ddim}, id="whole timesteps"),
    pytest.param({"batch_size": 2, "n_iter": 2}, id="2x2"),
    pytest.param({"batch_size": 2, "split": True}, id="split calls"),
    pytest.param({"batch_size": 2, "order": "forge"}, id="unconditional first"),
    pytest.param({"batch_size": 2, "order": "forge", "split": True}, id="unconditional first, split"),
    pytest.param({"guided": False}, id="unconditional skipped"),
    pytest.param({"order": "forge", "guided": False}, id="CFG 1 where it is dropped"),
    pytest.param({"batch_size": 2, "parts": (("a fox", 0.4), ("an owl", 1.0))}, id="AND"),
    pytest.param({"batch_size": 2, "parts": (("a fox", 0.4), ("an owl", 1.0)), "split": True}, id="AND, split"),
    pytest.param({"batch_size": 2, "parts": (("a fox", 1.0), ("an owl", 0.4)), "order": "forge"}, id="AND, chunks"),
    pytest.param({"enable_hr": True}, id="hires"),
    pytest.param({"enable_hr": True, "batch_size": 2, "sampler_of": heun}, id="hires, second order, two"),
    pytest.param({"height": 128, "width": 64}, id="upright"),
]


@pytest.mark.parametrize("run", RUNS)
def test_same_picture_right_rows_no_hook_left(host: FakeHost, run: dict[str, Any]) -> None:
    bare = process_images(Run(**run), host, None)
    memory = Memory()
    p, processed = paint(host, memory, **run)
    count = p.batch_size * p.n_iter
    assert all(np.array_equal(*pair) for pair in zip(arrays(bare.images), arrays(processed.images), strict=False))
    assert len(processed.images) == len(processed.infotexts) == 2 * count and len(bare.images) == count
    assert hooks_left(host.backbone_now.unet, *p.denoisers) == 0 and len(webui_script.runs) == 0
    assert len(memory) == count
    for number, picture in enumerate(processed.images[:count]):
        _check_kept(host, p, memory, number, picture)


def _check_kept(host: FakeHost, p: Run, memory: Memory, number: int, picture: Image.Image) -> None:
    """What is remembered equals a forward of our own of the same latent row under the same words."""
    made = memory.get(np.asarray(picture))
    assert made is not None and len(made.kept) == 1
    kept, row = made.kept[0], number % p.batch_size
    last = p.denoisers[(number // p.batch_size + 1) * (2 if p.enable_hr else 1) - 1]
    nearest = min(last.seen, key=lambda seen: abs(seen.timestep - 400))
    assert kept.timestep == pytest.approx(nearest.timestep) and abs(kept.timestep - 400) <= 100
    heaviest = max(range(len(p.parts)), key=lambda part: p.parts[part][1])
    with torch.no_grad(), harvest(host.backbone_now.unet, LDZNET_TAPS) as store:
        times = torch.tensor([nearest.timestep])
        host.backbone_now.unet(nearest.latent[row : row + 1], times, nearest.states[row][heaviest][None])
    torch.testing.assert_close(kept.latent, nearest.latent[row : row + 1])
    for tap in LDZNET_TAPS:
        torch.testing.assert_close(kept.features[tap], store[tap], rtol=1e-4, atol=1e-4)
    assert (made.latent is None) == p.enable_hr


@pytest.mark.parametrize("method", ["attention", "maskdiffusion"])
@pytest.mark.parametrize("sampler", [euler, heun, ddim])
def test_methods_without_a_head_are_free_too(host: FakeHost, method: str, sampler: Callable[..., Any]) -> None:
    memory = Memory()
    calls = host.backbone_now.unet_calls
    _, processed = paint(host, memory, {**ON, "method": method}, batch_size=2, steps=5, sampler_of=sampler)
    assert host.backbone_now.unet_calls == calls
    for picture in processed.images[:2]:
        made = memory.get(np.asarray(picture))
        assert made is not None and [kept.timestep for kept in made.kept] == sorted(
            (kept.timestep for kept in made.kept), reverse=True
        )
        assert len(made.kept) == (LATE[sampler.__name__] if method == "attention" else 1)


def test_closed_nothing_is_attached(host: FakeHost) -> None:
    left: list[int] = []
    p = Run(within=lambda: left.append(hooks_left(host.backbone_now.unet)))
    process_images(p, host, Scripts(Generation(host, Memory()), [False]))  # type: ignore[arg-type]
    _, opened = paint(host, within=lambda: left.append(hooks_left(host.backbone_now.unet)))
    assert left[0] == 0 < left[1]
    assert len(opened.images) == 2


def test_only_masked_masks_lie_in_their_crop(host: FakeHost) -> None:
    whole = Image.fromarray(np.full((90, 140, 3), 120, np.uint8))
    memory = Memory()
    settings = {**ON, "method": "attention", "threshold": 0.01}
    _, processed = paint(host, memory, settings, init_images=[whole], paste_to=(20, 30, 64, 32))
    mask = np.asarray(processed.images[1])
    assert processed.images[0].size == (140, 90) and mask.shape == (90, 140)
    assert "an extra pass" not in processed.comments and len(memory) == 0, "of a part nothing can be asked later"
    outside = mask.copy()
    outside[30:62, 20:84] = 0
    assert not outside.any()
    assert "Only the repainted part" in processed.comments


def test_grid_first_masks_last(host: FakeHost) -> None:
    _, processed = paint(host, settings={"words": "fox"}, batch_size=2, grid=True)
    assert [picture.mode for picture in processed.images] == ["RGB", "RGB", "RGB", "RGB", "L", "RGB", "L"]
    assert len(processed.infotexts) == 7 and processed.infotexts[0] == "grid"
    assert processed.infotexts[3] == processed.infotexts[4] == processed.infotexts[1]
    assert processed.images[-1].info["parameters"] == processed.infotexts[2]
    assert "LD-ZNet words" in processed.infotexts[1]


def test_an_interrupt_ends_in_a_picture_and_a_mask(host: FakeHost) -> None:
    def interrupt() -> None:
        raise Interrupted

    p, processed = paint(host, within=interrupt)
    assert len(p.denoisers[0].seen) == 3 and len(processed.images) == 2
    assert hooks_left(host.backbone_now.unet, *p.denoisers) == 0


def test_an_exception_takes_the_hooks_off(host: FakeHost) -> None:
    """The host tells nobody: the denoiser that raised does, or the processing object's end, or the next run."""

    def fail() -> None:
        raise RuntimeError("another extension")

    generation = Generation(host, Memory())  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match="another"):
        process_images(Run(within=fail), host, Scripts(generation, [ON]))
    assert hooks_left(host.backbone_now.unet) == 0
    _, processed = paint(host)
    assert len(processed.images) == 2


@pytest.mark.parametrize("ending", ["the object goes", "another run", "reload"])
def test_a_sampler_that_raises_leaves_no_hooks_for_long(host: FakeHost, ending: str) -> None:
    def broken(denoiser: Any, x: torch.Tensor, times: Any, **extra: Any) -> torch.Tensor:
        euler(denoiser, x, times[:2], **extra)
        raise RuntimeError("a sampler")

    generation, p = Generation(host, Memory()), Run(sampler_of=broken)  # type: ignore[arg-type]
    with contextlib.suppress(RuntimeError):  # pytest.raises would keep the object alive
        process_images(p, host, Scripts(generation, [ON]))
    assert hooks_left(host.backbone_now.unet) > 0
    if ending == "another run":
        process_images(Run(), host, Scripts(generation, [False]))
    elif ending == "reload":
        generation.unloaded()
    else:
        del p
        gc.collect()
    assert hooks_left(host.backbone_now.unet) == 0


def test_a_reader_that_fails_costs_the_masks_alone(
    host: FakeHost, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bare = process_images(Run(), host, None)

    def fail(*args: Any) -> None:
        raise RuntimeError("a reader")

    monkeypatch.setattr("ldznet_ext.harvest.steps.StepHarvest.read", fail)
    calls = host.backbone_now.unet_calls
    _, processed = paint(host)
    assert np.array_equal(*arrays([bare.images[0], processed.images[0]]))
    assert "RuntimeError: a reader" in processed.comments and hooks_left(host.backbone_now.unet) == 0
    assert sum("a reader" in record.getMessage() for record in caplog.records) == 1
    assert host.backbone_now.unet_calls == calls + 1 and len(processed.images) == 2, "a pass of our own serves"


def test_merged_cells_are_said(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """Token merging halves the cells before attn1: a reader sees too few of them."""
    block = host.backbone_now.unet.output_blocks[10][1].transformer_blocks[0]  # type: ignore[index]
    inner = block.attn1.forward
    monkeypatch.setattr(
        block.attn1, "forward", lambda x, *rest: inner(x[:, ::2], *rest).repeat_interleave(2, dim=1)[:, : x.shape[1]]
    )
    _, processed = paint(host, settings={**ON, "method": "attention"})
    assert "switch token merging off" in processed.comments
    assert hooks_left(host.backbone_now.unet) == 0


def test_a_model_switched_between_batches_still_answers(
    host: FakeHost,
) -> None:
    other = FakeHost(load_backbone()).backbone_now
    first, memory = host.backbone_now, Memory()

    def switch(number: int) -> None:
        host.backbone_now = other

    _, processed = paint(host, memory, n_iter=2, after_batch=switch)
    assert len(processed.images) == 4 and hooks_left(first.unet, other.unet) == 0
    made = [memory.get(np.asarray(picture)) for picture in processed.images[:2]]
    assert made[0] is not None and made[1] is not None and made[0].model != made[1].model


def test_nested_runs_never_touch_the_outer_one(host: FakeHost) -> None:
    memory = Memory()
    generation = Generation(host, memory)  # type: ignore[arg-type]
    inner: list[Processed] = []

    def nested(number: int) -> None:
        inner.append(process_images(Run(prompt="an owl"), host, Scripts(generation, [ON])))

    p = Run(n_iter=2, after_batch=nested)
    processed = process_images(p, host, Scripts(generation, [ON]))
    assert [len(one.images) for one in inner] == [1, 1], "an inner run gets no masks"
    assert len(processed.images) == 4 and len(memory) == 2
    assert hooks_left(host.backbone_now.unet) == 0 and len(webui_script.runs) == 0


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"words": "fox &"}, "fox &"),
        ({"words": "  "}, "fox"),
        ({"word": "fox"}, 'no setting "word"'),
        ({"words": "fox", "method": "telepathy"}, "telepathy"),
        ({"source": "nouns", "words": ""}, "fox"),
    ],
)
def test_mistakes_end_in_a_picture_and_a_sentence(host: FakeHost, settings: dict[str, Any], says: str) -> None:
    bare = process_images(Run(), host, None)
    _, processed = paint(host, settings=settings)
    assert says in processed.comments and processed.comments.endswith("\n")
    assert np.array_equal(*arrays([bare.images[0], processed.images[0]]))
    assert hooks_left(host.backbone_now.unet) == 0


def test_a_model_we_cannot_read_costs_a_sentence(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    from ldznet_ext.errors import ModelError

    def refuse(model: Any) -> Any:
        raise ModelError("This is a DiT model.")

    monkeypatch.setattr(host, "borrow", refuse)
    _, processed = paint(host)
    assert processed.comments == "This is a DiT model.\n" and len(processed.images) == 1


def test_a_repainted_picture_is_not_answered_from_what_it_was(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    painted, memory = Image.new("RGB", (128, 64), (9, 9, 9)), Memory()
    monkeypatch.setattr("ldznet_ext.hosts.webui.inpaint.repaint", lambda *args: painted)
    _, processed = paint(host, memory, {**ON, "inpaint": True})
    assert processed.images[0] is painted and len(processed.images) == 2 and len(memory) == 0


def test_a_repainting_that_fails_leaves_the_picture_and_its_mask(
    host: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare, memory = process_images(Run(), host, None), Memory()

    def fail(*args: Any) -> None:
        raise RuntimeError("out of memory")

    monkeypatch.setattr("ldznet_ext.hosts.webui.inpaint.repaint", fail)
    _, processed = paint(host, memory, {**ON, "inpaint": True})
    assert np.array_equal(*arrays([bare.images[0], processed.images[0]]))
    assert len(processed.images) == 2 and len(memory) == 1
    assert "Picture 1 was not repainted (RuntimeError: out of memory)." in processed.comments


def test_a_head_is_put_away_before_the_next_batch_is_sampled(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["modules.shared"], "opts", SimpleNamespace(ldznet_head_after="drop"), raising=False)
    left: list[int] = []
    heads.put_away(None)
    paint(host, settings={**ON, "method": "ldznet"}, n_iter=2, within=lambda: left.append(len(heads._heads)))
    assert left == [0, 0]


def test_maps_are_dropped_as_soon_as_their_masks_are_made(host: FakeHost) -> None:
    """Each holds a float32 map a phrase; a run has a picture after the other."""
    alive: list[int] = []

    def count(number: int) -> None:
        gc.collect()
        alive.append(sum(isinstance(one, Segmentation) for one in gc.get_objects()))

    paint(host, n_iter=3, after_batch=count)
    assert alive == [alive[0]] * 3


def test_a_copy_of_the_processing_object_leaves_the_outer_run_alone(host: FakeHost) -> None:
    """Another extension copies p within a hook and paints with the copy."""
    generation, p = Generation(host, Memory()), Run()  # type: ignore[arg-type]
    generation.before_process(p, [ON])
    session = vars(p)[NAME]
    session.set(p, n_iter=0)
    twin = copy.copy(p)
    generation.before_process(twin, [ON])
    assert session.changed == {"n_iter": 1} and p.n_iter == 0
    session.restore(p)
    assert p.n_iter == 1


def test_an_extra_pass_says_why(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Networks({"lora": []})
    monkeypatch.setattr("ldznet_ext.hosts.webui.networks.split_networks", lambda words: ("fox", asked))
    _, processed = paint(host, settings={**ON, "words": "fox <lora:loud:1>"})
    assert "The words name networks of their own" in processed.comments and host.asked_under == [asked]


def test_after_a_refiner_it_is_said_whose_pass_it_was(host: FakeHost) -> None:
    base, refiner = host.backbone_now, FakeHost(load_backbone()).backbone_now
    calls = base.unet_calls, refiner.unet_calls

    def switch() -> None:
        host.backbone_now = refiner

    _, processed = paint(host, within=switch)
    assert "Another checkpoint (a refiner)" in processed.comments and refiner.name in processed.comments
    assert (base.unet_calls, refiner.unet_calls) == (calls[0], calls[1] + 1) and len(processed.images) == 2


def test_a_refiner_that_cannot_be_read_is_named(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    from ldznet_ext.errors import ModelError

    def refuse(model: Any) -> Any:
        raise ModelError("Its text is 1280 wide.")

    _, processed = paint(host, within=lambda: monkeypatch.setattr(host, "borrow", refuse))
    assert "Another checkpoint (a refiner)" in processed.comments and "1280 wide" in processed.comments
    assert len(processed.images) == 1


@pytest.mark.parametrize("count", [10, pytest.param(100, marks=pytest.mark.slow)])
def test_memory_is_flat_over_many_runs(host: FakeHost, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """Tensors that exist, and bytes that are remembered, are the same after half of the runs as after all of them."""
    monkeypatch.setattr(webui_script, "MEBIBYTE", 250)  # the setting's 512 of them are a few small pictures
    memory, tensors, used = Memory(), [], []
    for number in range(1, count + 1):
        p, processed = paint(host, memory, {**ON, "method": "attention"}, steps=1, seed=number)
        assert len(processed.images) == 2 and memory.used <= memory.limit == 512 * 250
        del p, processed
        if number in (count // 2, count):
            gc.collect()
            tensors.append(sum(isinstance(one, torch.Tensor) for one in gc.get_objects()))
            used.append((memory.used, len(memory)))
    assert tensors[0] == tensors[1] and used[0] == used[1] and used[0][1] > 2
    assert hooks_left(host.backbone_now.unet) == 0
