"""The Workbench as an ASGI application: the browser page at /, and a refusal for every path nobody has."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from polyguard_serving.policy.services import services_of
from polyguard_serving.workbench.blocks import build_blocks

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

STYLE = Path(__file__).with_name("style.css")
NARROW = Path(__file__).with_name("narrow.css")
SCRIPT = Path(__file__).with_name("page.js")
MOST_UPLOAD = "8mb"


def build(app: FastAPI, settings: object) -> Any:
    """The page. It loads its library here, when first asked for, and nothing from other hosts.

    Args:
        app: the server's application, whose services the page shares.
        settings: of the server.
    """
    import os

    # Neither usage statistics nor a look for newer versions.
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    import gradio as gr

    blocks = build_blocks(services_of(app))
    fonts = ("system-ui", "Segoe UI", "Roboto", "Helvetica Neue", "Arial", "sans-serif")
    theme = gr.themes.Base(
        primary_hue="blue", neutral_hue="slate", font=list(fonts), font_mono=["ui-monospace", "Consolas", "monospace"]
    )
    style, narrow, script = (path.read_text(encoding="utf-8") for path in (STYLE, NARROW, SCRIPT))
    head = f"<style>{narrow}</style><script>{script}</script>"
    page = FastAPI(openapi_url=None)
    return gr.mount_gradio_app(
        page, blocks, path="", theme=theme, css=style,
        head=head, footer_links=[], show_error=False,
        max_file_size=MOST_UPLOAD, ssr_mode=False, pwa=False, mcp_server=False, enable_monitoring=False,
        allowed_paths=[], run_history=False,
    )  # fmt: skip
