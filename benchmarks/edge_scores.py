"""What `benchmarks/edges.py` measures: soft alpha, halos, the gain of edge refinement, and what each costs."""

import json
import statistics
import time
import tracemalloc
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from benchmarks.edge_cases import Case
from ldznet_ext.eval.counts import boundary_iou
from ldznet_ext.geometry import Size
from ldznet_ext.masks.foreground import foreground
from ldznet_ext.masks.local import evaluated, fitted, guide
from ldznet_ext.masks.matting import alpha, band_of
from ldznet_ext.masks.prompted import iou
from ldznet_ext.masks.refine import ROUNDS, prepare, refine

SCENES = Path(__file__).resolve().parent.parent / "tests" / "data" / "sticker_test"
MAGENTA = (255, 0, 255)
GRADIENT = 1.4
"""Deviation of the Gaussian whose derivative the gradient error compares, as the matting benchmarks have it."""

Row = dict[str, float | str]
Softener = Callable[[np.ndarray, np.ndarray], np.ndarray]


def feathered(_: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The mask blurred by one pixel, picture unseen."""
    return cv2.GaussianBlur(mask, (0, 0), 1)


def guided(picture: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The guided filter over windows as wide as the band, in the band."""
    size = Size(*mask.shape)
    band = band_of(size)
    local = guide(picture, size, radius=band, eps=1e-6)
    share = np.clip(evaluated(fitted(mask / np.float32(255), local), local.small), 0, 1)
    near = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * band + 1,) * 2)
    inside = cv2.dilate(mask, near) != cv2.erode(mask, near)
    return np.where(inside, np.rint(share * 255), mask).astype(np.uint8)


SOFTENERS: dict[str, Softener] = {
    "hard mask": lambda _, mask: mask,
    "blurred by a pixel": feathered,
    "guided filter": guided,
    "closed form (ours)": alpha,
}


