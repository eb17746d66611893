"""A picture unlike those of training: nothing is called found, and what still works is offered.

What is tested is the page, not the head: its file is copied with a limit of familiarity that no picture keeps.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.app import doing
from tests.browser.app.conftest import served
from tests.browser.app.serving import Served
from tests.browser.conftest import ROOT

pytestmark = [pytest.mark.browser, pytest.mark.sticker]
HEAD = ROOT / "models" / "ldznet-sticker.safetensors"


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """An app whose head knows next to no picture."""
    if not HEAD.exists():
        pytest.skip("models/ldznet-sticker.safetensors is not there")
    models = tmp_path_factory.mktemp("strict")
    shutil.copytree(HEAD.parent / "sticker-sd", models / "sticker-sd")  # the head beside the model is taken
    _write_strict(HEAD, models / HEAD.name)
    with served(tmp_path_factory.mktemp("strict_app"), models) as running:
        yield running


def _write_strict(source: Path, target: Path) -> None:
    import numpy as np
    from safetensors import safe_open
    from safetensors.numpy import save_file

    with safe_open(str(source), "np") as stored:
        tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
        metadata = stored.metadata()
    tensors["familiarity.limit"] = np.full_like(tensors["familiarity.limit"], 1e-3)
    save_file(tensors, str(target), metadata)


@pytest.fixture
def strange(visit: Any, strict: Served, noise: Path) -> Any:
    """A page on which noise was opened and words were asked."""
    page = visit(strict.address, answered=False)
    doing.upload(page, noise)
    doing.find(page, "fox")
    return page


def test_nothing_is_found_and_it_says_why(strange: Any) -> None:
    said = doing.message(strange).replace("\n", " ")

    assert "fox unfamiliar" in said
    assert "fox found" not in said
    assert not doing.saved_mask(strange).any()
    assert strange.locator("#ldz-message .ldznet-found").count() == 0


def test_parts_are_not_found_either(strange: Any) -> None:
    doing.parts(strange, "a fox, snow, night")
    assert strange.locator("#ldz-parts button:not(.ldz-absent)").count() == 0
    assert strange.locator("#ldz-parts button small").all_inner_texts() == ["unfamiliar"] * 3


def test_the_brush_still_works_and_is_offered(strange: Any) -> None:
    strange.click("#ldz-message [data-do=brush]")
    assert strange.get_attribute("button[data-tool=add]", "aria-checked") == "true"
    assert strange.is_checked("#ldz-snap")
    doing.after(strange, lambda: doing.drag(strange, [(0.3, 0.5), (0.6, 0.5)]))
    assert doing.saved_mask(strange)[36, 40] == 255


def test_an_example_still_works_and_is_offered(strange: Any) -> None:
    strange.click("#ldz-message [data-do=example]")
    assert strange.get_attribute("button[data-tool=example]", "aria-checked") == "true"
    doing.after(strange, lambda: doing.click(strange, 0.4, 0.5))
    assert doing.history(strange)[-1] == "By example"
    assert doing.saved_mask(strange).any()


def test_another_model_is_offered(strange: Any) -> None:
    strange.click("#ldz-message [data-do=model]")
    strange.wait_for_selector("#ldz-load", state="visible")
