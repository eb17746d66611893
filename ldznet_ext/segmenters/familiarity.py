"""Whether a picture is of the kind a head was trained on: the distance of its pooled diffusion features from training's.

Mahalanobis distance in a PCA subspace plus the residual outside it, as probabilistic PCA has it (Tipping and Bishop, 1999).
Deep features tell what a picture shows; how it is drawn, the latent's own texture tells better, so both are pooled.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

COMPONENTS = 32
PERCENTILE = 99.0
FOLDS = 4


@dataclass(frozen=True, eq=False)
class Familiarity:
    """Statistics of the pooled features of training pictures.

    mean, scale (d,): of each channel. basis (k, d), variance (k,): principal directions of the standardised channels.
    residual: mean squared length outside them, divided by k. limit: the distance that 99 % of unseen pictures of
    training's kind stay below.
    """

    mean: np.ndarray
    scale: np.ndarray
    basis: np.ndarray
    variance: np.ndarray
    residual: float
    limit: float

    def distance(self, features: np.ndarray) -> np.ndarray:
        """Distances (n,) of pooled features (n, d)."""
        standard = (np.atleast_2d(features).astype(np.float64) - self.mean) / self.scale
        inside = standard @ self.basis.T
        outside = np.maximum((standard**2).sum(axis=1) - (inside**2).sum(axis=1), 0)
        return np.sqrt((inside**2 / self.variance).sum(axis=1) + outside / self.residual)

    def is_familiar(self, features: np.ndarray) -> bool:
        """Whether one pooled feature vector (d,) lies within the limit."""
        return bool(self.distance(features)[0] <= self.limit)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Float32 arrays for a head's file."""
        return {
            name: np.asarray(getattr(self, name), np.float32).reshape(shape) for name, shape in _shapes(self).items()
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "Familiarity":
        """Read what `to_arrays` gave."""
        vectors = (np.asarray(arrays[name], np.float64) for name in ("mean", "scale", "basis", "variance"))
        return cls(*vectors, residual=float(arrays["residual"][0]), limit=float(arrays["limit"][0]))


def pool_features(features: Mapping[str, np.ndarray], taps: Sequence[str], latent: np.ndarray) -> np.ndarray:
    """Spatial means of the features (b c h w), averaged over the rows, tap after tap, then the latent's texture: (d,) float32.

    The rows differ by their words; their average says something of the picture.
    """
    means = [np.asarray(features[tap], np.float32).mean(axis=(0, 2, 3)) for tap in taps]
    return np.concatenate([*means, texture(latent)])


def texture(latent: np.ndarray) -> np.ndarray:
    """What a latent (1 c h w) looks like from afar, float32 (14 c,): its mean and spread, and how steep it is at three scales.

    Steepness is given by quantiles of the gradient's length: smooth grounds, hard edges and grain differ in them.
    """
    cells = np.asarray(latent, np.float32)[0]
    parts = [cells.mean(axis=(1, 2)), cells.std(axis=(1, 2)), *_steepness(cells, (0.1, 0.25, 0.5, 0.75, 0.9, 0.97))]
    for side in (2, 4):
        parts += _steepness(_averaged(cells, side), (0.1, 0.5, 0.9))
    return np.concatenate(parts)


def _steepness(cells: np.ndarray, quantiles: tuple[float, ...]) -> list[np.ndarray]:
    """Quantiles over space of the gradient's length, one array (c,) each; zeros where there is a single row or column."""
    if min(cells.shape[1:]) < 2:
        return [np.zeros(len(cells), np.float32) for _ in quantiles]
    down, across = np.diff(cells, axis=1)[:, :, :-1], np.diff(cells, axis=2)[:, :-1]
    return list(np.quantile(np.hypot(down, across), quantiles, axis=(1, 2)).astype(np.float32))


def _averaged(cells: np.ndarray, side: int) -> np.ndarray:
    """Means of blocks of `side` x `side` cells (c h w); what is left over at the far edges stays out."""
    height, width = (length // side for length in cells.shape[1:])
    blocks = cells[:, : height * side, : width * side]
    return blocks.reshape(len(cells), height, side, width, side).mean(axis=(2, 4))


def fit_familiarity(
    features: np.ndarray, *, components: int = COMPONENTS, percentile: float = PERCENTILE
) -> Familiarity:
    """Fit on pooled features (n, d) of training pictures.

    The limit is taken from pictures left out in turn: those the statistics were fitted on lie too near.
    """
    features = np.asarray(features, np.float64)
    if features.ndim != 2 or len(features) < 2 * FOLDS:
        raise ValueError(
            f"expected pooled features (n, d) of at least {2 * FOLDS} pictures, got the shape {features.shape}"
        )
    turns = np.arange(len(features)) % FOLDS
    left_out = [_fit(features[turns != turn], components).distance(features[turns == turn]) for turn in range(FOLDS)]
    fitted = _fit(features, components)
    limit = float(np.percentile(np.concatenate(left_out), percentile))
    return Familiarity(fitted.mean, fitted.scale, fitted.basis, fitted.variance, fitted.residual, limit)


def _fit(features: np.ndarray, components: int) -> Familiarity:
    mean, scale = features.mean(axis=0), features.std(axis=0) + 1e-6
    standard = (features - mean) / scale
    _, singular, directions = np.linalg.svd(standard, full_matrices=False)
    kept = max(1, min(components, len(features) // 4, features.shape[1]))
    spread = singular**2 / len(features)
    rest = max(float(spread[kept:].sum()), 1e-6)
    # what lies outside weighs as much as all directions inside: strange pictures differ mostly there
    return Familiarity(mean, scale, directions[:kept], np.maximum(spread[:kept], 1e-6), rest / kept, np.inf)


def _shapes(familiarity: Familiarity) -> dict[str, tuple[int, ...]]:
    scalars = {"residual": (1,), "limit": (1,)}
    return {**{name: getattr(familiarity, name).shape for name in ("mean", "scale", "basis", "variance")}, **scalars}
