"""The page at /docs: every route with its fields, examples and refusals, as one plain piece of HTML out of OpenAPI.

FastAPI's own page fetches scripts from the network, which nothing here does.
"""

import json
import re
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --word: #2563eb; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 60rem; padding: 2rem 1.25rem 5rem; }
h1 { font-size: 1.8rem; margin: 0 0 .5rem; }
h2 { font-size: 1.1rem; margin: 2.5rem 0 .5rem; padding-top: 1.25rem; border-top: 1px solid var(--line); }
h2 code { font-size: 1.05rem; } h2 b { color: var(--word); font: 600 .85rem ui-monospace, monospace; margin-right: .5rem; }
nav a { margin-right: .9rem; white-space: nowrap; } a { color: var(--word); }
table { border-collapse: collapse; width: 100%; font-size: .92rem; margin: .5rem 0; }
th, td { text-align: left; vertical-align: top; padding: .3rem .7rem .3rem 0; border-bottom: 1px solid var(--line); }
td:first-child, td:nth-child(2) { white-space: nowrap; }
pre { background: var(--soft); border: 1px solid var(--line); border-radius: 8px; padding: .8rem; overflow-x: auto; }
summary { cursor: pointer; margin: .4rem 0; } em { color: #d97706; font-style: normal; font-size: .85em; }
"""


def page(described: Mapping[str, Any]) -> str:
    """HTML of an OpenAPI document; nothing in it is fetched from anywhere."""
    about, routes = described["info"], list(_routes(described))
    links = "".join(
        f'<a href="#{_anchor(method, path)}">{method if method != "POST" else ""} {escape(route["summary"])}</a>'
        for method, path, route in routes
    )
    lock = (
        "<p>Send the token with every request: <code>Authorization: Bearer TOKEN</code>.</p>"
        if "security" in described
        else ""
    )
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(about["title"])} API</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head><body>'
        f"<h1>{escape(about['title'])} API <small>{escape(about['version'])}</small></h1>"
        f"<p>{escape(about['description'])}</p>{lock}"
        f'<nav>{links}<a href="/openapi.json">openapi.json</a></nav>{"".join(_section(*route) for route in routes)}</body></html>'
    )


def _routes(described: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for path, methods in described["paths"].items():
        for method, route in methods.items():
            yield method.upper(), path, route


def _anchor(method: str, path: str) -> str:
    return f"{method.lower()}-{''.join(letter if letter.isalnum() else '-' for letter in path.strip('/'))}"


def _section(method: str, path: str, route: Mapping[str, Any]) -> str:
    body = route.get("requestBody", {}).get("content", {}).get("application/json", {})
    answers = route["responses"]
    return "".join(
        (
            f'<h2 id="{_anchor(method, path)}"><b>{method}</b><code>{escape(path)}</code></h2>',
            f"<p>{_prose(route.get('description', ''))}</p>",
            "".join(_parameter(each) for each in route.get("parameters", ())),
            _fields(body["schema"]) if body else "",
            _example("A request", body.get("example")) if body else "",
            _example("Its answer", answers["200"]["content"]["application/json"].get("example")),
            _refusals({status: answer for status, answer in answers.items() if status != "200"}),
        )
    )


def _parameter(given: Mapping[str, Any]) -> str:
    place = {"header": "Header", "path": "In the address"}.get(given["in"], given["in"])
    return f"<p>{place} <code>{escape(given['name'])}</code>: {_prose(given['description'])}.</p>"


def _fields(schema: Mapping[str, Any]) -> str:
    wanted, rows = schema["required"], []
    for name, field in schema["properties"].items():
        default = "<em>needed</em>" if name in wanted else escape(json.dumps(field.get("default")))
        rows.append(
            f"<tr><td><code>{escape(name)}</code></td><td>{escape(_kind(field))}</td><td>{default}</td>"
            f"<td>{_prose(field.get('description', ''))}</td></tr>"
        )
    return f"<table><tr><th>field</th><th>takes</th><th>default</th><th>meaning</th></tr>{''.join(rows)}</table>"


def _prose(text: str) -> str:
    """Text with what stands between backticks as code."""
    return re.sub("`([^`]+)`", r"<code>\1</code>", escape(text))


def _kind(schema: Mapping[str, Any]) -> str:
    """What a field takes, in a few words."""
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_kind(one) for one in schema["anyOf"] if one.get("type") != "null"))
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    low, high = (
        schema.get("minimum", schema.get("exclusiveMinimum")),
        schema.get("maximum", schema.get("exclusiveMaximum")),
    )
    ends = f", {low:g} to {high:g}" if low is not None and high is not None and high < 1e6 else ""
    return str(schema.get("type", "anything")) + ends


def _example(title: str, example: Any) -> str:
    shown = json.dumps(example, indent=2)
    return f"<details><summary>{title}</summary><pre>{escape(shown)}</pre></details>" if example is not None else ""


def _refusals(answers: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<tr><td>{escape(status)}</td><td>{escape(answer.get('description', ''))}</td>"
        f"<td>{escape(answer['content']['application/json']['example']['error'])}</td></tr>"
        for status, answer in answers.items()
    )
    return f"<details><summary>Refusals</summary><table>{rows}</table></details>" if rows else ""
