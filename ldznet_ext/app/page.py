"""The app's page: what stands where, and what its buttons ask for. Components and wiring alone; see `asking` for what happens.

The stage, the sliders and all that must act at once are ours (`stage`, `controls`, assets/*.js) and talk to `routes`; what asks
the model goes through Gradio's events.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gradio as gr

from ldznet_ext.app import asking, controls, stage, strings
from ldznet_ext.app.actions import show
from ldznet_ext.app.example import Example
from ldznet_ext.app.room import Room
from ldznet_ext.app.routes import ASSETS
from ldznet_ext.app.theme import theme
from ldznet_ext.sampling import DEFAULT_GUIDANCE, DEFAULT_STEPS
from ldznet_ext.ui.desk import about_of, methods_of

if TYPE_CHECKING:
    from fastapi import FastAPI

HEAD = """<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="app/assets/icon.svg" type="image/svg+xml">
<script>window.ldzSays = {says}; window.ldz = {{asking: (...v) => v, told: a => {{ window.ldzTold = a }}}};</script>
<script type="module" src="app/assets/desk.js"></script>"""


def mount_page(app: "FastAPI", room: Room, example: Example) -> None:
    """Put the page at / of an application."""
    css = (ASSETS / "app.css").read_text(encoding="utf-8")
    says = json.dumps({**strings.for_browser(), "defaults": controls.defaults()}).replace("<", "\\u003c")
    gr.mount_gradio_app(
        app,
        page(room, example),
        path="/",
        theme=theme(),
        css=css,
        head=HEAD.format(says=says),
        footer_links=[],
        ssr_mode=False,
        show_error=False,
        favicon_path=str(ASSETS / "icon.svg"),
        max_file_size=1,  # byte: Gradio would write what is sent to it to the disk, and no component here takes a file
    )


def page(room: Room, example: Example) -> gr.Blocks:
    """Everything on it."""
    with gr.Blocks(title=strings.TITLE, analytics_enabled=False, fill_width=True) as blocks:
        gr.HTML(stage.head(), elem_id="ldz-top")
        handle, answer = gr.Textbox(visible=False), gr.JSON(visible=False)
        wires = Wires(room, handle, answer)
        with gr.Row(elem_id="ldz-desk"):
            with gr.Column(elem_id="ldz-left", min_width=0):
                gr.HTML(stage.stage())
            with gr.Column(elem_id="ldz-right", min_width=0):
                _words(wires)
                _shape(room)
                _repaint(wires)
                _generate(wires)
                with gr.Accordion(strings.ALIKE, open=False, elem_id="ldz-likeness"):
                    gr.HTML(stage.alike())
                with gr.Accordion(strings.SAVE, open=True, elem_id="ldz-saving"):
                    gr.HTML(stage.save())
                models = _model(wires)

        def begin() -> tuple[str, dict[str, Any]]:
            fresh = room.open(example.work())
            return fresh, {**show(room, fresh), "preparing": not example.ready.is_set()}

        wires.told(blocks.load(begin, None, [handle, answer], show_progress="hidden"))
        # what was put into the folders since the start is there as soon as the page is loaded anew
        blocks.load(
            lambda: gr.Dropdown(**_listed(room)), None, [models], show_progress="hidden", api_name="list_models"
        )
    blocks.queue(default_concurrency_limit=None)
    return blocks


@dataclass(frozen=True)
class Wires:
    """Between a button and what it asks for: the page's handle goes along, the answer goes to the page's scripts."""

    room: Room
    handle: gr.Textbox
    answer: gr.JSON

    def ask(self, events: Sequence[Any], do: Callable[..., dict[str, Any]], inputs: Sequence[Any], name: str) -> None:
        """Call do(room, handle, *values) when any of the events happens; its progress and cancel are the page's own."""

        def called(handle: str, *values: Any) -> dict[str, Any]:
            return do(self.room, handle, *values)

        for event in events:
            asked = event(
                called,
                [self.handle, *inputs],
                [self.answer],
                js="(...values) => ldz.asking(...values)",
                show_progress="hidden",
                concurrency_limit=None,
                api_name=name,
            )
            self.told(asked)

    def told(self, asked: Any) -> None:
        """Give what was answered to the page's scripts."""
        asked.then(None, [self.answer], None, js="answer => { ldz.told(answer) }", show_progress="hidden")


def _words(wires: Wires) -> None:
    with gr.Group(elem_id="ldz-asking"):
        words = gr.Textbox(
            label=strings.WORDS, placeholder=strings.WORDS_EXAMPLE, lines=1, max_lines=1, elem_id="ldz-words"
        )
        find = gr.Button(strings.FIND, variant="primary", elem_id="ldz-find", min_width=0)
    wires.ask([find.click, words.submit], asking.find, [words], "find")
    gr.HTML(stage.parts())
    with gr.Accordion(strings.PROMPT, open=False, elem_id="ldz-naming"):
        prompt = gr.Textbox(
            label=strings.PROMPT,
            show_label=False,
            placeholder=strings.PROMPT_EXAMPLE,
            lines=2,
            elem_id="ldz-prompt",
        )
        look = gr.Button(strings.LOOK, elem_id="ldz-look", min_width=0)
    wires.ask([look.click, prompt.submit], asking.parts, [prompt], "parts")


