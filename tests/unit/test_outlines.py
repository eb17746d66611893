"""SAM in the walk: asked once a picture and only of what is found; without it the masks are as they were, and that is said."""

from collections.abc import Sequence

import numpy as np
import pytest

from ldznet_ext import sam
from ldznet_ext.errors import ModelError
from ldznet_ext.hosts.standalone import StandaloneBackbone
from ldznet_ext.masks.prompted import Prompt
from ldznet_ext.outlines import Outlines
from ldznet_ext.pipeline import rethreshold, segment
from ldznet_ext.result import FOUND, Segmentation
from tests.unit.test_answers import Painted, picture

PICTURE = np.zeros((6, 9, 3), np.uint8)
OURS = np.full((6, 9), 0.1, np.float32)
OURS[1:5, 2:6] = 0.6
OURS[0, 8] = 0.9


class Fake:
    """A network that draws its own outline, one column wider than any piece; counts what it is asked."""

    def __init__(self) -> None:
        self.seen, self.asked = 0, 0

    def look(self, picture: np.ndarray) -> "Fake":
        self.seen += 1
        return self

    def __call__(self, prompt: Prompt) -> Sequence[np.ndarray]:
        self.asked += 1
        wider = prompt.shape | np.roll(prompt.shape, 1, 1)
        return [np.where(wider, np.float32(0.99), np.float32(0.02))]


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Fake:
    fake = Fake()
    monkeypatch.setattr(sam, "load_sam", lambda device=None: fake)
    return fake


@pytest.mark.parametrize("threshold", [0.2, 0.5, 0.55])
def test_pieces_come_back_in_its_outline_about_the_same_threshold(network: Fake, threshold: float) -> None:
    outlines = Outlines(PICTURE)
    prob = outlines(OURS, threshold)
    expected = np.zeros((6, 9), bool)
    expected[1:5, 2:7] = True
    np.testing.assert_array_equal(prob[:, :8] > threshold, expected[:, :8])
    assert prob.dtype == np.float32 and prob.min() >= 0 and prob.max() <= 1
    assert OURS[1, 6] == np.float32(0.1), "what is given stays"


def test_a_picture_is_looked_at_once_and_not_before_it_must(network: Fake) -> None:
    outlines = Outlines(PICTURE)
    assert network.seen == 0
    outlines(OURS, 0.5), outlines(OURS, 0.5)
    assert network.seen == 1 and network.asked >= 2


def test_without_it_the_map_stays_and_it_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(device: object = None) -> None:
        raise ModelError("SAM's weights are not there; expected them, so put them there.")

    monkeypatch.setattr(sam, "load_sam", none)
    outlines = Outlines(PICTURE)
    assert outlines(OURS, 0.5) is OURS and outlines(OURS, 0.5) is OURS
    assert outlines.remarks == ["SAM's weights are not there; expected them, so put them there."]


def find(backbone: StandaloneBackbone, words: str, **more: object) -> Segmentation:
    return segment(picture(64, 128), words, backbone=backbone, method=Painted(), refine=False, **more)


def test_the_walk_asks_it_of_what_is_found_alone(backbone: StandaloneBackbone, network: Fake) -> None:
    plain, result = find(backbone, "fox | owl"), find(backbone, "fox | owl", sam=True)
    assert network.seen == 1 and result.provenance["sam"] and not plain.provenance["sam"]
    fox, owl = result.phrases[0].terms
    assert fox.status == FOUND and (fox.prob != plain.phrases[0].terms[0].prob).any()
    np.testing.assert_array_equal(owl.prob, plain.phrases[0].terms[1].prob)
    assert rethreshold(result, 0.5).mask.any()
    assert find(backbone, "owl", sam=True).message == "" and network.seen == 1


def test_without_weights_the_walk_goes_on_and_says_so(
    backbone: StandaloneBackbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sam, "find_weights", lambda: None)
    plain, result = find(backbone, "fox"), find(backbone, "fox", sam=True)
    np.testing.assert_array_equal(result.mask, plain.mask)
    assert "SAM's weights are not there" in result.message and plain.message == ""
