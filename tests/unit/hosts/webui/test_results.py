"""Masks among a host's results: where they stand, what is saved under which name, and what is left out."""

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ldznet_ext.errors import PictureError
from ldznet_ext.hosts.webui.results import deliver
from ldznet_ext.hosts.webui.session import Mask, Outcome, Session
from ldznet_ext.job import Job
from ldznet_ext.ui.origins import ORIGINS

MASK, EMPTY = np.full((3, 5), 255, np.uint8), np.zeros((3, 5), np.uint8)


@pytest.fixture
def saved(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What is saved: (seed, format, suffix, number of the batch, number in it)."""
    calls: list[Any] = []

    def save_image(image: Any, path: str, basename: str, seed: int, prompt: str, kind: str, **more: Any) -> None:
        assert shared.opts.data["stealth_pnginfo_option"] == "None", "nothing is hidden in a mask's transparency"
        calls.append((path, seed, kind, more["suffix"], more["p"].iteration, more["p"].batch_index))

    images = SimpleNamespace(save_image=save_image)
    shared = SimpleNamespace(opts=SimpleNamespace(data={"stealth_pnginfo_option": "Alpha"}, data_labels={}))
    package = ModuleType("modules")
    package.images, package.shared = images, shared  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "modules", package)
    monkeypatch.setitem(sys.modules, "modules.images", images)  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "modules.shared", shared)  # type: ignore[arg-type]
    return calls


def outcome(index: int, *masks: Mask) -> Outcome:
    picture = Image.new("RGB", (5, 3), (index, 0, 0))
    where = {"iteration": index // 2, "batch_index": index % 2}
    return Outcome(index=index, seed=10 + index, prompt="p", made=None, masks=list(masks), picture=picture, **where)


def run(settings: dict[str, Any], outcomes: list[Outcome], extra: int = 0, **p: Any) -> SimpleNamespace:
    pictures = [one.picture for one in outcomes]
    processed = SimpleNamespace(
        images=[*pictures, *[Image.new("L", (5, 3))] * extra], infotexts=["t0", "t1"][: len(pictures)]
    )
    session = Session(job=Job.from_mapping({"overlay": False, **settings}), outcomes=outcomes)
    session.say("One.")
    session.say("One.")
    deliver(SimpleNamespace(outpath_samples="out", iteration=9, batch_index=9, **p), processed, session)
    return processed


def test_overlays_masks_and_grids_are_known_again_and_pictures_are_not() -> None:
    half = MASK.copy()
    half[:, 2:] = 0
    masks = [Mask(words="fox", grey=half)], [Mask(words="owl", grey=EMPTY)]
    processed = run({"overlay": True}, [outcome(7, *masks[0]), outcome(8, *masks[1])])
    for picture in processed.images[:2]:
        ORIGINS.check(picture)
    for shown in (processed.images[2], processed.images[3]):
        with pytest.raises(PictureError, match="expected a picture as it was painted"):
            ORIGINS.check(shown)


def test_a_grid_is_known_again() -> None:
    grid, one = Image.new("RGB", (10, 3), (9, 9, 9)), outcome(9)
    processed = SimpleNamespace(images=[grid, one.picture], infotexts=["t", "t"], index_of_first_image=1)
    deliver(SimpleNamespace(outpath_samples="out"), processed, Session(job=Job(), outcomes=[one]))
    with pytest.raises(PictureError, match="a grid of pictures"):
        ORIGINS.check(grid)
    ORIGINS.check(one.picture)


def test_masks_stand_last_with_their_picture_s_text() -> None:
    processed = run({}, [outcome(0, Mask(words="fox", grey=MASK)), outcome(1, Mask(words="fox", grey=EMPTY))])
    assert [image.mode for image in processed.images] == ["RGB", "RGB", "L", "L"]
    assert processed.infotexts == ["t0", "t1", "t0", "t1"] and processed.comments == "One.\n"
    assert np.asarray(processed.images[2]).all() and not np.asarray(processed.images[3]).any()


def test_skip_leaves_out_what_was_not_found() -> None:
    outcomes = [outcome(0, Mask(words="fox", grey=MASK)), outcome(1, Mask(words="fox", grey=EMPTY))]
    assert len(run({"not_found": "skip"}, outcomes).images) == 3


def test_pictures_without_a_text_do_not_shift_ours() -> None:
    """img2img with "return mask" shows masks of its own without a text."""
    processed = run({}, [outcome(0, Mask(words="fox", grey=MASK))], extra=1)
    assert len(processed.images) == len(processed.infotexts) == 3


def test_saved_under_the_host_s_names(saved: list[Any]) -> None:
    outcomes = [outcome(0, Mask(words="fox", grey=MASK)), outcome(1, Mask(words="fox", grey=MASK))]
    run({"save": True, "words": "fox"}, outcomes, do_not_save_samples=False)
    assert saved == [("out", 10, "png", "-mask", 0, 0), ("out", 11, "png", "-mask", 0, 1)]
    saved.clear()
    run({"save": True, "source": "nouns"}, [outcome(0, Mask(words="a red fox", grey=MASK))], do_not_save_samples=False)
    assert saved[0][3] == "-mask-a_red_fox"
    run({"save": True}, outcomes, do_not_save_samples=True)
    assert len(saved) == 1, "an API call that saves no pictures saves no masks"


def test_a_script_of_the_list_keeps_its_pictures_to_itself(saved: list[Any]) -> None:
    """SD upscale pastes together whatever pictures a run gives."""
    outcomes = [outcome(0, Mask(words="fox", grey=MASK))]
    processed = run({"save": True}, outcomes, script_args=[3, True], do_not_save_samples=False)
    assert len(processed.images) == 1 and "A script ran" in processed.comments and len(saved) == 1
    assert len(run({}, outcomes, script_args=[0, True]).images) == 2


def test_where_the_host_hides_text_in_transparency_the_gallery_s_masks_have_colours(saved: list[Any]) -> None:
    sys.modules["modules.shared"].opts.data_labels["stealth_pnginfo_option"] = None
    shown = run({}, [outcome(0, Mask(words="fox", grey=MASK))]).images[-1]
    assert shown.mode == "RGB" and np.asarray(shown).all()
