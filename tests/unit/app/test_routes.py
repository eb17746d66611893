"""The app's routes: pictures, quick actions, progress, files; under a handle that nobody can guess, cached by nobody."""

from collections.abc import Iterator

import cv2
import numpy as np
import pytest

pytest.importorskip("httpx", reason="FastAPI's client for tests needs httpx")
from fastapi import FastAPI
from fastapi.testclient import TestClient

from ldznet_ext.app import actions, asking, routes
from ldznet_ext.app.example import Example
from ldznet_ext.app.page_guard import PageGuard
from ldznet_ext.app.room import Room
from ldznet_ext.app.work import Moment, Work
from tests.unit.app.conftest import FOX, SIZE, png


@pytest.fixture
def client(room: Room) -> Iterator[TestClient]:
    app = FastAPI()
    app.mount("/app/assets", routes.assets())
    app.include_router(routes.router(room, Example(room.desk)))
    app.add_middleware(PageGuard)
    with TestClient(app) as client:
        yield client


def image(answer) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_UNCHANGED)


def test_the_mask_follows_the_address(client: TestClient, room: Room, page: str) -> None:
    asking.find(room, page, "fox")
    answer = client.get(f"/app/{page}/mask.png?v=7&threshold=0.7")

    np.testing.assert_array_equal(image(answer), (FOX > 0.7) * 255)
    assert "no-store" in answer.headers["cache-control"]


@pytest.mark.parametrize("name", ["picture", "before", "mask", "heat", "parts"])
def test_every_picture_of_a_work_is_there(client: TestClient, page: str, name: str) -> None:
    assert image(client.get(f"/app/{page}/{name}.png")).shape[:2] == SIZE


def test_a_quick_action_tells_everything(client: TestClient, page: str) -> None:
    given = {"points": [[1, 1], [6, 4]], "radius": 1.0, "erase": False, "snap": False}
    told = client.post(f"/app/{page}/do/stroke", json=given).json()

    assert told["history"] == ["Example", "Drawn"] and told["drawn"]
    assert client.post(f"/app/{page}/do/go", json={"by": -1}).json()["at"] == 0


@pytest.mark.parametrize(
    "what, given", [("sell", {}), ("go", {"far": 1}), ("stroke", {"points": []}), ("go", [1]), ("find", {"words": 1})]
)
def test_an_unknown_action_is_a_sentence(client: TestClient, page: str, what: str, given: object) -> None:
    answer = client.post(f"/app/{page}/do/{what}", json=given)
    assert answer.status_code == 400 and "reload" in answer.json()["error"]


@pytest.mark.parametrize("content", [b"", b"{", b"\xff"])
def test_what_is_no_json_is_a_sentence(client: TestClient, page: str, content: bytes) -> None:
    answer = client.post(f"/app/{page}/do/go", content=content)
    assert answer.status_code == 400 and "reload" in answer.json()["error"]


def test_a_picture_is_opened_by_its_bytes(client: TestClient, page: str) -> None:
    told = client.post(f"/app/{page}/open?name=sea.png", content=png(np.zeros((4, 7, 3), np.uint8))).json()
    assert told["size"] == [4, 7] and told["name"] == "sea"


def test_other_pictures_are_searched(client: TestClient, room: Room, page: str) -> None:
    asking.find(room, page, "fox")
    files = [("files", (f"{name}.png", png(np.zeros((6, 8, 3), np.uint8)))) for name in "ab"]
    assert client.post(f"/app/{page}/like-in", files=files).json()["history"] == ["Example", "fox", "a", "b"]


def test_of_a_file_too_large_no_more_is_read_than_tells_it(
    client: TestClient, room: Room, page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asking.find(room, page, "fox")
    monkeypatch.setattr(actions, "LARGEST", 1000)
    lengths: list[int] = []
    monkeypatch.setattr(
        asking,
        "read_picture",
        lambda content, name: lengths.append(len(content)) or actions.read_picture(content, name),
    )
    told = client.post(f"/app/{page}/like-in", files=[("files", ("a.png", bytes(5000)))]).json()

    assert "MB; expected less" in told["message"] and lengths == [1001]


def test_a_file_is_named_for_the_disk(client: TestClient, room: Room, page: str) -> None:
    asking.find(room, page, "fox")
    answer = client.get(f"/app/{page}/save/cutout?pattern={{words}} ü")

    assert image(answer).shape == (*SIZE, 4)
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''fox%20%C3%BC_cutout.png"


def test_progress_is_quiet_where_nothing_runs(client: TestClient, page: str) -> None:
    assert client.get(f"/app/{page}/progress").json() == {"busy": False, "done": 0.0, "what": ""}
    assert client.post(f"/app/{page}/do/cancel", json={}).json() == {}


@pytest.mark.parametrize("path", ["picture.png", "mask.png", "recipe.json", "save/mask"])
def test_a_handle_that_was_never_given_shows_nothing(client: TestClient, page: str, path: str) -> None:
    guessed = page[:-1] + ("a" if page[-1] != "a" else "b")
    assert client.get(f"/app/{guessed}/{path}").status_code == 404


def test_one_page_cannot_reach_the_other(client: TestClient, room: Room, page: str) -> None:
    other = room.open(Work(moments=(Moment(label="b", picture=np.full((*SIZE, 3), 200, np.uint8)),)))

    assert (image(client.get(f"/app/{page}/picture.png")) == 128).all()
    assert (image(client.get(f"/app/{other}/picture.png")) == 200).all()


def test_every_answer_forbids_other_machines(client: TestClient, page: str) -> None:
    policy = client.get(f"/app/{page}/progress").headers["content-security-policy"]

    assert "default-src 'self'" in policy and "http" not in policy and "*" not in policy


def test_assets_are_served_and_nothing_beside_them(client: TestClient) -> None:
    assert client.get("/app/assets/desk.js").status_code == 200
    assert client.get("/app/assets/%2e%2e/server.py").status_code == 404
