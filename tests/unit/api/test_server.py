"""The stand-alone application: every route over the tiny model, progress, cancel, hanging up, too many, its own /docs."""

import asyncio
import html.parser
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ldznet_ext.api.examples import ANSWERS, REQUESTS
from ldznet_ext.api.jobs import CANCELLED, DONE, WORKING
from ldznet_ext.api.routes import GETS, POSTS
from ldznet_ext.hosts.desk import StandaloneDesk
from ldznet_ext.masks.ops import to_sixteen_bits
from ldznet_ext.pipeline import segment
from ldznet_ext.watch import UNWATCHED, Watch
from tests.tiny import picture
from tests.unit.api.conftest import TinyDesk, received, sent

pytest.importorskip("fastapi", reason="fastapi is not installed: the app and the web UIs bring it")
httpx = pytest.importorskip("httpx", reason="httpx is not installed: fastapi's test client needs it")

from fastapi.testclient import TestClient  # noqa: E402

from ldznet_ext.api.server import application  # noqa: E402

HERE, V1 = "http://127.0.0.1:7860", "/ldznet/v1"
PICTURE = picture(48, 64)
MASK = np.zeros((48, 64), np.uint8)
MASK[10:30, 20:40] = 255


@pytest.fixture
def alone(models: Path, monkeypatch: pytest.MonkeyPatch) -> StandaloneDesk:
    """A desk with the tiny model."""
    monkeypatch.setenv("LDZNET_MODELS", str(models))
    return StandaloneDesk()


@pytest.fixture
def client(alone: StandaloneDesk) -> TestClient:
    """A client of its application."""
    return TestClient(application(alone), base_url=HERE)


def shape_of(answer: Any) -> Any:
    """The keys of an answer, however deep; numbers and null are all one."""
    if isinstance(answer, dict):
        return {name: shape_of(value) for name, value in answer.items() if name not in ("seconds", "box", "familiar")}
    return [shape_of(each) for each in answer[:1]] if isinstance(answer, list) else type(answer) is str


@pytest.mark.parametrize("route", GETS)
def test_what_there_is_has_the_form_of_its_example(client: TestClient, alone: StandaloneDesk, route: str) -> None:
    alone.load()
    answer = client.get(f"{V1}/{route}")
    assert answer.status_code == 200 and set(answer.json()) == set(ANSWERS[route])
    if route == "models":
        assert answer.json()["models"][0]["name"] == "sticker-sd" and answer.json()["models"][0]["loaded"]


@pytest.mark.parametrize(
    "route, body",
    [
        ("masks", {"images": [sent(PICTURE)], "words": "fox & !owl", "want": ["mask", "overlay"]}),
        ("classes", {"images": [sent(PICTURE)], "names": ["fox", "snow"], "want": ["classes", "overlay"]}),
        ("like", {"image": sent(PICTURE), "clicks": [[30, 20]], "threshold": 0.2}),
        ("generate", {"prompt": "a fox", "steps": 5, "words": "fox"}),
        ("edit", {"image": sent(PICTURE), "mask": sent(MASK), "prompt": "an owl", "steps": 2}),
    ],
)
def test_an_answer_has_the_form_of_its_example(client: TestClient, route: str, body: dict[str, Any]) -> None:
    answer = client.post(f"{V1}/{route}", json=body)
    assert answer.status_code == 200, answer.text
    example = dict(ANSWERS[route])
    got, shown = shape_of(answer.json()), shape_of(example)
    if route == "edit":
        got.pop("masks"), shown.pop("masks")
    if route == "like":
        got["images"][0].pop("instances"), shown["images"][0].pop("instances")
    assert got["images"][0].keys() == shown["images"][0].keys() if "images" in got else got.keys() == shown.keys()


def test_classes_come_as_a_palette_picture(client: TestClient, alone: StandaloneDesk) -> None:
    body = {"images": [sent(PICTURE)], "names": ["fox", "owl"], "keep_absent": True, "threshold": 0.01}
    answer = client.post(f"{V1}/classes", json=body).json()["images"][0]
    drawn = np.asarray(received(answer["classes"]))
    assert drawn.shape == (48, 64) and [one["index"] for one in answer["names"]] == [1, 2]
    for one in answer["names"]:
        assert (drawn == one["index"]).sum() == one["area"]
    assert (drawn == 0).sum() == answer["unlabelled"]


