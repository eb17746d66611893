"""The hosts' two components that extensions use: the small button, and the accordion whose value is a tick."""

from typing import Any

import gradio as gr


class FormRow(gr.Row):
    """A row."""

    def get_block_name(self) -> str:
        return "row"


class FormColumn(gr.Column):
    """A column."""

    def get_block_name(self) -> str:
        return "column"


class FormGroup(gr.Group):
    """A group."""

    def get_block_name(self) -> str:
        return "group"


class FormHTML(gr.HTML):
    """HTML."""

    def get_block_name(self) -> str:
        return "html"


class ToolButton(gr.Button):
    """A small button with a picture for a text."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        classes = kwargs.pop("elem_classes", [])
        tooltip = kwargs.pop("tooltip", None)
        super().__init__(*args, elem_classes=["tool", *classes], **kwargs)
        self.tooltip = tooltip

    def get_block_name(self) -> str:
        return "button"


class InputAccordion(gr.Checkbox):
    """An accordion that is open while its tick is set; the page's script ties the two together by their ids."""

    global_index = 0

    def __init__(self, value: bool, **kwargs: Any) -> None:
        self.accordion_id = kwargs.get("elem_id") or f"input-accordion-{InputAccordion.global_index}"
        InputAccordion.global_index += 1
        label = kwargs.pop("label", "")
        kwargs = {**kwargs, "elem_id": f"{self.accordion_id}-checkbox", "visible": False}
        super().__init__(value, **kwargs)
        self.change(fn=None, _js=f'function(on){{ pocket.accordion("{self.accordion_id}", on); }}', inputs=[self])
        self.accordion = gr.Accordion(label, open=value, elem_id=self.accordion_id, elem_classes=["input-accordion"])

    def extra(self) -> gr.Column:
        """A place in the title's row."""
        return gr.Column(elem_id=f"{self.accordion_id}-extra", elem_classes=["input-accordion-extra"], min_width=0)

    def __enter__(self) -> "InputAccordion":
        self.accordion.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self.accordion.__exit__(*error)

    def get_block_name(self) -> str:
        return "checkbox"