def fused(picture: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Foreground colours by blurred fusion, twice (Forte 2021): what the multi-level way is compared with."""
    seen, part = picture.astype(np.float32) / 255, share[..., None].astype(np.float32) / 255
    front, ground = seen, seen
    for side in (90, 6):
        weight = cv2.blur(part, (side, side))[..., None]
        front = cv2.blur(front * part, (side, side)) / (weight + 1e-5)
        ground = cv2.blur(ground * (1 - part), (side, side)) / (1 - weight + 1e-5)
        front = np.clip(front + part * (seen - part * front - (1 - part) * ground), 0, 1)
    return np.rint(front * 255).astype(np.uint8)


OWN = "the picture's own"
COLOURS: dict[str, Softener] = {
    OWN: lambda picture, _: picture,
    "blurred fusion": fused,
    "multi-level (ours)": foreground,
}


def alpha_rows(cases: list[Case]) -> Iterator[Row]:
    """Errors of alpha by kind of thing and by mask: mean over the pictures."""
    for given, mask_of in (("true mask", Case.hard), ("32-cell mask", Case.coarse)):
        masks = [mask_of(case) for case in cases]
        for method, soften in SOFTENERS.items():
            found = [soften(case.picture, mask) for case, mask in zip(cases, masks, strict=True)]
            for kind in ("hair", "soft", "art"):
                errors = [
                    alpha_errors(share / 255, case.alpha)
                    for share, case in zip(found, cases, strict=True)
                    if case.thing.kind == kind
                ]
                yield {"mask": given, "method": method, "kind": kind, **_means(errors)}


def alpha_errors(found: np.ndarray, true: np.ndarray) -> dict[str, float]:
    """sad: sum of differences, thousands of pixels. mse: mean square over the picture, x 1000. gradient: squares of
    what slopes differ by, summed."""
    away = found - true
    slopes = _slope(found) - _slope(true)
    return {
        "sad": float(np.abs(away).sum() / 1000),
        "mse": float((away**2).mean() * 1000),
        "gradient": float((slopes**2).sum()),
    }


def halo_rows(cases: list[Case]) -> Iterator[Row]:
    """Mean colour error, 0-255, of cut-outs laid on magenta, where a halo would be; the mask given is the true one."""
    shares = {name: [soften(case.picture, case.hard()) for case in cases] for name, soften in SOFTENERS.items()}
    shares["true alpha"] = [np.rint(case.alpha * 255).astype(np.uint8) for case in cases]
    for method in ("hard mask", "blurred by a pixel", "closed form (ours)", "true alpha"):
        for colours, paint in COLOURS.items():
            if method == "hard mask" and paint is not COLOURS[OWN]:
                continue  # nothing of it is half covered, so all are the same
            errors: dict[str, list[float]] = defaultdict(list)
            for case, share in zip(cases, shares[method], strict=True):
                errors[case.thing.kind].append(halo(case, share, paint(case.picture, share)))
            everything = [error for kind in errors.values() for error in kind]
            by_kind = {kind: statistics.fmean(found) for kind, found in errors.items()}
            yield {"alpha": method, "colours": colours, **by_kind, "all": statistics.fmean(everything)}


def halo(case: Case, share: np.ndarray, colours: np.ndarray) -> float:
    """Of one cut-out."""
    return float(np.abs(on(share, colours) - case.on(MAGENTA))[case.edge()].mean())


def on(share: np.ndarray, colours: np.ndarray, ground: tuple[int, int, int] = MAGENTA) -> np.ndarray:
    """A cut-out on a plain ground, float (h w 3)."""
    part = share[..., None] / 255
    return part * colours + (1 - part) * np.array(ground, float)


def refinement_rows(model: str | None = None) -> Iterator[Row]:
    """IoU and boundary IoU of masks over the test scenes with refinement off and on: the model's maps, degraded true ones."""
    yield from _compared("the model's maps", _maps_of_the_model(model))
    for cells in (16, 32, 64):
        yield from _compared(f"true maps of {cells} cells", _degraded(cells))


Map = tuple[np.ndarray, np.ndarray, np.ndarray, float]
"""Picture, map (float32 h w), truth (bool h w) and the threshold of the map."""


def _compared(maps: str, found: Iterator[Map]) -> Iterator[Row]:
    scores: dict[int, list[tuple[float, float]]] = defaultdict(list)
    for picture, prob, truth, threshold in found:
        prepared = prepare(picture)
        for rounds in (0, 1, 2, ROUNDS):
            sharp = refine(prob, prepared, rounds=rounds) if rounds else prob
            mask = sharp > threshold
            scores[rounds].append((iou(mask, truth), boundary_iou(mask, truth)))
    for rounds, pairs in scores.items():
        overlaps, edges = zip(*pairs, strict=True)
        shown = "off" if not rounds else f"{rounds} round{'s' * (rounds > 1)}"
        mean = {"iou": statistics.fmean(overlaps), "boundary_iou": statistics.fmean(edges)}
        yield {"maps": maps, "refinement": shown, "masks": len(pairs), **mean}


def _maps_of_the_model(model: str | None) -> Iterator[Map]:
    from ldznet_ext.backbone import load_backbone
    from ldznet_ext.pipeline import segment

    backbone = load_backbone(model)
    for picture, truths in _scenes():
        result = segment(picture, [f'"{phrase}"' for phrase in truths], backbone=backbone, refine=False)
        threshold = result.provenance["mask_threshold"]
        for one, truth in zip(result.phrases, truths.values(), strict=True):
            yield picture, one.prob, truth, threshold


def _degraded(cells: int) -> Iterator[Map]:
    for picture, truths in _scenes():
        for truth in truths.values():
            small = cv2.resize(truth.astype(np.float32), (cells, cells), interpolation=cv2.INTER_AREA)
            small = cv2.GaussianBlur(small, (3, 3), 0)
            yield picture, cv2.resize(small, truth.shape[::-1], interpolation=cv2.INTER_LINEAR), truth, 0.5


def _scenes() -> Iterator[tuple[np.ndarray, dict[str, np.ndarray]]]:
    """Each test scene: its picture, and of each of its phrases that is there and names an object the true mask."""
    from ldznet_ext.masks.given import read_mask
    from ldznet_ext.masks.imaging import load_picture

    phrases: dict[str, dict[str, str]] = defaultdict(dict)
    for line in (SCENES / "annotations.jsonl").read_text(encoding="utf-8").splitlines():
        asked = json.loads(line)
        if asked.get("mask") and asked["kind"] == "object":
            phrases[asked["image"]][asked["phrase"]] = asked["mask"]
    for image, masks in phrases.items():
        picture = load_picture(SCENES / image)
        size = Size(*picture.shape[:2])
        yield picture, {phrase: read_mask(SCENES / mask, size) for phrase, mask in masks.items()}


def cost_rows(case: Case) -> Iterator[Row]:
    """Seconds of processor time, and megabytes asked for beyond picture and mask, of alpha and of colours at several sizes."""
    for size in (Size(512, 512), Size(1024, 1536), Size(4000, 6000)):
        picture = cv2.resize(case.picture, size[::-1], interpolation=cv2.INTER_CUBIC)
        cover = cv2.resize(case.alpha, size[::-1], interpolation=cv2.INTER_LINEAR)
        mask = (cover > 0.5).astype(np.uint8) * np.uint8(255)
        share = alpha(picture, mask)
        yield {
            "size": f"{size.height}x{size.width}",
            **_cost("alpha", partial(alpha, picture, mask), runs=3 if size.area < 2e6 else 1),
            **_cost("colours", partial(foreground, picture, share), runs=3 if size.area < 2e6 else 1),
        }


def _cost(name: str, work: Callable[[], object], *, runs: int) -> Row:
    """Of the quickest of several runs, and of one that is watched."""
    seconds = min(_seconds(work) for _ in range(runs))
    return {f"{name}_seconds": seconds, f"{name}_mb": _megabytes(work)}


def _seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def _megabytes(work: Callable[[], object]) -> float:
    tracemalloc.start()
    work()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak / 1e6


def _slope(array: np.ndarray) -> np.ndarray:
    steps = np.arange(-5, 6)
    bell = np.exp(-(steps**2) / (2 * GRADIENT**2))
    bell /= bell.sum()
    rise = -steps / GRADIENT**2 * bell
    array = array.astype(np.float64)
    return np.hypot(cv2.sepFilter2D(array, -1, rise, bell), cv2.sepFilter2D(array, -1, bell, rise))


def _means(errors: list[dict[str, float]]) -> dict[str, float]:
    return {name: statistics.fmean(one[name] for one in errors) for name in errors[0]}
