"""The controls of a mask's settings as HTML, one for each row of the table of options: a new row appears by itself.

The page's own, not Gradio's: a slider acts while it is dragged, without a round trip through a queue.
"""

from collections.abc import Iterable, Sequence
from html import escape

from ldznet_ext.app import strings
from ldznet_ext.request import CHOICE, FLAG, OPTION, OPTIONS, TEXT, Option

ASKS = ("method", "refine", "sam", "seed", "timestep", "average", "parity")
"""Settings that the model is asked with: they count from the next answer on."""
FIRST = ("threshold", "grow", "feather", "invert")
"""Of the others, those that are always in sight."""
RANGES = {"grow": (-40, 40), "feather": (0, 24), "islands": (0, 4000), "keep": (0, 12), "average": (1, 16)}
"""How far a slider goes where the table goes farther: a number typed beside it may be any that is taken."""
LABELS = {
    "fixed": "Threshold",
    "automatic": "Automatic",
    "hysteresis": "Two thresholds",
}


def first() -> str:
    """The settings that act at once and are always in sight."""
    return _all(OPTION[name] for name in FIRST)


def more() -> str:
    """The other settings that act at once."""
    return _all(each for each in OPTIONS if each.kind != TEXT and each.name not in (*FIRST, *ASKS))


def asked(methods: Sequence[tuple[str, str]]) -> str:
    """The settings that the model is asked with; methods: labels and names of those there are."""
    return _all((OPTION[name] for name in ASKS), methods)


def defaults() -> dict[str, object]:
    """The settings that act at once as the controls hold them when nothing was changed."""
    return {each.name: each.to_widget(each.default) for each in OPTIONS if each.name not in ("words", *ASKS)}


def control(option: Option, methods: Sequence[tuple[str, str]] = ()) -> str:
    """One setting: label, control, its present value, and in a tooltip what it means."""
    if option.kind == FLAG:
        return _switch(option)
    if option.kind == CHOICE:
        return _choice(option, methods)
    return _slider(option) if option.high is not None and option.high <= 1e9 else _number(option)


def _all(options: Iterable[Option], methods: Sequence[tuple[str, str]] = ()) -> str:
    return "".join(control(option, methods) for option in options)


def _slider(option: Option) -> str:
    low, high = RANGES.get(option.name, (option.low, option.high))
    if option.unset is not None:
        low = min(low or 0, option.unset)
    step = f'step="{option.step or 1:g}"'
    unset = "" if option.unset is None else f' data-unset="{option.unset:g}"'
    value = f'value="{option.to_widget(option.default):g}"'
    return (
        f'<div class="ldz-slider"{_named(option)}{unset}><label for="ldz-set-{option.name}">{escape(option.label)}</label>'
        f'<input type="range" id="ldz-set-{option.name}" min="{low:g}" max="{high:g}" {step} {value}>'
        f'<input type="number" min="{min(low or 0, option.low or 0):g}" max="{option.high:g}" {step} {value} '
        f'aria-label="{escape(option.label)}">{_auto(option)}</div>'
    )


def _auto(option: Option) -> str:
    if option.unset is None:
        return ""
    return f'<button type="button" class="ldz-auto" data-auto aria-pressed="true">{escape(strings.AUTO)}</button>'


def _number(option: Option) -> str:
    return (
        f'<div class="ldz-number"{_named(option)}><label for="ldz-set-{option.name}">{escape(option.label)}</label>'
        f'<input type="number" id="ldz-set-{option.name}" step="1" value="{option.default}"></div>'
    )


def _switch(option: Option) -> str:
    checked = " checked" if option.default else ""
    return (
        f'<label class="ldz-switch"{_named(option)}><input type="checkbox" id="ldz-set-{option.name}"{checked}>'
        f"<span></span>{escape(option.label)}</label>"
    )


def _choice(option: Option, methods: Sequence[tuple[str, str]]) -> str:
    given = [(LABELS.get(name, name.capitalize()), name) for name in option.choices] or list(methods)
    options = "".join(
        f'<option value="{escape(name)}"{" selected" if name == option.default else ""}>{escape(label)}</option>'
        for label, name in given
    )
    return (
        f'<div class="ldz-choice"{_named(option)}><label for="ldz-set-{option.name}">{escape(option.label)}</label>'
        f'<select id="ldz-set-{option.name}">{options}</select></div>'
    )


def _named(option: Option) -> str:
    return f' data-option="{option.name}" title="{escape(option.help[:1].upper() + option.help[1:])}"'
