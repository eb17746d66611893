"""The stand-alone desk on the tiny model: answers, what is remembered, cancelling, and loading another model."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ldznet_ext.classes import classes
from ldznet_ext.errors import CancelledError, ModelError, PhraseError
from ldznet_ext.hosts.desk import StandaloneDesk
from ldznet_ext.like import like
from ldznet_ext.pipeline import segment
from ldznet_ext.request import MaskSettings
from ldznet_ext.ui.desk import Desk
from ldznet_ext.watch import Watch
from tests.tiny import picture, write_model

PICTURE = picture(45, 65)
MASK = np.zeros((45, 65), np.uint8)
MASK[10:30, 20:40] = 255
FOX = MaskSettings(words="fox")


@pytest.fixture
def desk(models: Path, monkeypatch: pytest.MonkeyPatch) -> StandaloneDesk:
    """A desk that has loaded nothing yet, and finds the tiny model alone."""
    monkeypatch.setenv("LDZNET_MODELS", str(models))
    return StandaloneDesk()


def calls(desk: StandaloneDesk) -> int:
    """How often its UNet was called so far."""
    assert desk._backbone is not None
    return desk._backbone.unet_calls


def test_it_is_a_desk(desk: StandaloneDesk) -> None:
    asked: Desk = desk
    assert asked.about().model == "" and "sticker-sd is not loaded yet" in asked.about().message
    assert asked.name.startswith("LD-ZNet ")


def test_the_first_use_loads_the_model(desk: StandaloneDesk) -> None:
    alone = segment(PICTURE, "fox & !owl")
    result = desk.mask(PICTURE, MaskSettings(words="fox & !owl"))
    np.testing.assert_array_equal(result.prob, alone.prob)
    about = desk.about()
    assert (about.model, about.family, about.heads) == ("sticker-sd", "sticker", ("ldznet-sticker.safetensors",))


def test_a_picture_painted_here_needs_no_pass(desk: StandaloneDesk) -> None:
    painted = desk.generate("a fox on snow", FOX, steps=5, seed=3)
    assert painted.picture.shape == (128, 128, 3) and painted.result is not None
    assert painted.result.unet_calls == 0 and calls(desk) == 5
    assert desk.mask(painted.picture, MaskSettings(words="owl")).unet_calls == 0
    assert desk.regions(painted.picture, "a fox on snow", MaskSettings()).unet_calls == 0
    assert calls(desk) == 5
    again = desk.mask(painted.picture, FOX)
    np.testing.assert_array_equal(again.prob, painted.result.prob)
    assert desk.mask(255 - painted.picture, FOX).unet_calls == 1


def test_a_picture_without_words_is_remembered_too(desk: StandaloneDesk) -> None:
    painted = desk.generate("a fox", steps=5, size=(64, 128))
    assert painted.result is None and painted.picture.shape == (64, 128, 3)
    assert desk.mask(painted.picture, FOX).unet_calls == 0


def test_regions_are_ranked(desk: StandaloneDesk) -> None:
    found = desk.regions(PICTURE, "a red fox and an owl on snow", MaskSettings())
    ranks = [(one.status != "found", -one.score) for one in found.phrases]
    assert {one.text for one in found.phrases} == {"red fox", "owl", "snow"} and ranks == sorted(ranks)


def test_classes_label_every_pixel(desk: StandaloneDesk) -> None:
    found = desk.classes(PICTURE, ["fox", "owl"], MaskSettings(threshold=0.3))
    assert found.labels.shape == (45, 65) and [one.name for one in found.classes] == ["fox", "owl"]
    alone = classes(PICTURE, ["fox", "owl"], threshold=0.3)
    np.testing.assert_array_equal(found.labels, alone.labels)
    painted = desk.generate("a fox", steps=5)
    assert desk.classes(painted.picture, "fox, owl", MaskSettings(threshold=0.3), keep_absent=True).unet_calls == 0


def test_an_example_is_sought_in_its_own_picture_or_in_others(desk: StandaloneDesk) -> None:
    own = desk.like(PICTURE, MASK > 0, [], MaskSettings())
    two = desk.like(PICTURE, [(25, 20)], [picture(50, 40, 1), picture(40, 40, 2)], MaskSettings())
    assert [one.mask.shape for one in (*own, *two)] == [(45, 65), (50, 40), (40, 40)]
    np.testing.assert_array_equal(own[0].prob, like(PICTURE, MASK > 0).prob)


def test_an_edit_leaves_what_is_far_from_the_mask(desk: StandaloneDesk) -> None:
    edited = desk.edit(PICTURE, MASK, "an owl", steps=3, seed=1)
    changed = (edited != PICTURE).any(-1)
    assert edited.dtype == np.uint8 and changed[12:28, 22:38].any() and not changed[:, :2].any()


@pytest.mark.parametrize(
    ("work", "most"),
    [
        (lambda desk, watch: desk.generate("a fox", steps=20, watch=watch), 20),
        (lambda desk, watch: desk.edit(PICTURE, MASK, "an owl", steps=20, watch=watch), 20),
        (lambda desk, watch: desk.like(PICTURE, MASK, [picture(seed=n) for n in range(9)], MaskSettings(), watch), 9),
        (lambda desk, watch: desk.mask(PICTURE, MaskSettings(words="fox", method="noise_difference"), watch), 4),
    ],
)
def test_a_cancel_stops_within_one_call_of_the_unet(
    desk: StandaloneDesk, work: Callable[[StandaloneDesk, Watch], Any], most: int
) -> None:
    watch, passes = Watch(), []
    desk.load()
    assert desk._backbone is not None

    def called(*_: Any) -> None:
        passes.append(1)
        if len(passes) == 2:
            watch.cancel()

    counting = desk._backbone.unet.register_forward_pre_hook(called)
    with pytest.raises(CancelledError, match="cancelled"):
        work(desk, watch)
    counting.remove()
    assert len(passes) == 2 < most and watch.progress.done < 1
    assert not desk._backbone.unet._forward_pre_hooks and len(desk.turns) == 0
    desk.mask(PICTURE, FOX)  # the desk goes on


def test_who_waits_is_cancelled_while_another_works(desk: StandaloneDesk) -> None:
    watch, errors = Watch(), []

    def ask() -> None:
        try:
            desk.mask(PICTURE, FOX, watch)
        except CancelledError as error:
            errors.append(error)

    with desk.turns.turn():
        thread = threading.Thread(target=ask)
        thread.start()
        watch.cancel()
        thread.join(10)
    assert len(errors) == 1 and desk.about().model == ""


# loading


@pytest.fixture
def two(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandaloneDesk:
    """A desk with a second model in a folder, and one that is broken."""
    write_model(tmp_path / "other", seed=5)
    broken = write_model(tmp_path / "broken", seed=6)
    whole = (broken / "vae" / "diffusion_pytorch_model.safetensors").read_bytes()
    (broken / "vae" / "diffusion_pytorch_model.safetensors").write_bytes(whole[: len(whole) // 2])
    monkeypatch.setenv("LDZNET_MODELS", f"{models}:{tmp_path}")
    return StandaloneDesk()


def test_another_model_is_loaded_with_its_size_told(two: StandaloneDesk) -> None:
    heard: list[tuple[float, str]] = []
    first = two.mask(PICTURE, FOX)
    sizes = {model.name: model for model in two.models()}
    assert {*sizes} >= {"sticker-sd", "other"} and sizes["sticker-sd"].loaded and not sizes["other"].loaded
    files = [file.stat().st_size for file in Path(two._backbone.folder, "sticker-sd").rglob("*.safetensors")]  # type: ignore[union-attr,arg-type]
    assert sizes["sticker-sd"].bytes == sum(files)
    about = two.load("other", Watch(lambda done, what: heard.append((done, what))))
    assert about.model == "other" and [done for done, _ in heard] == sorted(done for done, _ in heard)
    assert heard[-1][0] == pytest.approx(1) and heard[-1][1].startswith("loading other, ")
    assert np.abs(two.mask(PICTURE, FOX).prob - first.prob).max() > 1e-3


def test_what_is_said_of_one_model_does_not_follow_to_another(two: StandaloneDesk) -> None:
    """What a UNet predicts belongs to it; where things are computed does not."""
    desk = StandaloneDesk(prediction="v_prediction", dtype="bfloat16", embeddings=None)
    found = []
    for name in (None, "other", "sticker-sd"):
        desk.load(name)
        found.append((desk._backbone.schedule.prediction, desk._backbone.dtype))  # type: ignore[union-attr]
    kind = torch.bfloat16
    assert found == [("v_prediction", kind), ("epsilon", kind), ("v_prediction", kind)]


@pytest.mark.parametrize("name", ["broken", "nowhere", "/etc/passwd", "owner/name"])
def test_what_cannot_be_loaded_leaves_what_was(two: StandaloneDesk, name: str) -> None:
    first = two.mask(PICTURE, FOX)
    with pytest.raises(ModelError, match=r"; expected .*, so "):
        two.load(name)
    assert two.about().model == "sticker-sd"
    np.testing.assert_array_equal(two.mask(PICTURE, FOX).prob, first.prob)


def test_loading_is_cancelled_between_tensors(two: StandaloneDesk) -> None:
    two.load()
    watch = Watch(lambda done, what: watch.cancel())
    with pytest.raises(CancelledError):
        two.load("other", watch)
    assert two.about().model == "sticker-sd" and 0 < watch.progress.done < 1


def test_pictures_of_another_model_are_forgotten(two: StandaloneDesk) -> None:
    painted = two.generate("a fox", steps=5)
    two.load("other")
    assert two.mask(painted.picture, FOX).unet_calls == 1


@pytest.mark.parametrize("words", ["", "  "])
def test_no_words_are_refused_before_anything_is_loaded(desk: StandaloneDesk, words: str) -> None:
    with pytest.raises(PhraseError, match="No words were given"):
        desk.mask(PICTURE, MaskSettings(words=words))
    with pytest.raises(PhraseError, match="fox &"):
        desk.generate("a fox", MaskSettings(words="fox &"))
    assert desk.about().model == ""


@pytest.mark.parametrize(
    "error", [RuntimeError("CUDA out of memory. Tried to allocate 2 GiB\nmore"), MemoryError(), RuntimeError("a fault")]
)
def test_full_memory_is_a_sentence_and_other_faults_stay(desk: StandaloneDesk, error: Exception) -> None:
    desk.load()
    assert desk._backbone is not None

    def fail(*_: Any) -> None:
        raise error

    full = desk._backbone.unet.register_forward_pre_hook(fail)
    expected = RuntimeError if "fault" in str(error) else ModelError
    with pytest.raises(
        expected, match="a fault" if expected is RuntimeError else "The memory is full .*; expected room"
    ):
        desk.mask(PICTURE, FOX)
    full.remove()
    assert desk.mask(PICTURE, FOX).unet_calls == 1
