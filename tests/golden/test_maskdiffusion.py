"""MaskDiffusion against numbers of the authors' functions (commit 1955c87): what is stored, averaged and scored."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ldznet_ext.geometry import Size
from ldznet_ext.segmenters.prototypes import attention_values, likeness, mean_map, peaked, prototypes, to_grid

DATA = Path(__file__).parent / "data" / "training_free"


def load(name: str) -> dict[str, np.ndarray]:
    with np.load(DATA / f"maskdiffusion_{name}.npz") as stored:
        return dict(stored)


def close(got: Tensor, want: np.ndarray, relative: float = 1e-5) -> None:
    expected = torch.from_numpy(want)
    torch.testing.assert_close(got.to(expected.dtype), expected, atol=relative * float(abs(want).max()), rtol=0)


def test_the_authors_store_the_exponential_of_scaled_logits() -> None:
    case = {key: torch.from_numpy(np.asarray(value)) for key, value in load("exp_attention").items()}
    heads = int(case["heads"])

    def split(rows: Tensor) -> Tensor:
        return rows.unflatten(-1, (heads, -1)).transpose(1, 2).flatten(0, 1)  # (b heads) n d

    q, k = split(case["x"] @ case["wq"].T), split(case["context"] @ case["wk"].T)
    logits = q @ k.transpose(1, 2) * case["scale"].float()
    close(attention_values(logits, "exp"), case["stored"].numpy())
    # the layer itself goes on with the softmax: its output tells the two apart
    values = split(case["context"] @ case["wv"].T)
    attended = (attention_values(logits) @ values).unflatten(0, (-1, heads)).transpose(1, 2).flatten(2)
    close(attended @ case["wo"].T + case["bo"], case["out"].numpy())
    torch.testing.assert_close(attention_values(logits, "raw"), logits)


def test_layers_and_heads_are_averaged_and_each_class_peaks_at_one() -> None:
    case = load("aggregate")
    layers = [torch.from_numpy(case[f"cond_{index}"]) for index in range(len(case["place"]))]
    grids = [layer.unflatten(1, (round(layer.shape[1] ** 0.5), -1)) for layer in layers]
    averaged = mean_map(grids, Size(32, 32))
    close(averaged.movedim(0, -1), case["aggregated_32"])
    classes = peaked(to_grid(averaged[1:-1:2], Size(256, 352)))
    close(classes[None, :, ::8, ::8], case["class_maps_stride8"])
    close(classes.double().sum(dim=(1, 2))[None], case["class_maps_sum"])
    assert classes.flatten(1).amax(dim=1).tolist() == [1.0] * 5


def test_pixels_are_scored_by_the_dot_with_the_prototype() -> None:
    case = load("score")
    features, maps = torch.from_numpy(case["feat"])[0], torch.from_numpy(case["atten"])[0]
    score = likeness(features, prototypes(features, maps), "dot")
    close(score[None], case["score"])
    np.testing.assert_array_equal(score.argmax(dim=0)[None].numpy(), case["labels"])


def test_the_papers_cosine_is_another_score() -> None:
    """Eq. 6 divides by the prototype's length, which the authors' code leaves in: classes of focused maps gain by it."""
    case = load("score")
    features, maps = torch.from_numpy(case["feat"])[0], torch.from_numpy(case["atten"])[0]
    kinds = prototypes(features, maps)
    cosine = likeness(features, kinds, "cosine")
    close(cosine * kinds.norm(dim=1)[:, None, None], case["score"][0])
