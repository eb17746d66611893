"""Methods without a head where words or a picture tell them nothing, and what their scores are scores of."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch

from ldznet_ext.hosts.standalone import StandaloneBackbone
from ldznet_ext.pipeline import segment
from ldznet_ext.request import SegmentRequest
from ldznet_ext.result import NOT_FOUND
from ldznet_ext.segmenters import example
from ldznet_ext.segmenters.base import Clock, Evidence
from ldznet_ext.segmenters.example import ExampleSegmenter, Marked
from ldznet_ext.segmenters.methods import pick_segmenter
from ldznet_ext.segmenters.view import look
from tests.tiny import picture

BY_ATTENTION = ("attention", "maskdiffusion")


def ask(name: str, backbone: StandaloneBackbone, phrases: Sequence[str], **more: Any) -> Evidence:
    """What a method says of phrases in a picture."""
    request = SegmentRequest(phrases=tuple(phrases), **more)
    method = pick_segmenter(name, backbone)
    return method.evidence(backbone, look(picture(), backbone), request.phrases, request, Clock())


@pytest.mark.parametrize("name", BY_ATTENTION)
@pytest.mark.parametrize("value", [float("nan"), 0.0])
def test_words_that_say_nothing_are_not_found(name: str, value: float, backbone: StandaloneBackbone) -> None:
    """A text encoder that gives no numbers, and one to which all words are alike."""
    real = backbone.encode_text
    backbone.encode_text = lambda phrase: real(phrase) * (value if phrase else 1)  # type: ignore[method-assign]
    for exclusive in (False, True):
        evidence = ask(name, backbone, ("fox", "owl"), exclusive=exclusive)
        assert evidence.scores.tolist() == [0, 0] and evidence.logits.max() < -4
        assert '"fox", "owl"' in evidence.message and evidence.message.endswith(".")


@pytest.mark.parametrize("name", BY_ATTENTION)
def test_a_score_is_of_the_phrase_alone_whatever_it_competes_with(name: str, backbone: StandaloneBackbone) -> None:
    alone = [float(ask(name, backbone, [phrase]).scores[0]) for phrase in ("owl", "fox", "snow")]
    among = ask(name, backbone, ("owl", "fox", "snow"), exclusive=True)
    assert among.scores.tolist() == pytest.approx(alone, abs=1e-5)


@pytest.mark.parametrize("name", BY_ATTENTION)
def test_no_text_is_encoded_that_would_be_cut(name: str, backbone: StandaloneBackbone) -> None:
    texts, real = [], backbone.encode_text
    backbone.encode_text = lambda phrase: texts.append(phrase) or real(phrase)  # type: ignore[method-assign]
    ask(name, backbone, ["fox on snow " * 40])
    assert len(texts) > 1 and not any(backbone.overflow(text) for text in texts)


@pytest.mark.parametrize(("value", "said"), [(float("nan"), "are not numbers"), (1.0, "are the same everywhere")])
def test_a_picture_that_says_nothing_holds_no_example(
    value: float, said: str, backbone: StandaloneBackbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The example was learnt from another picture, where all was well."""
    shown, real = picture(72, 130), example.features_of
    mask = np.zeros(shown.shape[:2], bool)
    mask[20:50, 30:80] = True
    method = ExampleSegmenter(Marked(picture=shown, mask=mask))
    assert "same everywhere" not in segment(shown, "fox", backbone=backbone, method=method).message

    def silent(*args: object, **more: object) -> tuple[dict[str, torch.Tensor], int]:
        features, calls = real(*args, **more)  # type: ignore[arg-type]
        return {tap: torch.full_like(one, value) for tap, one in features.items()}, calls

    monkeypatch.setattr(example, "features_of", silent)
    result = segment(shown[::-1].copy(), "fox", backbone=backbone, method=method)
    assert said in result.message and not result.prob.any()
    assert (result.phrases[0].status, result.phrases[0].score) == (NOT_FOUND, 0)
