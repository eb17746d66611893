"""Closed-form matting (Levin, Lischinski, Weiss 2006): alpha as a local linear function of colour, solved on a band only.

In every window of 3x3 pixels alpha is asked to be a linear function of colour; what that costs is a quadratic form, the matting
Laplacian. Each pixel shares a window with 24 others: a row of the matrix is a stencil of 5x5, filled here window by window.
"""

import cv2
import numpy as np

EPS = 1e-6
"""Colour variance (0..1 scale) below which a window counts as flat. Measured: between 1e-7 and 1e-5 nothing changes much."""
TOLERANCE = 1e-3
"""Of the residual, relative: 1e-5 takes twice the rounds and changes no byte in a hundred."""
MOST_ROUNDS = 300
WINDOWS_AT_ONCE = 16_384
"""Bounds the memory of the windows' own 9x9 matrices to some 40 MB."""
_SQUARE = [(dy, dx) for dy in range(-1, 2) for dx in range(-1, 2)]
_STENCIL = [(dy, dx) for dy in range(-2, 3) for dx in range(-2, 3)]
_CENTRE = 12


def solve(
    picture: np.ndarray, values: np.ndarray, unknown: np.ndarray, hold: np.ndarray, *, eps: float = EPS
) -> np.ndarray:
    """The values (float h w, 0..1) with the unknown ones (bool h w) replaced by those that fit the colours best.

    picture: float (h w 3) in 0..1. hold: float (h w) above 0, the weights with which unknown pixels are held to the values they
    came with, beside the windows' own weight of about 8.
    """
    out = values.astype(np.float64)
    rows = np.full(unknown.shape, -1, np.int32)
    rows[unknown] = np.arange(np.count_nonzero(unknown), dtype=np.int32)
    if min(unknown.shape) < 3 or not unknown.any():
        return out
    weights = _stencils(picture, rows, eps)
    weights[:, _CENTRE] += hold[unknown]
    out[unknown] = np.clip(_minimum(weights, rows, out, hold[unknown] * out[unknown]), 0, 1)
    return out


def _stencils(picture: np.ndarray, rows: np.ndarray, eps: float) -> np.ndarray:
    """The Laplacian's rows of the unknown pixels, (n 25); `rows` (h w) numbers them, -1 elsewhere."""
    weights = np.zeros((rows.max() + 2, len(_STENCIL)))  # the last row takes what falls on known pixels
    inner = cv2.dilate((rows >= 0).astype(np.uint8), np.ones((3, 3), np.uint8))
    inner[[0, -1]] = inner[:, [0, -1]] = 0  # a window lies within the picture
    ys, xs = np.nonzero(inner)
    for start in range(0, len(ys), WINDOWS_AT_ONCE):
        y, x = ys[start : start + WINDOWS_AT_ONCE], xs[start : start + WINDOWS_AT_ONCE]
        cost = _windows(np.stack([picture[y + dy, x + dx] for dy, dx in _SQUARE], axis=1), eps)
        for i, (top, left) in enumerate(_SQUARE):
            row = rows[y + top, x + left]  # each pixel once: adding by index is safe
            for j, (dy, dx) in enumerate(_SQUARE):
                weights[row, _STENCIL.index((dy - top, dx - left))] += cost[:, i, j]
    return weights[:-1]


def _windows(colours: np.ndarray, eps: float) -> np.ndarray:
    """Colours (n 9 3) of windows -> their quadratic forms (n 9 9): 1 - (1 + d' inverse(covariance + eps/9) d) / 9."""
    away = colours - colours.mean(axis=1, keepdims=True)
    turned = away.transpose(0, 2, 1)
    covariance = turned @ away / 9 + np.eye(3) * (eps / 9)
    return np.eye(9) - (1 + away @ np.linalg.inv(covariance) @ turned) / 9


def _minimum(weights: np.ndarray, rows: np.ndarray, values: np.ndarray, pull: np.ndarray) -> np.ndarray:
    """Where the form is least, (n,): by conjugate gradients, scaled by the diagonal, from the values at hand."""
    from scipy.sparse import csr_matrix, diags
    from scipy.sparse.linalg import cg

    y, x = np.nonzero(rows >= 0)
    padded, known = np.pad(rows, 2, constant_values=-1), np.pad(np.where(rows < 0, values, 0.0), 2)
    columns = np.stack([padded[y + 2 + dy, x + 2 + dx] for dy, dx in _STENCIL], axis=1)
    for place, (dy, dx) in enumerate(_STENCIL):
        pull = pull - weights[:, place] * known[y + 2 + dy, x + 2 + dx]
    kept = columns >= 0
    ends = np.concatenate([[0], np.cumsum(kept.sum(axis=1))])
    matrix = csr_matrix((weights[kept], columns[kept], ends), shape=(len(y), len(y)))
    scale, start = diags(1 / weights[:, _CENTRE]), values[rows >= 0]
    # scipy renamed `tol` to `rtol`; the stop is absolute here, so that one call serves all versions.
    enough = TOLERANCE * float(np.linalg.norm(pull))
    found, _ = cg(matrix, pull, x0=start, maxiter=MOST_ROUNDS, M=scale, atol=max(enough, 1e-9))
    return found
