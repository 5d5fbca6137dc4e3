"""The Workbench as an ASGI application: the browser page at /, and a refusal for every path that nobody has."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.routing import Match

from polyguard_env.errors import PolyGuardError
from polyguard_serving.pages import LazyPage, Receive, Scope, Send
from polyguard_serving.policy.services import PolicyServices, services_of
from polyguard_serving.relay import Relay

STYLE = Path(__file__).with_name("style.css")
NARROW = Path(__file__).with_name("narrow.css")
SCRIPT = Path(__file__).with_name("page.js")
MOST_UPLOAD = "8mb"
FONTS = ("system-ui", "Segoe UI", "Roboto", "Helvetica Neue", "Arial", "sans-serif")
# What the page is made of; every other path is a mistake and does not load it.
PATHS = frozenset({"", "/", "/config", "/theme.css", "/favicon.ico", "/manifest.json"})
FOLDERS = ("/gradio_api/", "/assets/", "/static/", "/svelte/")


class Workbench:
    """The page, built when somebody first opens it; of several workers one holds it for all.

    Args:
        app: the server's application, whose services and routes it knows.
    """

    def __init__(self, app: FastAPI) -> None:
        self.app = app
        place = app.state.place
        self.page = LazyPage(lambda: _page(app)) if place is None or place.first else Relay(place.pages)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if scope["type"] == "http" and (path in PATHS or path.startswith(FOLDERS)):
            await self.page(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await self._refuse(scope, receive, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Say that there is no such path, or that it takes other methods."""
        for route in self.app.router.routes:
            match, child = route.matches(scope)
            if match is Match.PARTIAL:
                scope.update(child)
                await route.handle(scope, receive, send)
                return
        raise HTTPException(404)

    async def close(self) -> None:
        """End the page, if it was built."""
        await self.page.close()


def build(app: FastAPI, settings: object) -> Workbench:
    """The Workbench of an application.

    Args:
        app: the server's application.
        settings: of the server.
    """
    app.state.workbench = Workbench(app)
    return app.state.workbench


def _make_index(services: PolicyServices) -> None:
    # Whoever asks is told what is wrong with it.
    with suppress(PolyGuardError):
        services.index()


def _page(app: FastAPI) -> Any:
    """The page itself. Its library is loaded here, and nothing from other hosts."""
    # Neither usage statistics nor a look for newer versions.
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    import gradio as gr

    from polyguard_serving.workbench.blocks import build_blocks

    # The first question needs the index, which takes seconds: it is made while the person reads.
    Thread(target=_make_index, args=(services_of(app),), daemon=True).start()
    theme = gr.themes.Base(
        primary_hue="blue", neutral_hue="slate", font=list(FONTS), font_mono=["ui-monospace", "Consolas", "monospace"]
    )
    style, narrow, script = (path.read_text(encoding="utf-8") for path in (STYLE, NARROW, SCRIPT))
    return gr.mount_gradio_app(
        FastAPI(openapi_url=None), build_blocks(services_of(app)), path="", theme=theme, css=style,
        head=f"<style>{narrow}</style><script>{script}</script>", footer_links=[], show_error=False,
        max_file_size=MOST_UPLOAD, ssr_mode=False, pwa=False, mcp_server=False, enable_monitoring=False,
        allowed_paths=[], run_history=False,
    )  # fmt: skip
