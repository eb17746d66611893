"""The stage and what stands round it, as HTML: the line above all, the picture with its tools, messages, history, files to save.

No values of any work are in it: the page's scripts fill it with what they are told.
"""

from html import escape

from ldznet_ext.app import strings
from ldznet_ext.app.icons import icon
from ldznet_ext.saving.exports import EXPORTS
from ldznet_ext.saving.names import DEFAULT, PLACEHOLDERS


def head() -> str:
    """The line above all: whose page it is, which model, light or dark, the keys."""
    return (
        f'<header class="ldz-head"><div class="ldz-brand"><b role="heading" aria-level="1">{strings.TITLE}</b>'
        f"<span>{strings.TAGLINE}</span></div>"
        f'<button type="button" class="ldz-pill" id="ldz-model" title="{strings.MODEL}">{icon("model")}'
        f"<span>{strings.NO_MODEL}</span></button>{_button('theme', strings.THEME)}{_button('help', strings.HELP)}</header>"
        f"{_keys()}"
    )


def stage() -> str:
    """The picture, its views above it, its tools below it, what there is to say, the history."""
    return f"""<section class="ldz-stage" id="ldz-stage">
<div class="ldz-bar">{_views()}<span class="ldz-gap"></span>
{_button("compare", strings.COMPARE)}{_button("undo", strings.UNDO)}{_button("redo", strings.REDO)}
<button type="button" class="ldz-button" data-do="open" aria-label="{strings.OPEN}">{icon("open")}
<span>{strings.OPEN}</span></button>
<input type="file" id="ldz-file" accept="image/*" hidden></div>
<div class="ldz-frame" id="ldz-frame" data-drawn="0"><div class="ldz-inner" id="ldz-inner">
<img id="ldz-picture" alt="{strings.PICTURE}" src="app/assets/example.webp"><canvas id="ldz-over"></canvas>
<div class="ldz-before" id="ldz-before" hidden><img alt=""><i></i></div>
<div class="ldz-cursor" id="ldz-cursor" hidden></div></div>
<div class="ldz-drop">{strings.DROP}</div>
<div class="ldz-wait" id="ldz-wait" role="status" hidden><div><i></i></div><span></span>
<button type="button" data-do="cancel">{strings.CANCEL}</button></div></div>
<div class="ldz-bar ldz-tools">{_tools()}
<label class="ldz-size" title="{strings.SIZE}"><input type="range" id="ldz-brush" aria-label="{strings.SIZE}"
min="3" max="80" value="18"></label>
<label class="ldz-switch" title="{strings.SNAP_HELP}">
<input type="checkbox" id="ldz-snap" checked><span></span>{strings.SNAP}</label>
<span class="ldz-gap"></span>{_button("clear", strings.CLEAR)}</div>
<div class="ldz-message-box" id="ldz-message" aria-live="polite"></div>
<ol class="ldz-history" id="ldz-history" aria-label="{strings.HISTORY}"></ol>
</section>"""


def parts() -> str:
    """The things of the prompt, ranked; filled by the page's scripts."""
    return f'<div class="ldz-parts" id="ldz-parts" role="group" aria-label="{strings.PARTS}"></div>'


def presets() -> str:
    """Presets of the shape, those that come with the app and a person's own."""
    return (
        f'<div class="ldz-presets" id="ldz-presets" role="group" aria-label="{strings.PRESETS}"></div>'
        f'<form class="ldz-keep" id="ldz-keeping" hidden><input type="text" maxlength="24" placeholder="{strings.PRESET_NAME}" '
        f'aria-label="{strings.PRESET_NAME}"><button class="ldz-button">{strings.PRESET_SAVE}</button></form>'
    )


def details(name: str, title: str, inner: str) -> str:
    """Controls that are seldom needed, folded away."""
    return (
        f'<details class="ldz-details" id="{name}"><summary>{title}</summary>'
        f'<div class="ldz-controls">{inner}</div></details>'
    )


def alike() -> str:
    """Two ways to ask for more of what the mask shows."""
    return f"""<div class="ldz-alike"><p class="ldz-hint">{strings.ALIKE_HELP}</p>
<button type="button" class="ldz-button" data-do="alike">{strings.ALIKE_DO}</button>
<button type="button" class="ldz-button" data-do="alikeIn">{strings.ALIKE_OTHERS}</button>
<input type="file" id="ldz-files" accept="image/*" multiple hidden></div>"""


def save() -> str:
    """A link for every export, the pattern of their names, and the recipe."""
    placeholders = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS if name not in ("number", "kind"))
    links = "".join(
        f'<a class="ldz-file" data-save="{kind}" download href="#">{icon("save")}<span>{escape(export.label)}</span></a>'
        for kind, export in EXPORTS.items()
    )
    return f"""<div class="ldz-save"><label class="ldz-name" title="{escape(placeholders)}">{strings.SAVE_NAME}
<input type="text" id="ldz-pattern" value="{escape(DEFAULT)}" spellcheck="false"></label>{links}
<details class="ldz-recipe" id="ldz-recipe"><summary>{strings.RECIPE}</summary><p>{strings.RECIPE_HELP}</p><pre></pre>
<button type="button" class="ldz-button" data-do="copy">{icon("copy")}<span>{strings.COPY}</span></button></details></div>"""


def _views() -> str:
    buttons = "".join(
        f'<button type="button" role="radio" data-view="{name}" aria-checked="{str(name == "overlay").lower()}">{label}</button>'
        for name, label in strings.VIEWS.items()
    )
    return f'<div class="ldz-views" role="radiogroup" aria-label="{strings.VIEW}">{buttons}</div>'


def _tools() -> str:
    buttons = "".join(
        f'<button type="button" role="radio" data-tool="{name}" title="{escape(label)}" aria-label="{escape(label)}" '
        f'aria-checked="{str(name == "pick").lower()}">{icon(name)}</button>'
        for name, label in strings.TOOLS.items()
    )
    return f'<div class="ldz-toolbox" role="radiogroup" aria-label="{strings.TOOL}">{buttons}</div>'


def _button(name: str, label: str) -> str:
    return (
        f'<button type="button" class="ldz-button ldz-bare" data-do="{name}" title="{label}" aria-label="{label}">'
        f"{icon(name)}</button>"
    )


def _keys() -> str:
    rows = "".join(f"<dt>{escape(key)}</dt><dd>{escape(what)}</dd>" for key, what in strings.KEYS)
    return (
        f'<dialog class="ldz-keys" id="ldz-keys"><form method="dialog"><h2>{strings.HELP}</h2><dl>{rows}</dl>'
        f'<button class="ldz-button ldz-bare" aria-label="{strings.CLOSE}">{icon("close")}</button></form></dialog>'
    )