def test_an_example_is_sought_in_others(client: TestClient) -> None:
    others = [sent(picture(40, 50, 3)), sent(picture(50, 40, 4))]
    body = {"image": sent(PICTURE), "example": sent(MASK), "others": others, "threshold": 0.1}
    images = client.post(f"{V1}/like", json=body).json()["images"]
    assert [image["size"] for image in images] == [[40, 50], [50, 40]]
    assert all(instance["area"] > 0 and not instance["marked"] for image in images for instance in image["instances"])


def test_what_was_painted_is_found_without_a_pass(client: TestClient, alone: StandaloneDesk) -> None:
    body = {
        "prompt": "a fox",
        "steps": 5,
        "size": [64, 128],
        "words": ["fox", "owl"],
        "want": ["mask", "recipe"],
        "seed": 3,
    }
    answer = client.post(f"{V1}/generate", json=body).json()
    painted = np.asarray(received(answer["image"]))
    assert painted.shape == (64, 128, 3) and [mask["unet_calls"] for mask in answer["masks"]] == [0, 0]
    assert answer["masks"][0]["recipe"]["words"] == ["fox"]
    later = client.post(f"{V1}/masks", json={"images": [answer["image"]], "words": "owl"}).json()
    assert later["images"][0]["masks"][0]["unet_calls"] == 0
    assert later["images"][0]["masks"][0]["score"] == pytest.approx(answer["masks"][1]["score"])


def test_an_edit_repaints_a_mask_or_words(client: TestClient) -> None:
    body = {"image": sent(PICTURE), "mask": sent(MASK), "prompt": "an owl", "steps": 2}
    edited = np.asarray(received(client.post(f"{V1}/edit", json=body).json()["image"]))
    assert (edited != PICTURE)[12:28, 22:38].any() and (edited == PICTURE)[:, :2].all()
    by_words = {"image": sent(PICTURE), "words": "!(fox & !fox)", "prompt": "an owl", "steps": 2}
    answer = client.post(f"{V1}/edit", json=by_words)
    assert answer.status_code == 200 and answer.json()["masks"][0]["status"] == "found"
    answer = client.post(f"{V1}/edit", json={**by_words, "words": "cat"})
    assert answer.status_code == 400 and '"cat" is unknown word in this picture' in answer.json()["error"]


