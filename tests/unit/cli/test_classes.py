"""`ldznet classes`: the files, the object, the sentences."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ldznet_ext.cli import engine
from ldznet_ext.geometry import Box, Size
from ldznet_ext.masks.legend import colour
from ldznet_ext.result import FOUND, NOT_FOUND, ClassResult, Labelling

KEYS = ["picture", "size", "method", "model", "familiar", "classes", "unlabelled", "files", "seconds", "unet_calls"]
SECONDS = dict.fromkeys(("encode", "text", "unet", "head", "post", "total"), 0.01)


@pytest.fixture
def asked(fake, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """An engine that gives the first name the left half, the second a row on the right, and "owl" nothing."""
    calls: list[dict[str, Any]] = []

    def classes(picture: np.ndarray, names: tuple[str, ...], backbone: object, **settings: Any) -> Labelling:
        calls.append({"names": names, **settings})
        height, width = picture.shape[:2]
        labels = np.full((height, width), -1, np.int16)
        labels[:, : width // 2] = 0
        labels[0, width // 2 :] = 1 if len(names) > 1 else -1
        answers = [
            ClassResult(name=name, label=n, status=NOT_FOUND if name == "owl" else FOUND, score=0.25,
                        box=Box(0, 0, 1, 1) if (labels == n).any() else None, area=int((labels == n).sum()))
            for n, name in enumerate(names)
        ]  # fmt: skip
        return Labelling(
            size=Size(height, width), method="maskdiffusion", model="fake-sd", familiar=None, classes=tuple(answers),
            labels=labels, seconds=SECONDS, unet_calls=1, message="Left out: owl.",
        )  # fmt: skip

    monkeypatch.setattr(engine, "classes", classes)
    return calls


def test_the_object_and_the_files(ldznet, asked, photo: Path, tmp_path: Path) -> None:
    ran = ldznet("classes", photo, "sky, tall grass,owl", "-o", "out", "--json")
    answer = ran.json
    assert list(answer) == KEYS and "Left out: owl." in ran.err
    assert asked[0] == {
        "names": ("sky", "tall grass", "owl"), "method": "auto", "keep_absent": False, "refine": True,
    }  # fmt: skip
    assert answer["classes"][1] == {
        "text": "tall grass", "index": 2, "status": "found", "score": 0.25, "box": [0, 0, 1, 1], "area": 10,
    }  # fmt: skip
    assert answer["classes"][2]["box"] is None and answer["unlabelled"] == 12 * 20 - 120 - 10
    assert answer["files"] == {"classes": "my photo_classes.png", "overlay": "my photo_classes_overlay.png"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == set(answer["files"].values())


def test_the_palette_picture_holds_the_indices_of_the_object(ldznet, asked, photo: Path, tmp_path: Path) -> None:
    ldznet("classes", photo, "sky, grass")
    image = Image.open(tmp_path / "my photo_classes.png")
    assert image.mode == "P" and image.size == (20, 12)
    indices = np.asarray(image)
    assert (indices[:, :10] == 1).all() and (indices[0, 10:] == 2).all() and not indices[1:, 10:].any()
    overlay = np.asarray(Image.open(tmp_path / "my photo_classes_overlay.png"))
    assert overlay.shape[0] > 12 and all((overlay == colour(label)).all(axis=2).any() for label in (0, 1))


def test_without_json_a_short_report(ldznet, asked, photo: Path) -> None:
    assert ldznet("classes", photo, "sky, owl").out.splitlines() == [
        "sky  found, score 0.25, 50.0% of the picture",
        "owl  not found, score 0.25, 4.2% of the picture",
        "Wrote my photo_classes.png, my photo_classes_overlay.png.",
    ]


def test_options_reach_the_engine_and_names_may_be_several_arguments(ldznet, asked, photo: Path) -> None:
    ldznet("classes", photo, "sky", "grass, fox", "--keep-absent", "--no-refine", "--method", "attention")
    assert asked[0] == {
        "names": ("sky", "grass", "fox"), "method": "attention", "keep_absent": True, "refine": False,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ("", "is empty"),
        ("sky,,fox", "is empty"),
        ("sky, grass,", "is empty"),
        ("sky, fox, SKY", '"sky" is given twice'),
        (", ".join(f"n{number}" for number in range(256)), "256 names; expected at most 255"),
    ],
)
def test_bad_names_are_refused_before_anything_is_loaded(
    ldznet, asked, photo: Path, tmp_path: Path, names: str, said: str
) -> None:
    assert said in ldznet("classes", photo, names, "-o", "out").complaint
    assert not asked and not (tmp_path / "out").exists()


def test_a_bad_picture_is_refused(ldznet, asked, tmp_path: Path) -> None:
    (tmp_path / "text.png").write_bytes(b"no picture")
    assert "text.png" in ldznet("classes", "text.png", "sky", "-o", "out").complaint
    assert not asked and not (tmp_path / "out").exists()


def test_one_pixel_is_a_picture(ldznet, asked, tmp_path: Path) -> None:
    Image.new("RGB", (1, 1)).save(tmp_path / "dot.png")
    assert ldznet("classes", "dot.png", "sky", "--json").json["size"] == [1, 1]
