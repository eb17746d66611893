"""The extension inside the pocket host, asked over HTTP: masks with a picture, the very same picture without, names, refusals."""

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from tests.pocket_host.conftest import Running

pytestmark = pytest.mark.browser
MASKS = {"alwayson_scripts": {"LD-ZNet masks": {"args": [{"words": "snow"}]}}}


@pytest.fixture(scope="module")
def host(start: Callable[..., Running]) -> Running:
    """With the API alone."""
    return start("--nowebui")


def same(left: Image.Image, right: Image.Image) -> bool:
    """Bit for bit."""
    return bool(np.array_equal(np.asarray(left), np.asarray(right)))


def test_masks_come_beside_the_very_same_picture(host: Running) -> None:
    plain = host.paint(prompt="a fox on snow, night")
    masked = host.paint(prompt="a fox on snow, night", **MASKS)

    assert len(plain) == 1
    assert len(masked) == 3
    assert same(plain[0], masked[0])
    assert masked[-1].size == (128, 64)
    assert "LD-ZNet words: snow" in masked[0].info["parameters"]
    assert "LD-ZNet" not in plain[0].info["parameters"]


def test_batches_and_hires_keep_their_order(host: Running) -> None:
    pictures = host.paint(prompt="a fox on snow", batch_size=2, n_iter=2, **MASKS)
    larger = host.paint(prompt="a fox on snow", enable_hr=True, hr_scale=2, **MASKS)

    assert len([picture for picture in pictures if picture.mode != "L"]) >= 8  # four, and each with its mask drawn
    assert len([picture for picture in pictures if picture.mode == "L"]) == 4
    assert {picture.size for picture in larger} == {(256, 128)}


def test_settings_that_cannot_be_cost_no_picture(host: Running) -> None:
    wrong = {"alwayson_scripts": {"LD-ZNet masks": {"args": [{"words": "snow", "grow": 9999}]}}}
    assert len(host.paint(prompt="a fox", **wrong)) == 1
    status, answer = host.ask("/sdapi/v1/txt2img", {"prompt": "x", "alwayson_scripts": {"nobody": {"args": []}}})
    assert (status, "nobody" in answer["detail"]) == (422, True)


def test_the_routes_answer_without_a_page(host: Running) -> None:
    assert host.ask("/ldznet/v1/health")[0] == 200
    status, methods = host.ask("/ldznet/v1/methods")
    assert status == 200
    assert "ldznet" in str(methods)


def test_a_mask_of_a_picture_just_painted_costs_no_pass(host: Running) -> None:
    import base64
    import io

    picture = host.paint(prompt="a fox on snow, night", **MASKS)[0]
    stream = io.BytesIO()
    picture.save(stream, "png")
    body = {"images": [base64.b64encode(stream.getvalue()).decode()], "words": ["snow"]}
    status, answer = host.ask("/ldznet/v1/masks", body)

    assert status == 200, answer
    assert '"unet_calls": 0' in str(answer).replace("'", '"')


def test_the_password_guards_the_hosts_routes_and_ours(start: Callable[..., Running]) -> None:
    guarded = start("--nowebui", "--api-auth", "me:secret", "--skip-load-model-at-start")
    for path in ("/sdapi/v1/progress", "/ldznet/v1/health"):
        assert guarded.ask(path)[0] == 401
        assert guarded.ask(path, auth="me:wrong")[0] == 401
        assert guarded.ask(path, auth="me:secret")[0] == 200


def test_without_a_checkpoint_a_sentence_says_so(start: Callable[..., Running]) -> None:
    empty = start("--nowebui", "--no-checkpoint")
    status, answer = empty.ask("/ldznet/v1/masks", {"images": [_png()], "words": ["fox"]})

    assert status == 409
    assert "checkpoint" in answer["error"]


def test_nothing_of_the_extension_is_there_without_it(start: Callable[..., Running]) -> None:
    bare = start("--nowebui", "--without-extension", "--skip-load-model-at-start")
    assert bare.ask("/ldznet/v1/health")[0] == 404


def _png() -> str:
    import base64
    import io

    stream = io.BytesIO()
    Image.new("RGB", (64, 64), "white").save(stream, "png")
    return base64.b64encode(stream.getvalue()).decode()
