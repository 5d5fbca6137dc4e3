"""The API's reference as one page: made from the OpenAPI document, without scripts and without other hosts."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from polyguard_env.environment.messages import DISCLAIMER

METHODS = ("get", "post", "put", "patch", "delete")
LIMITS = (
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
)
MOST_CHOICES = 20
STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:64rem;margin:0 auto;padding:1rem 1.25rem 4rem;color:#1e293b}
h2{margin-top:2.5rem;border-bottom:1px solid #94a3b8}h3{margin:2rem 0 .25rem;font-size:1.05rem}
code{font:.92em ui-monospace,Consolas,monospace;overflow-wrap:anywhere}a{color:#1d4ed8}
.method{display:inline-block;min-width:4.2rem;font-weight:700}
.wide{overflow-x:auto}table{border-collapse:collapse;width:100%;margin:.5rem 0}
th,td{text-align:left;vertical-align:top;padding:.3rem .6rem;border-top:1px solid #cbd5e1}th{font-weight:600}
nav dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1.2rem}nav dt{font-weight:600}nav dd{margin:0}
nav ul{display:flex;flex-wrap:wrap;gap:.1rem 1.2rem;list-style:none;margin:0;padding:0}
p.note{background:#fef3c7;padding:.5rem .75rem;border-left:4px solid #b45309}
"""


def router(document: Callable[[], dict[str, Any]]) -> APIRouter:
    """The page's route.

    Args:
        document: gives the OpenAPI document.
    """
    routes = APIRouter()
    made: dict[str, str] = {}

    @routes.get("/docs", include_in_schema=False)
    async def reference() -> HTMLResponse:
        if "page" not in made:
            made["page"] = page(document())
        return HTMLResponse(made["page"])

    return routes


def page(document: dict[str, Any]) -> str:
    """The reference of an OpenAPI document, as HTML."""
    about = document["info"]
    groups: dict[str, list[str]] = {}
    index: dict[str, list[str]] = {}
    for path, operations in document["paths"].items():
        for method in METHODS:
            if method in operations:
                tag = operations[method].get("tags", ["Other"])[0]
                anchor = f"{method}-{path}"
                groups.setdefault(tag, []).append(_operation(anchor, method, path, operations[method]))
                index.setdefault(tag, []).append(
                    f'<li><a href="#{escape(anchor)}"><code>{method.upper()} {escape(path)}</code></a></li>'
                )
    parts = "".join(f"<dt>{escape(tag)}</dt><dd><ul>{''.join(entries)}</ul></dd>" for tag, entries in index.items())
    sections = "".join(
        f"<section><h2>{escape(tag)}</h2>{''.join(entries)}</section>" for tag, entries in groups.items()
    )
    schemas = document.get("components", {}).get("schemas", {})
    shapes = "".join(_shape(name, schema) for name, schema in sorted(schemas.items()))
    title = escape(f"{about['title']} {about['version']}")
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head><body>'
        f"<header><h1>{title}</h1><p>{escape(about.get('description', '').replace(DISCLAIMER, ''))}</p>"
        f'<p class="note">{escape(DISCLAIMER)}</p>'
        f'<p>The same for machines: <a href="openapi.json">openapi.json</a>.</p></header>'
        f'<nav aria-label="Operations"><dl>{parts}</dl></nav><main>'
        f"{sections}<section><h2>Schemas</h2>{shapes}</section></main>"
        f"</body></html>"
    )


def _operation(anchor: str, method: str, path: str, operation: dict[str, Any]) -> str:
    about = operation.get("description") or operation.get("summary", "")
    rows = [
        (entry["name"], f"{entry['in']}, {_needed(entry.get('required', False))}", entry.get("schema", {}))
        for entry in operation.get("parameters", [])
    ]
    body = operation.get("requestBody")
    if body:
        for kind, content in body["content"].items():
            rows.append((f"body ({kind})", _needed(body.get("required", False)), content.get("schema", {})))
    taken = "".join(
        f"<tr><td><code>{escape(name)}</code></td><td>{where}</td><td>{_kind(schema)}</td></tr>"
        for name, where, schema in rows
    )
    answers = "".join(
        f"<tr><td>{escape(status)}</td><td>{escape(answer.get('description', ''))}</td><td>{_content(answer)}</td></tr>"
        for status, answer in operation["responses"].items()
    )
    head = f'<code><span class="method">{method.upper()}</span>{escape(path)}</code>'
    return (
        f'<article><h3 id="{escape(anchor)}">{head}</h3>'
        f"<p>{escape(about)}</p>"
        + (_table(("Takes", "Where", "Type"), taken) if taken else "")
        + _table(("Status", "Meaning", "Answer"), answers)
        + "</article>"
    )


def _shape(name: str, schema: dict[str, Any]) -> str:
    needed = schema.get("required", [])
    rows = "".join(
        f"<tr><td><code>{escape(field)}</code></td><td>{_needed(field in needed)}</td><td>{_kind(entry)}</td></tr>"
        for field, entry in schema.get("properties", {}).items()
    )
    about = escape(schema.get("description", "")).replace("\n\n", "</p><p>")
    inner = _table(("Field", "", "Type"), rows) if rows else f"<p>{_kind(schema)}</p>"
    return f'<article><h3 id="schema-{escape(name)}"><code>{escape(name)}</code></h3><p>{about}</p>{inner}</article>'


def _table(heads: tuple[str, ...], rows: str) -> str:
    cells = "".join(f'<th scope="col">{head}</th>' if head else "<td></td>" for head in heads)
    return f'<div class="wide" tabindex="0"><table><thead><tr>{cells}</tr></thead><tbody>{rows}</tbody></table></div>'


def _needed(required: bool) -> str:
    return "required" if required else "optional"


def _content(answer: dict[str, Any]) -> str:
    return "; ".join(
        f"{escape(kind)}: {_kind(content['schema'])}" if content.get("schema") else escape(kind)
        for kind, content in answer.get("content", {}).items()
    )


def _kind(schema: dict[str, Any]) -> str:
    """A schema in words."""
    if "$ref" in schema:
        name = escape(str(schema["$ref"]).rpartition("/")[2])
        return f'<a href="#schema-{name}">{name}</a>'
    for several in ("anyOf", "oneOf"):
        if several in schema and not schema.get("properties"):
            return " or ".join(_kind(entry) for entry in schema[several])
    if "const" in schema:
        return f"<code>{escape(repr(schema['const']))}</code>"
    if "enum" in schema:
        names = [f"<code>{escape(str(entry))}</code>" for entry in schema["enum"][:MOST_CHOICES]]
        return "one of " + ", ".join(names) + (" …" if len(schema["enum"]) > MOST_CHOICES else "")
    kind = str(schema.get("type", "anything"))
    if kind == "array":
        return f"list of {_kind(schema.get('items', {}))}{_limits(schema)}"
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"object of {_kind(schema['additionalProperties'])}"
    return escape(kind) + _limits(schema)


def _limits(schema: dict[str, Any]) -> str:
    told = [f"{name} {schema[name]}" for name in LIMITS if name in schema]
    if "pattern" in schema:
        told.append(f"pattern <code>{escape(str(schema['pattern']))}</code>")
    if schema.get("default") is not None:
        told.append(f"default <code>{escape(repr(schema['default']))}</code>")
    return f" ({'; '.join(told)})" if told else ""
