"""Single components of the panel: the widget of a row of the table, a line of text, a button beside it, a choice with labels."""

from collections.abc import Sequence
from typing import Any

import gradio as gr

from ldznet_ext.job import KEEP, NOUNS, SKIP, WORDS
from ldznet_ext.request import AUTOMATIC, CHOICE, FIXED, FLAG, HYSTERESIS, TEXT, Option
from ldznet_ext.ui.compat import quiet

SLIDERS = ("threshold", "grow", "feather")
FINER = (("cut", "low"), ("islands", "keep"), ("holes", "soft", "alpha"))
"""Settings that seldom matter, in rows; they stand under "More"."""
CUTS = (*SLIDERS, "invert", *(name for row in FINER for name in row))
"""Settings that need no model."""
Labelled = Sequence[tuple[str, str]]
"""What a person reads of a choice, and its value."""
AUTO: Labelled = (("Automatic", "auto"),)
CHOICES: dict[str, Labelled] = {
    "cut": (("the threshold", FIXED), ("the map's own values", AUTOMATIC), ("two thresholds", HYSTERESIS)),
    "source": (("the words", WORDS), ("each thing the prompt names", NOUNS)),
    "not_found": (("keep the picture, with an empty mask", KEEP), ("leave it out", SKIP)),
}
"""What a person reads of the choices that are no methods."""


def widget(option: Option, prefix: str, methods: Labelled = AUTO, **more: Any) -> Any:
    """The component of a row of the table."""
    automatic = "" if option.unset is None else f" ({option.unset:g}: auto)"
    name = {"label": option.label + automatic, "elem_id": f"{prefix}_{option.name}"}
    value = option.to_widget(option.default)
    if option.kind == TEXT:
        return quiet(gr.Textbox(value=value, lines=1, **name, **more))
    if option.kind == FLAG:
        return quiet(gr.Checkbox(value=value, **name, **more))
    if option.kind == CHOICE:
        # no drop-down list: Gradio 3 gives its choices no labels
        return quiet(gr.Radio(choices=list(CHOICES.get(option.name, methods)), value=value, **name, **more))
    if option.high is None or option.high > 1e6:
        return quiet(gr.Number(value=value, precision=0, **name, **more))
    low = min(each for each in (option.low, option.unset) if each is not None)
    more.setdefault("min_width", 200)
    return quiet(gr.Slider(minimum=low, maximum=option.high, step=option.step, value=value, **name, **more))


def line(elem_id: str, placeholder: str) -> Any:
    """One line of text that says itself what it is for."""
    return quiet(
        gr.Textbox(
            label=placeholder,
            show_label=False,
            container=False,
            lines=1,
            scale=6,
            elem_id=elem_id,
            placeholder=placeholder,
        )
    )


def small_primary(text: str, elem_id: str, variant: Any = "primary") -> Any:
    """A button as high as the line beside it."""
    return quiet(gr.Button(text, variant=variant, size="sm", scale=1, min_width=110, elem_id=elem_id))
