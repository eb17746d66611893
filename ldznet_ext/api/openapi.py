"""OpenAPI of the routes, out of their tables of fields and their examples; in words that FastAPI from 0.94 on takes."""

from collections.abc import Mapping
from typing import Any

from ldznet_ext.api.access import REFUSAL
from ldznet_ext.api.examples import ANSWERS, REQUESTS
from ldznet_ext.api.jobs import NAME
from ldznet_ext.api.schema import json_schema
from ldznet_ext.api.tables import CLASS_KINDS, KINDS

JSON = "application/json"
NULLABLE = ("box", "familiar")
"""What an answer says null of, where it is nothing or nobody knows."""
OPEN = ("seconds",)
"""What has names of its own, all of one kind."""
SENTENCES: dict[int, tuple[str, str]] = {
    400: ("The request is wrong", "Grow is 4000; expected a number from -256 to 256, so choose one of them."),
    401: ("Who calls is not let in", REFUSAL["error"]),
    403: ("A page of another address may not call", "The request comes from the page of another address ..."),
    404: (
        "There is no such job",
        "There is no job '3f1c'; expected one that is under way or just over, so name it ...",
    ),
    409: ("The host cannot now", "No checkpoint is loaded; expected a Stable Diffusion one, so choose one."),
    413: ("Too much at once", "There are 20 images; expected at most 16, so send the others after."),
    415: ("No JSON", "The request is text/plain; expected application/json, so send it with that Content-Type."),
    500: ("A fault of ours", "The work failed (RuntimeError: ...); the host's log has the rest."),
    503: ("Too many wait", "There are 16 requests under way; expected fewer, so try again in a while."),
}
ERROR = {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}}
TOO_OFTEN = {"Retry-After": {"description": "seconds after which to try again", "schema": {"type": "integer"}}}
JOB_HEADER = {
    "name": "X-Request-Id",
    "in": "header",
    "required": False,
    "description": "a name for the request, by which `jobs` tells how far it is and stops it; without one it is given one",
    "schema": {"type": "string", "pattern": NAME},
}
JOB_NAME = {
    "name": "job",
    "in": "path",
    "required": True,
    "description": "the request's X-Request-Id",
    "schema": {"type": "string", "pattern": NAME},
}


def post_extra(route: str) -> dict[str, Any]:
    """What FastAPI cannot know of a route that takes a body."""
    body = {"schema": json_schema(route), "example": REQUESTS[route]}
    return {"requestBody": {"required": True, "content": {JSON: body}}, "parameters": [JOB_HEADER]}


def responses(route: str, *refused: int) -> dict[int | str, dict[str, Any]]:
    """The answer and the refusals of a route."""
    example = ANSWERS[route]
    answered = {"description": "The answer", "content": {JSON: {"schema": like(example), "example": example}}}
    return {200: answered, **{status: _refusal(status) for status in refused}}


def like(example: Any, name: str = "") -> dict[str, Any]:
    """JSON Schema of all that looks like an example.

    >>> like({"score": 0.5, "box": None})["required"]
    ['score', 'box']
    """
    if name in NULLABLE:
        inner = {"type": "array", "items": {"type": "integer"}} if name == "box" else like(example)
        return {"anyOf": [inner, {"type": "null"}]}
    if isinstance(example, Mapping):
        return _object(example, name)
    if isinstance(example, (list, tuple)):
        return {"type": "array", "items": like(example[0]) if example else {}}
    kinds = {bool: "boolean", int: "integer", float: "number", str: "string"}
    return {"type": kinds[type(example)]}


def _object(example: Mapping[str, Any], name: str) -> dict[str, Any]:
    if name in OPEN:
        return {"type": "object", "additionalProperties": like(next(iter(example.values())))}
    kinds = CLASS_KINDS if "unlabelled" in example else KINDS if "terms" in example else ()
    wished: dict[str, Any] = {kind: {} for kind in kinds}  # there where they were asked for
    return {
        "type": "object",
        "required": [key for key in example if key not in wished],
        "properties": {**wished, **{key: like(value, key) for key, value in example.items()}},
    }


def _refusal(status: int) -> dict[str, Any]:
    about, sentence = SENTENCES[status]
    answer = {"description": about, "content": {JSON: {"schema": ERROR, "example": {"error": sentence}}}}
    return {**answer, "headers": TOO_OFTEN} if status == 503 else answer
