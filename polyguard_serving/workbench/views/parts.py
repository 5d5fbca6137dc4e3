"""Pieces that all views are made of."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

SEVERITY_MARK = {"contraindicated": "●●●●", "major": "●●●", "moderate": "●●", "minor": "●"}
EMPTY = "<p class='pg-empty'>{}</p>"


def severity(name: str) -> str:
    """A severity as a mark and a word."""
    mark = f"<span aria-hidden='true'>{SEVERITY_MARK[name]}</span>"
    return f"<span class='pg-sev pg-sev-{name}'>{mark} {escape(name)}</span>"


def table(caption: str, heads: Sequence[str], rows: Sequence[str]) -> str:
    top = "".join(f"<th scope='col'>{escape(head)}</th>" if head else "<td></td>" for head in heads)
    return (
        f"<div class='pg-scroll' tabindex='0' role='region' aria-label='{escape(caption, quote=True)}'><table>"
        f"<caption>{escape(caption)}</caption><thead><tr>{top}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )
