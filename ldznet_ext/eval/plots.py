"""The report's pictures: bars with intervals, precision over recall, mIoU over the threshold, and the grid of masks.

Drawn with matplotlib's object interface, so that no global state and no display is touched.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's palette: told apart with every kind of colour vision.
COLOURS = {
    "RGBNet": "#E69F00",
    "ZNet": "#56B4E9",
    "LD-ZNet": "#009E73",
    "concatenation": "#CC79A7",
    "colour threshold": "#999999",
    "position prior": "#555555",
    "attention": "#0072B2",
    "MaskDiffusion": "#D55E00",
    "noise difference": "#F0E442",
    "shipped LD-ZNet": "#009E73",
}
_OTHER = "#0072B2"
_TINT = np.array([255, 40, 90], np.float32)
_DPI = 110

Interval = tuple[float, float, float]
"""A value with the ends of its interval."""


@dataclass(frozen=True, kw_only=True)
class GridRow:
    """One row of the grid: a picture (uint8 h w 3), the phrase, the truth and each network's mask (bool h w)."""

    picture: np.ndarray
    phrase: str
    truth: np.ndarray
    masks: Mapping[str, np.ndarray]
    ious: Mapping[str, float]


def bars(path: Path, groups: Sequence[str], series: Mapping[str, Sequence[Interval | None]], label: str) -> None:
    """Draw a cluster of bars a group and a bar a series, with intervals; None leaves a gap that says so."""
    figure, axes = _figure(max(6.0, 1.5 * len(groups) + 1.5), 3.6)
    width = 0.8 / max(1, len(series))
    for place, (name, values) in enumerate(series.items()):
        shown = [(at + (place - (len(series) - 1) / 2) * width, value) for at, value in enumerate(values)]
        known = [(x, value) for x, value in shown if value is not None]
        heights = [value[0] for _, value in known]
        errors = [[value[0] - value[1] for _, value in known], [value[2] - value[0] for _, value in known]]
        xs = [x for x, _ in known]
        axes.bar(xs, heights, width * 0.92, color=COLOURS.get(name, _OTHER), label=name)
        axes.errorbar(xs, heights, yerr=np.maximum(errors, 0), fmt="none", ecolor="#222222", elinewidth=1, capsize=2)
        for x, value in shown:
            if value is None:
                axes.text(x, 0.01, "not run", rotation=90, ha="center", va="bottom", fontsize=7, color="#777777")
    axes.set_xticks(range(len(groups)), groups)
    axes.set_ylim(0, 1)
    axes.set_ylabel(label)
    axes.legend(ncols=3, fontsize=8, frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    _save(figure, path)


def ranking(path: Path, values: Mapping[str, Interval], label: str, marked: str) -> None:
    """Draw a bar a name, one below the other in their order, with intervals; a line where the `marked` one ends."""
    figure, axes = _figure(6.4, 0.26 * len(values) + 0.9)
    names = list(values)[::-1]
    heights = [values[name][0] for name in names]
    errors = [
        [values[name][0] - values[name][1] for name in names],
        [values[name][2] - values[name][0] for name in names],
    ]
    axes.barh(names, heights, 0.7, color=[COLOURS["ZNet"] if name == marked else _OTHER for name in names])
    axes.errorbar(heights, names, xerr=np.maximum(errors, 0), fmt="none", ecolor="#222222", elinewidth=1, capsize=2)
    if marked in values:
        axes.axvline(values[marked][0], color="#777777", linewidth=0.8, linestyle="--")
    axes.tick_params(axis="y", labelsize=8)
    axes.set_xlim(0, 1)
    axes.set_xlabel(label)
    _save(figure, path)


def precision_recall(path: Path, curves: Mapping[str, tuple[Sequence[float], Sequence[float], float | None]]) -> None:
    """Draw precision over recall, pixel by pixel; a curve is (recall, precision, average precision)."""
    figure, axes = _figure(5.2, 4.2)
    for name, (recall, precision, area) in curves.items():
        label = name if area is None else f"{name} ({area:.3f})"
        axes.plot(recall, precision, color=COLOURS.get(name, _OTHER), label=label, linewidth=1.6)
    axes.set(xlabel="recall of pixels", ylabel="precision of pixels", xlim=(0, 1), ylim=(0, 1.01))
    axes.legend(fontsize=8, frameon=False, loc="lower left", title="average precision", title_fontsize=8)
    _save(figure, path)


def miou_by_threshold(path: Path, thresholds: Sequence[float], curves: Mapping[str, Sequence[float]]) -> None:
    """Draw mIoU over the threshold, with the best one marked."""
    figure, axes = _figure(5.2, 3.8)
    for name, values in curves.items():
        colour = COLOURS.get(name, _OTHER)
        best = int(np.argmax(values))
        axes.plot(thresholds, values, color=colour, label=f"{name} (best at {thresholds[best]:.2f})", linewidth=1.6)
        axes.plot(thresholds[best], values[best], "o", color=colour, markersize=4)
    axes.set(xlabel="threshold", ylabel="mIoU", xlim=(0, 1), ylim=(0, 1))
    axes.legend(ncols=2, fontsize=8, frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    _save(figure, path)


def grid(path: Path, rows: Sequence[GridRow]) -> None:
    """Draw a row a phrase: the picture, the truth, then every network's mask with its IoU beneath."""
    from matplotlib.figure import Figure

    names = list(rows[0].masks)
    columns = 2 + len(names)
    figure = Figure(figsize=(1.75 * columns, 1.95 * len(rows) + 0.3), dpi=_DPI, layout="constrained")
    cells = figure.subplots(len(rows), columns, squeeze=False)
    for row, axes in zip(rows, cells, strict=True):
        _cell(axes[0], row.picture, f"“{row.phrase}”")
        _cell(axes[1], tinted(row.picture, row.truth), "")
        for name, place in zip(names, axes[2:], strict=True):
            _cell(place, tinted(row.picture, row.masks[name]), f"IoU {row.ious[name]:.2f}")
    for title, axes in zip(("picture", "truth", *names), cells[0], strict=True):
        axes.set_title(title, fontsize=10)
    _save(figure, path)


def tinted(picture: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The picture (uint8 h w 3), dimmed and grey outside the mask (bool h w), tinted inside it."""
    grey = picture.astype(np.float32).mean(axis=2, keepdims=True)
    inside = 0.62 * picture + 0.38 * _TINT
    return np.where(mask[..., None], inside, 0.45 * grey + 90).clip(0, 255).astype(np.uint8)


def _cell(axes: "Axes", picture: np.ndarray, text: str) -> None:
    axes.imshow(picture, interpolation="antialiased")
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_xlabel("\n".join(wrap(text, 30)[:2]), fontsize=7.5, labelpad=2)


def _figure(width: float, height: float) -> "tuple[Figure, Axes]":
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=_DPI, layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    return figure, axes


def _save(figure: "Figure", path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".part")
    figure.savefig(partial, format="png", metadata={"Software": None})
    partial.replace(path)
