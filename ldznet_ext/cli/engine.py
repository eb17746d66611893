"""The engine as the commands call it: each function imports what it needs when it is called, never before."""

import argparse
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

    from ldznet_ext.backbone import Backbone
    from ldznet_ext.batch import Finder
    from ldznet_ext.cli.console import Tick
    from ldznet_ext.like import Instance
    from ldznet_ext.request import MaskSettings
    from ldznet_ext.result import Labelling, Segmentation
    from ldznet_ext.saving.order import Order
    from ldznet_ext.segmenters.example import Marked


def open_backbone(args: argparse.Namespace) -> "Backbone":
    """The diffusion model the options name."""
    from ldznet_ext.backbone import default_backbone, load_backbone
    from ldznet_ext.cli.options import loading

    given = loading(args)
    plain = args.model is None and not any(given.values())
    return default_backbone() if plain else load_backbone(args.model, **given)


def check_method(method: str) -> None:
    """Refuse a method there is not, also where nothing is to be found yet."""
    if method != "auto":  # the methods bring torch with them
        from ldznet_ext.segmenters.methods import check_method as check

        check(method)


def read_picture(path: str) -> "np.ndarray":
    """uint8 (h w 3); needs no model, so that a bad picture is refused at once."""
    from ldznet_ext.masks.imaging import load_picture

    return load_picture(path)


def segment(picture: "np.ndarray", words: Sequence[str], backbone: "Backbone", **settings: Any) -> "Segmentation":
    """`ldznet_ext.segment`."""
    from ldznet_ext.pipeline import segment as run

    return run(picture, list(words), backbone=backbone, **settings)


def apply(result: "Segmentation", settings: "MaskSettings", picture: "np.ndarray") -> "np.ndarray":
    """`ldznet_ext.pipeline.apply`."""
    from ldznet_ext.pipeline import apply as run

    return run(result, settings, picture=picture)


def finder(order: "Order", args: argparse.Namespace) -> "Finder":
    """`ldznet_ext.batch.finder` with the model the options name."""
    from ldznet_ext.batch import finder as run

    return run(order, open_backbone(args))


def as_names(names: str) -> tuple[str, ...]:
    """Names with commas between, checked; needs no model."""
    from ldznet_ext.classes import as_names as split

    return split(names)


def classes(picture: "np.ndarray", names: Sequence[str], backbone: "Backbone", **settings: Any) -> "Labelling":
    """`ldznet_ext.classes`."""
    from ldznet_ext.classes import classes as run

    return run(picture, names, backbone=backbone, **settings)


def mark(picture: "np.ndarray", mask: str) -> "Marked":
    """The picture with the example marked in it; needs no model, so that a bad mask is refused at once."""
    from ldznet_ext.like import mark as run

    return run(picture, mask)


def seeker(marked: "Marked", backbone: "Backbone", **settings: Any) -> "Callable[[np.ndarray], Segmentation]":
    """Finds one example in picture after picture; what was learnt from it stays."""
    from ldznet_ext.like import seek
    from ldznet_ext.segmenters.example import ExampleSegmenter

    segmenter = ExampleSegmenter(marked)
    return lambda picture: seek(segmenter, picture, backbone, **settings)


def instances(result: "Segmentation", marked: "Marked") -> "list[Instance]":
    """`ldznet_ext.like.instances`."""
    from ldznet_ext.like import instances as run

    return run(result, marked)


def generate(
    prompt: str, words: Sequence[str], backbone: "Backbone", tick: "Tick", **settings: Any
) -> "tuple[Image.Image, Segmentation | None]":
    """`ldznet_ext.generate_and_segment`, or the painting alone where there are no words."""
    from ldznet_ext.generate import generate_and_segment, paint

    if not words:
        return paint(prompt, backbone=backbone, progress=tick, **settings), None
    return generate_and_segment(prompt, list(words), backbone=backbone, progress=tick, **settings)


def inpaint(
    picture: "np.ndarray", mask: "np.ndarray", prompt: str, backbone: "Backbone", tick: "Tick", **settings: Any
) -> "Image.Image":
    """`ldznet_ext.inpaint`."""
    from ldznet_ext.inpaint import inpaint as run

    return run(picture, mask, prompt, backbone=backbone, progress=tick, **settings)


def evaluate(data: str, args: argparse.Namespace, tick: "Tick") -> dict[str, Any]:
    """`ldznet_ext.eval.run.evaluate` with the method the options name."""
    from ldznet_ext.eval.run import evaluate as run
    from ldznet_ext.pipeline import segment as find
    from ldznet_ext.prompt.write import quoted
    from ldznet_ext.segmenters.methods import pick_segmenter

    backbone = open_backbone(args)
    segmenter = pick_segmenter(args.method, backbone)

    def one(picture: "np.ndarray", phrases: list[str]) -> "Segmentation":
        literal = [quoted(phrase) for phrase in phrases]  # a data set's phrases are no expressions
        return find(picture, literal, backbone=backbone, method=segmenter, refine=args.refine)

    return run(data, segment=one, limit=args.limit, method=segmenter.name, progress=tick)