def _shape(room: Room) -> None:
    with gr.Accordion(strings.SHAPE, open=True, elem_id="ldz-shaping"):
        # in plain details, not in accordions of Gradio's: what is in those is not there before they are opened
        gr.HTML(
            stage.presets()
            + f'<div class="ldz-controls">{controls.first()}</div>'
            + stage.details("ldz-more", strings.SHAPE_MORE, controls.more())
            + stage.details("ldz-how", strings.MORE, controls.asked(methods_of(about_of(room.desk))))
        )


def _repaint(wires: Wires) -> None:
    with gr.Accordion(strings.REPAINT, open=False, elem_id="ldz-repainting"):
        prompt = gr.Textbox(
            label=strings.REPAINT_PROMPT, placeholder=strings.REPAINT_EXAMPLE, lines=1, elem_id="ldz-repaint-prompt"
        )
        strength = gr.Slider(0.05, 1.0, 1.0, step=0.05, label=strings.STRENGTH, elem_id="ldz-strength")
        negative, seed, steps = _sampling("ldz-repaint")
        with gr.Row(elem_classes=["ldz-twice"]):
            do = gr.Button(strings.REPAINT_DO, variant="primary", elem_id="ldz-repaint", min_width=0, scale=3)
            again = gr.Button(strings.ANOTHER, elem_id="ldz-another", min_width=0, scale=1)
    values = [prompt, negative, seed, steps, strength]
    wires.ask([do.click, prompt.submit], _repainted, values, "repaint")
    another = again.click(
        lambda seed: int(seed or 0) + 1, [seed], [seed], show_progress="hidden", api_name="another_seed"
    )
    wires.ask([another.then], _repainted, values, "repaint_another")


def _generate(wires: Wires) -> None:
    with gr.Accordion(strings.GENERATE, open=False, elem_id="ldz-generating"):
        prompt = gr.Textbox(
            label=strings.GENERATE_PROMPT, placeholder=strings.GENERATE_EXAMPLE, lines=2, elem_id="ldz-generate-prompt"
        )
        guidance = gr.Slider(1, 15, DEFAULT_GUIDANCE, step=0.5, label=strings.GUIDANCE, elem_id="ldz-guidance")
        negative, seed, steps = _sampling("ldz-generate")
        do = gr.Button(strings.GENERATE_DO, variant="primary", elem_id="ldz-generate")
    wires.ask([do.click, prompt.submit], _generated, [prompt, negative, seed, steps, guidance], "generate")


def _sampling(prefix: str) -> tuple[gr.Textbox, gr.Number, gr.Slider]:
    with gr.Row(elem_classes=["ldz-pair"]):
        seed = gr.Number(0, label=strings.SEED, precision=0, minimum=0, elem_id=f"{prefix}-seed", min_width=0)
        steps = gr.Slider(1, 100, DEFAULT_STEPS, step=1, label=strings.STEPS, elem_id=f"{prefix}-steps", min_width=0)
    negative = gr.Textbox(label=strings.NEGATIVE, lines=1, elem_id=f"{prefix}-negative")
    return negative, seed, steps


def _model(wires: Wires) -> gr.Dropdown:
    with gr.Accordion(strings.MODEL, open=False, elem_id="ldz-models"):
        model = gr.Dropdown(**_listed(wires.room), label=strings.MODEL, show_label=False, elem_id="ldz-choose")
        gr.HTML(f'<p class="ldz-hint">{strings.LOAD_HELP}</p>')
        do = gr.Button(strings.LOAD, elem_id="ldz-load")
    wires.ask([do.click], asking.load, [model], "load")
    return model


def _listed(room: Room) -> dict[str, Any]:
    """The models there are now, each with its size; chosen is the one that is loaded."""
    models = room.desk.models()
    listed = [(f"{each.name}  ({each.bytes / 1e6:,.0f} MB)", each.name) for each in models]
    chosen = next((each.name for each in models if each.loaded), listed[0][1] if listed else None)
    return {"choices": listed, "value": chosen}


def _repainted(room: Room, handle: str, prompt: str, negative: str, seed: float, steps: float, strength: float) -> Any:
    return asking.repaint(
        room, handle, prompt, negative=negative, seed=int(seed or 0), steps=int(steps), strength=strength
    )


def _generated(room: Room, handle: str, prompt: str, negative: str, seed: float, steps: float, guidance: float) -> Any:
    return asking.generate(
        room, handle, prompt, negative=negative, seed=int(seed or 0), steps=int(steps), guidance=guidance
    )
