"""The page of Gradio: it is made, every button is wired to an answer, nothing in it comes from elsewhere."""

import json
import re

import pytest

pytest.importorskip("gradio", minversion="6", reason="the app's page needs Gradio 6: `make app` installs it")
pytest.importorskip("httpx", reason="FastAPI's client for tests needs httpx")
from fastapi import FastAPI
from fastapi.testclient import TestClient

from ldznet_ext.app import example
from ldznet_ext.app.page import mount_page, page
from ldznet_ext.app.room import Room
from ldznet_ext.hosts.library import Loadable
from tests.unit.app.conftest import FakeDesk


@pytest.fixture(scope="module")
def html() -> str:
    desk, app = FakeDesk(), FastAPI()
    mount_page(app, Room(desk), example.Example(desk))  # type: ignore[arg-type]
    with TestClient(app) as client:
        return client.get("/").text


def test_every_question_is_an_event(html: str) -> None:
    config = json.loads(re.search(r"window\.gradio_config = (\{.*?\});</script>", html, re.DOTALL)[1])
    names = {each["api_name"] for each in config["dependencies"] if each["api_name"]}
    assert {"find", "parts", "repaint", "generate", "load"} <= names


def test_nothing_that_the_page_loads_is_elsewhere(html: str) -> None:
    loaded = re.findall(r"""<(?:script|link|img)[^>]*?(?:src|href)=["'](https?:[^"']+)""", html)
    assert loaded == []


def test_our_scripts_and_words_are_in_it(html: str) -> None:
    assert "app/assets/desk.js" in html and "window.ldzSays" in html


def test_gradio_takes_no_files(desk: FakeDesk) -> None:
    app = FastAPI()
    mount_page(app, Room(desk), example.Example(desk))  # type: ignore[arg-type]
    with TestClient(app) as client:
        answer = client.post("/gradio_api/upload", files=[("files", ("a.png", bytes(100)))])

    assert answer.status_code == 413


def test_a_model_that_was_added_since_the_start_is_listed(desk: FakeDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    made = page(Room(desk), example.Example(desk))  # type: ignore[arg-type]
    fresh = (*desk.models(), Loadable(name="fresh", family="", bytes=2_000_000, loaded=True))
    monkeypatch.setattr(desk, "models", lambda: fresh)
    on_load = next(each for each in made.fns.values() if each.api_name == "list_models")
    listed = on_load.fn()

    assert ("load" in {event for _, event in on_load.targets}) and on_load.outputs[0].elem_id == "ldz-choose"
    assert listed.choices[-1] == ("fresh  (2 MB)", "fresh") and listed.value == "fresh"
