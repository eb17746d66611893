"""Two people at once: neither ever sees the other's picture, and what is theirs lies where nobody can guess it."""

import base64
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image

from tests.browser.app import doing
from tests.browser.app.serving import Served

pytestmark = [pytest.mark.browser, pytest.mark.sticker]
PICTURES = ("picture.png", "mask.png", "heat.png", "parts.png", "before.png")


def handle(page: Any) -> str:
    """Under which the server keeps a page's work."""
    return page.evaluate("ldz.now.handle")


def shown(page: Any) -> np.ndarray:
    """The picture that the page shows, uint8 (h w 3)."""
    url = page.evaluate(
        "async () => { const image = document.getElementById('ldz-picture'); await image.decode();"
        " const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight);"
        " canvas.getContext('2d').drawImage(image, 0, 0); const blob = await canvas.convertToBlob();"
        " return [...new Uint8Array(await blob.arrayBuffer())]; }"
    )
    return doing.read(bytes(url))[..., :3]


def test_two_people_work_at_once_and_see_their_own(visit: Any, app: Served, others: list[Path]) -> None:
    ann, ben = visit(app.address), visit(app.address)
    for person, picture in zip((ann, ben), others, strict=True):
        doing.upload(person, picture)
    for person, words in (
        (ann, "butterfly"),
        (ben, "grass"),
    ):  # asked at once: neither waits for the other's answer to ask
        person.fill(doing.WORDS, words)
        person.evaluate("document.getElementById('ldz-find').click()")
    for person in (ann, ben):
        person.wait_for_function(
            "ldz.now.history.length === 3 && !ldz.busy() && +document.body.dataset.revision === ldz.now.revision"
        )

    assert [doing.history(person)[2] for person in (ann, ben)] == ["butterfly", "grass"]
    for person, picture in zip((ann, ben), others, strict=True):
        wanted = np.asarray(Image.open(picture))
        np.testing.assert_array_equal(shown(person), wanted)
        np.testing.assert_array_equal(doing.read(doing.save(person, "cutout")[1])[..., :3], wanted)


def test_handles_cannot_be_guessed_and_differ(visit: Any, app: Served) -> None:
    pages = [visit(app.address) for _ in range(3)]
    raw = [base64.urlsafe_b64decode(handle(page) + "==") for page in pages]

    assert all(len(each) >= 16 for each in raw), "as many bits as a key"
    assert len({each[:4] for each in raw}) == len({each[-4:] for each in raw}) == 3


def test_nothing_is_kept_by_caches_or_told_to_others(page: Any, app: Served) -> None:
    base = f"{app.address}app/{handle(page)}"
    for name in (*PICTURES, "save/mask", "recipe.json"):
        answer = page.context.request.get(f"{base}/{name}")
        assert answer.status == 200
        assert "no-store" in answer.headers["cache-control"]
        assert answer.headers["referrer-policy"] == "no-referrer"


def test_a_wrong_handle_opens_nothing(page: Any, app: Served) -> None:
    mine = handle(page)
    for wrong in (mine[:-1] + ("A" if mine[-1] != "A" else "B"), mine.lower(), "a", "..%2f..", "%00", "*"):
        for name in (*PICTURES, "save/mask", "recipe.json"):
            answer = page.context.request.get(f"{app.address}app/{wrong}/{name}")
            assert answer.status in (400, 404, 422)
            assert "image" not in answer.headers.get("content-type", "")


def test_no_page_tells_another_pages_handle(visit: Any, app: Served) -> None:
    ann, ben = visit(app.address), visit(app.address)
    secret = handle(ann)
    for place in (
        "",
        "config",
        "info",
        "app/",
        "app/assets/",
        "ldznet/v1/health",
        "ldznet/v1/models",
        "openapi.json",
        "gradio_api/info",
    ):
        assert secret not in ben.context.request.get(f"{app.address}{place}").text()
    assert secret not in ben.content()
    assert ben.evaluate("JSON.stringify(localStorage) + document.cookie").find(secret) < 0


def test_files_of_the_machine_are_not_served(page: Any, app: Served) -> None:
    for path in (
        "app/assets/../strings.py",
        "app/assets/%2e%2e/strings.py",
        "app/assets/..%2fstrings.py",
        "gradio_api/file=/etc/passwd",
        "file=/etc/passwd",
        "gradio_api/file=ldznet_ext/app/strings.py",
        f"app/{handle(page)}/save/..%2f..%2fetc",
    ):
        answer = page.context.request.get(f"{app.address}{path}")
        assert answer.status >= 400
        assert "root:" not in answer.text()
        assert "TAGLINE" not in answer.text()


def test_another_site_cannot_read_or_act(page: Any, app: Served) -> None:
    """A page of another origin that the same browser shows."""
    port = urlsplit(app.address).port
    base = f"http://127.0.0.1:{port}/app/{handle(page)}"
    answer = page.context.request.post(f"{base}/do/clear", headers={"Origin": "http://evil.example"}, data="{}")
    assert answer.status == 403
    answer = page.context.request.get(f"{base}/picture.png", headers={"Host": "evil.example"})
    assert answer.status in (400, 403, 421)


def test_the_queue_lets_the_second_wait_and_answers_both(visit: Any, app: Served) -> None:
    ann, ben = visit(app.address), visit(app.address)
    doing.ready_to_generate(ann, "a fox on snow", steps=6)
    ann.click("#ldz-generate")
    ben.fill(doing.WORDS, "sea")
    doing.after(ben, lambda: ben.press(doing.WORDS, "Enter"))
    ann.wait_for_function("ldz.now.history.length === 2 && !ldz.busy()")

    assert doing.history(ann) == ["Example", "Painted"]
    assert doing.history(ben) == ["Example", "sea"]
