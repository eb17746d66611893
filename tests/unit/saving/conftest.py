"""A result as small as can be: a fox in the left two columns, an owl that is not found."""

import numpy as np
import pytest

from ldznet_ext.geometry import Box, Size
from ldznet_ext.result import FOUND, NOT_FOUND, PhraseResult, Segmentation


@pytest.fixture
def segmentation() -> Segmentation:
    fox, owl = np.full((3, 5), 0.125, np.float32), np.full((3, 5), 0.25, np.float32)
    fox[:, :2] = 0.75
    return Segmentation(
        size=Size(3, 5), method="ldznet", model="sticker-sd", familiar=True,
        phrases=(
            PhraseResult(text="fox", status=FOUND, score=0.9, prob=fox, box=Box(0, 0, 2, 3), area=6),
            PhraseResult(text="owl", status=NOT_FOUND, score=0.1, prob=owl, box=None, area=0),
        ),
        prob=np.maximum(fox, owl), mask=fox > 0.5, seconds={"total": 0.1}, unet_calls=1,
    )  # fmt: skip
