"""What a request is made of: one table of fields a route, by which bodies are read, OpenAPI is written and docs are checked."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Real
from typing import Any

from ldznet_ext.errors import OptionError
from ldznet_ext.request import CHOICE, EXPECTED, FLAG, NUMBER, TEXT, WHOLE, Option, refuse_unknown

TYPES = {TEXT: "string", CHOICE: "string", NUMBER: "number", WHOLE: "integer", FLAG: "boolean"}


@dataclass(frozen=True, kw_only=True)
class Field:
    """One field of a request.

    read: its checked value, or an LdznetError. about: for people. takes: the values in a word, for the docs' table. schema: JSON
    Schema without the default. default: where it is missing, or null where that is taken (`nullable`). costly: pictures are
    unpacked after all else is checked.
    """

    name: str
    read: Callable[[Any], Any] = field(repr=False)
    about: str
    takes: str
    schema: Mapping[str, Any] = field(repr=False)
    default: Any = None
    required: bool = False
    nullable: bool = True
    costly: bool = False

    def to_schema(self) -> dict[str, Any]:
        """JSON Schema; null is the default. Without lists of types, which FastAPI's older OpenAPI does not know."""
        if self.required or not self.nullable:
            return {**self.schema, "description": self.about}
        kept = (
            {}
            if self.default is None
            else {"default": list(self.default) if isinstance(self.default, tuple) else self.default}
        )
        return {"anyOf": [dict(self.schema), {"type": "null"}], "description": self.about, **kept}


def read_fields(body: Any, fields: Sequence[Field]) -> dict[str, Any]:
    """Checked values of all fields; an LdznetError says in a sentence what is wrong with the body."""
    if not isinstance(body, Mapping):
        raise OptionError(
            f"The request is of the type {type(body).__name__}; expected a JSON object with "
            f"{' and '.join(each.name for each in fields if each.required)}, so send one."
        )
    refuse_unknown(body, [each.name for each in fields], "field")
    read: dict[str, Any] = {}
    for each in sorted(fields, key=lambda each: each.costly):  # what is cheap to refuse comes first
        value, skipped = body.get(each.name), not each.required and (each.nullable or each.name not in body)
        read[each.name] = each.default if value is None and skipped else each.read(value)
    return read


def schema_of(fields: Iterable[Field], **more: Any) -> dict[str, Any]:
    """A request's JSON Schema; more: what holds between its fields."""
    listed = tuple(fields)
    return {
        "type": "object",
        "required": [each.name for each in listed if each.required],
        "properties": {each.name: each.to_schema() for each in listed},
        "additionalProperties": False,
        **more,
    }


def of_option(option: Option, *, about: str = "", **schema: Any) -> Field:
    """A row of a table of options as a field, of JSON's own types: numbers in quotes are none."""

    def read(value: Any) -> Any:
        right = {NUMBER: _number, WHOLE: _number, FLAG: lambda value: isinstance(value, bool)}.get(option.kind, _text)
        if not right(value):
            raise OptionError(f"{option.label} is {value!r:.60}; expected {EXPECTED[option.kind]}, so give that.")
        checked = option.read(value)
        option.check(checked)
        return checked

    return Field(
        name=option.name,
        read=read,
        about=about or option.help,
        takes=_takes(option),
        schema={"type": TYPES[option.kind], **_ends(option), **schema},
        default=option.default,
    )


def _ends(option: Option) -> dict[str, Any]:
    if option.choices:
        return {"enum": list(option.choices)}
    ends = {"minimum": option.low, "maximum": option.high}
    if option.between:
        ends = dict(zip(("exclusiveMinimum", "exclusiveMaximum"), option.between, strict=True))
    return {name: end for name, end in ends.items() if end is not None}


def _takes(option: Option) -> str:
    if option.choices:
        return " or ".join(f'`"{choice}"`' for choice in option.choices)
    if option.between:
        return f"{option.kind}, between {option.between[0]:g} and {option.between[1]:g}"
    ends = [end for end in (option.low, option.high) if end is not None and abs(end) < 1e6]
    return f"{option.kind}, {ends[0]:g} to {ends[1]:g}" if len(ends) == 2 else option.kind


def _number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _text(value: Any) -> bool:
    return isinstance(value, str)