REFUSED = {
    "both of a pair": (
        "like",
        {"image": sent(PICTURE), "clicks": [[1, 1]], "example": sent(MASK)},
        "has both of example",
    ),
    "neither of a pair": ("edit", {"image": sent(PICTURE), "prompt": "owl"}, "has neither of mask and words"),
    "a click outside": ("like", {"image": sent(PICTURE), "clicks": [[64, 1]]}, "A click is at"),
    "a mask of another size": (
        "edit",
        {"image": sent(PICTURE), "mask": sent(MASK[:9]), "prompt": "owl"},
        "expected 48x64",
    ),
    "too many steps": ("generate", {"prompt": "fox", "steps": 151}, "Steps is 151; expected a number from 1 to 150"),
    "a size that is none": ("generate", {"prompt": "fox", "size": [64, 100]}, "multiples of 64 up to 1536"),
    "a number in quotes": ("masks", {"images": [sent(PICTURE)], "words": "fox", "grow": "4"}, "Grow is '4'"),
    "a flag that is none": (
        "classes",
        {"images": [sent(PICTURE)], "names": ["fox"], "keep_absent": 1},
        "true or false",
    ),
    "a name twice": ("classes", {"images": [sent(PICTURE)], "names": ["fox", "Fox"]}, "is given twice"),
    "no prompt": ("generate", {"words": "fox"}, "The prompt is of the type NoneType"),
    "no number": ("generate", b'{"prompt": "fox", "guidance": NaN}', "NaN is no number of JSON"),
    "edits of another size": (
        "masks",
        {"images": [sent(PICTURE)], "words": "fox", "edits": {"add": {"size": [2, 2], "counts": "04"}}},
        "expected 64 x 48",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals_are_one_sentence(client: TestClient, alone: StandaloneDesk, name: str) -> None:
    route, body, sentence = REFUSED[name]
    content = (
        {"content": body, "headers": {"Content-Type": "application/json"}}
        if isinstance(body, bytes)
        else {"json": body}
    )
    answer = client.post(f"{V1}/{route}", **content)
    assert (answer.status_code, list(answer.json())) == (400, ["error"]), answer.text
    assert sentence in answer.json()["error"]


def test_what_is_not_called_json_is_refused(client: TestClient) -> None:
    for headers in ({}, {"Content-Type": "text/plain"}, {"Content-Type": "application/x-www-form-urlencoded"}):
        answer = client.post(f"{V1}/generate", content=b'{"prompt": "fox"}', headers=headers)
        assert answer.status_code == 415 and "expected application/json" in answer.json()["error"]


def test_a_desk_that_only_masks_says_so(desk: TinyDesk) -> None:
    client = TestClient(application(desk), base_url=HERE)
    for route in ("classes", "like", "generate", "edit"):
        answer = client.post(f"{V1}/{route}", json=REQUESTS[route])
        assert answer.status_code == 409 and f"does not do '{route}' here; expected" in answer.json()["error"]


def test_what_is_not_there_is_a_sentence(client: TestClient) -> None:
    for method, path, status in (("GET", "/nowhere", 404), ("GET", f"{V1}/masks", 405), ("POST", f"{V1}/health", 405)):
        answer = client.request(method, path)
        assert (answer.status_code, list(answer.json())) == (status, ["error"])
    assert "POST" in client.get(f"{V1}/masks").headers["allow"]


# progress, cancel, many at once


class SlowDesk(TinyDesk):
    """Paints until it is stopped, or until the test lets it end."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.started, self.end, self.stopped = threading.Event(), threading.Event(), threading.Event()

    def generate(self, prompt: str, *, watch: Watch = UNWATCHED, **rest: Any) -> Any:
        """A grey picture, at last."""
        self.started.set()
        try:
            while not self.end.is_set():
                watch.tell(0.5, "painting, step 2 of 4")
                time.sleep(0.005)
        finally:
            self.stopped.set()
        return type("Painted", (), {"picture": np.full((8, 8, 3), 128, np.uint8)})


@pytest.fixture
def slow(backbone: Any) -> SlowDesk:
    """A desk that takes its time."""
    return SlowDesk(backbone)


def called(fn: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    """What a call answers, made by somebody else."""
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(fn()))
    thread.start()
    return thread, answers


def test_a_client_asks_how_far_it_is_and_stops_it(slow: SlowDesk) -> None:
    with TestClient(application(slow), base_url=HERE) as client:
        post = lambda: client.post(f"{V1}/generate", json={"prompt": "fox"}, headers={"X-Request-Id": "mine"})  # noqa: E731
        thread, answers = called(post)
        assert slow.started.wait(10)
        told = client.get(f"{V1}/jobs/mine").json()
        assert told == {"job": "mine", "state": WORKING, "fraction": 0.45, "what": "painting, step 2 of 4"}
        assert client.get(f"{V1}/jobs/mine", headers={"Authorization": "Bearer other"}).status_code == 404
        second = post()
        assert second.status_code == 409 and "is under way" in second.json()["error"]
        assert client.get(f"{V1}/health").status_code == 200, "who only asks does not wait"
        assert client.delete(f"{V1}/jobs/mine").status_code == 200
        thread.join(10)
        assert answers[0].status_code == 409 and "cancelled" in answers[0].json()["error"]
        assert client.get(f"{V1}/jobs/mine").json()["state"] == CANCELLED
        slow.end.set()
        done = post()
        assert (done.status_code, done.headers["x-request-id"]) == (200, "mine")
        assert client.get(f"{V1}/jobs/mine").json()["state"] == DONE


def test_who_hangs_up_stops_their_own_work(slow: SlowDesk) -> None:
    """As a server tells it: the body, and later that nobody listens any more."""

    async def hung_up() -> None:
        gone = asyncio.Event()
        messages = [{"type": "http.request", "body": b'{"prompt": "fox"}', "more_body": False}]

        async def receive() -> dict[str, Any]:
            if messages:
                return messages.pop()
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            pass

        headers = [(b"host", b"127.0.0.1"), (b"content-type", b"application/json")]
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "path": f"{V1}/generate",
            "raw_path": f"{V1}/generate".encode(),
            "root_path": "",
            "scheme": "http",
            "query_string": b"",
            "headers": headers,
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 7860),
        }
        work = asyncio.ensure_future(application(slow)(scope, receive, send))
        while not slow.started.is_set():
            await asyncio.sleep(0.005)
        assert not slow.stopped.is_set()
        gone.set()
        await asyncio.wait_for(work, 10)

    asyncio.run(hung_up())
    assert slow.stopped.is_set() and not slow.end.is_set()


def test_too_many_at_once_are_told_to_come_again(slow: SlowDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ldznet_ext.api.jobs.Jobs.__init__.__defaults__", (1,))
    with TestClient(application(slow), base_url=HERE) as client:
        thread, answers = called(lambda: client.post(f"{V1}/generate", json={"prompt": "fox"}))
        assert slow.started.wait(10)
        busy = client.post(f"{V1}/generate", json={"prompt": "fox"})
        assert busy.status_code == 503 and int(busy.headers["retry-after"]) > 0
        assert "There are 1 requests under way; expected fewer, so try again" in busy.json()["error"]
        slow.end.set()
        thread.join(10)
        assert answers[0].status_code == 200


def test_eight_clients_at_once_get_the_answers_they_would_get_alone(client: TestClient, alone: StandaloneDesk) -> None:
    words = ("fox", "owl", "fox & !owl", "red fox", "snow", "fox | snow", "balloon", "owl*1.2")
    images = [picture(40 + number, 60, number) for number in range(8)]

    def ask(number: int) -> Any:
        body = {"images": [sent(images[number])], "words": words[number], "want": ["prob"]}
        answer = client.post(f"{V1}/masks", json=body, headers={"X-Request-Id": f"client-{number}"})
        assert answer.status_code == 200, answer.text
        return answer.json()["images"][0]["masks"][0]

    together = [called(lambda number=number: ask(number)) for number in range(8)]
    for thread, _ in together:
        thread.join(60)
    for number, (_, answers) in enumerate(together):
        expected = segment(images[number], words[number])
        assert (answers[0]["words"], answers[0]["score"]) == (words[number], expected.phrases[0].score)
        prob = np.asarray(received(answers[0]["prob"]))
        np.testing.assert_array_equal(prob, to_sixteen_bits(expected.prob))
    assert len(alone.turns) == 0


# its own page


class Links(html.parser.HTMLParser):
    """What a page would fetch, and the places in it."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.places: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """One tag."""
        given = dict(attrs)
        self.fetched += [str(given[name]) for name in ("src", "href", "action", "srcset") if name in given]
        self.places |= {f"#{given['id']}"} if "id" in given else set()
        assert tag not in ("script", "link", "iframe", "img", "object")


def test_docs_need_nothing_from_the_network(client: TestClient) -> None:
    page = client.get("/docs")
    assert page.status_code == 200 and page.headers["content-type"].startswith("text/html")
    links = Links()
    links.feed(page.text)
    assert {link for link in links.fetched if not link.startswith("#")} == {"/openapi.json"}
    assert {link for link in links.fetched if link.startswith("#")} == links.places
    for word in (*POSTS, *GETS, "jobs/{job}", "hysteresis", "X-Request-Id"):
        assert word in page.text


def test_openapi_has_an_example_of_every_route_that_is_taken(client: TestClient) -> None:
    described = client.get("/openapi.json").json()
    assert "security" not in described and set(described["paths"]) == {
        f"{V1}/{name}" for name in (*POSTS, *GETS, "jobs/{job}")
    }
    for name in POSTS:
        body = described["paths"][f"{V1}/{name}"]["post"]["requestBody"]["content"]["application/json"]
        assert body["example"] == REQUESTS[name]


def test_a_token_is_asked_for_and_said(alone: StandaloneDesk) -> None:
    client = TestClient(application(alone, token="a-long-token"), base_url="http://example.org")
    for path in ("/docs", "/openapi.json", f"{V1}/health"):
        assert client.get(path).status_code == 401
        assert client.get(path, headers={"Authorization": "Bearer a-long-token"}).status_code == 200
    described = client.get("/openapi.json", headers={"Authorization": "Bearer a-long-token"}).json()
    assert described["security"] == [{"token": []}]
