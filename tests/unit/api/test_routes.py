"""The routes as functions: answers, statuses, and what never happens."""

import json
from pathlib import Path

import numpy as np
import pytest

from ldznet_ext import __version__
from ldznet_ext.api import routes
from ldznet_ext.api.examples import ANSWERS
from ldznet_ext.api.limits import TooLargeError
from ldznet_ext.api.tables import KINDS
from ldznet_ext.errors import HeadError, LdznetError, ModelError, PhraseError, PictureError
from ldznet_ext.pipeline import apply, segment
from ldznet_ext.request import MaskSettings
from tests.tiny import picture
from tests.unit.api.conftest import TinyDesk, received, sent


def test_every_expression_on_every_picture(desk: TinyDesk) -> None:
    small = picture(48, 80, seed=1)
    answer = routes.masks(desk, {"images": [sent(), sent(small)], "words": ["fox & !owl", "fox"], "grow": 2})
    assert [image["size"] for image in answer["images"]] == [[90, 130], [48, 80]]
    assert [[each["words"] for each in image["masks"]] for image in answer["images"]] == [["fox & !owl", "fox"]] * 2
    assert (answer["host"], answer["model"]) == ("a desk for tests", "sticker-sd")
    assert json.loads(json.dumps(answer, allow_nan=False)) == answer
    for image in answer["images"]:
        for each in image["masks"]:
            mask = received(each["mask"])
            assert mask.mode == "L"
            assert [mask.height, mask.width] == image["size"]


def test_an_answer_is_what_the_pipeline_says(desk: TinyDesk) -> None:
    settings = MaskSettings(words="fox | owl", grow=3, feather=1.0, threshold=0.4)
    body = {"images": [sent()], "words": "fox | owl", "grow": 3, "feather": 1.0, "threshold": 0.4, "want": KINDS}
    answer = routes.masks(desk, body)["images"][0]["masks"][0]
    result = segment(picture(), "fox | owl", backbone=desk.backbone, threshold=0.4)
    mask = apply(result, settings)
    np.testing.assert_array_equal(np.asarray(received(answer["mask"])), mask)
    assert answer["area"] == int((mask >= 128).sum())
    assert answer["status"] == result.phrases[0].status
    assert answer["score"] == pytest.approx(result.phrases[0].score)
    assert [term["text"] for term in answer["terms"]] == ["fox", "owl"]
    prob, cutout = received(answer["prob"]), received(answer["cutout"])
    assert prob.mode.startswith("I")
    np.testing.assert_allclose(np.asarray(prob) / 65535, result.prob, atol=1e-4)
    assert cutout.mode == "RGBA"
    np.testing.assert_array_equal(np.asarray(cutout)[..., :3], picture())
    np.testing.assert_array_equal(np.asarray(cutout)[..., 3], mask)
    assert received(answer["overlay"]).size == (130, 90)


def test_the_example_has_the_fields_of_a_real_answer(desk: TinyDesk) -> None:
    body = {"images": [sent()], "words": "fox & !owl", "want": ["mask", "overlay"]}
    answer, example = routes.masks(desk, body), ANSWERS["masks"]
    assert set(answer) == set(example)
    assert set(answer["images"][0]) == set(example["images"][0])
    mask, shown = answer["images"][0]["masks"][0], example["images"][0]["masks"][0]
    assert set(mask) == set(shown)
    assert set(mask["terms"][0]) == set(shown["terms"][0])


def test_an_unknown_word_is_an_answer_with_an_empty_mask(desk: TinyDesk) -> None:
    answer = routes.masks(desk, {"images": [sent()], "words": "cat", "invert": True})["images"][0]["masks"][0]
    assert (answer["status"], answer["box"], answer["area"]) == ("unknown word", None, 0)
    assert np.asarray(received(answer["mask"])).max() == 0
    assert answer["message"]


def test_nothing_is_asked_of_the_model_before_all_is_checked(desk: TinyDesk) -> None:
    for wrong in ({"images": [sent(), "fox.png"], "words": "fox"}, {"images": [sent()], "words": ["fox", "fox &"]}):
        with pytest.raises(LdznetError):
            routes.masks(desk, wrong)
    assert desk.asked == []


def test_what_there_is_says_names_only(desk: TinyDesk) -> None:
    listed = routes.methods(desk)["methods"]
    assert [(each["name"], each["available"]) for each in listed] == [("ldznet", True), ("znet", False)]
    assert listed[1]["why_not"].startswith("There is no znet head")
    models = routes.models(desk)
    assert (models["heads"], models["convertible"]) == (["ldznet-sticker.safetensors"], ["LDZNet_txt2mask.ckpt"])
    assert routes.health(desk) == {
        "status": "ok",
        "host": "a desk for tests",
        "version": __version__,
        "model": "sticker-sd",
    }


@pytest.mark.parametrize(
    "error, status",
    [
        (PictureError("a"), 400),
        (PhraseError("a"), 400),
        (TooLargeError("a"), 413),
        (ModelError("a"), 409),
        (HeadError("a"), 409),
    ],
)
def test_a_refusal_keeps_its_sentence(error: Exception, status: int) -> None:
    assert routes.refusal(error) == (status, {"error": "a"})


def test_refusals_name_no_folder_of_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "my models"
    monkeypatch.setenv("LDZNET_MODELS", str(folder))
    _, body = routes.refusal(
        HeadError(f"No head was found in {folder}, {folder / 'x.safetensors'}, {tmp_path / 'a.b'}.")
    )
    assert body == {"error": "No head was found in my models, my models/x.safetensors, a.b."}
    _, body = routes.refusal(FileNotFoundError(2, "No such file", str(tmp_path / "y.json")))
    assert str(tmp_path) not in body["error"]
    assert "y.json" in body["error"]


def test_a_fault_of_ours_is_a_sentence_too() -> None:
    status, body = routes.refusal(RuntimeError("CUDA out of memory\nmore"))
    assert (status, body) == (
        500,
        {"error": "The work failed (RuntimeError: CUDA out of memory); the host's log has the rest."},
    )
    assert "no reason given" in routes.refusal(KeyError())[1]["error"]
