"""What the application is made of: routers, and pages mounted on it, each named as "module:function".

A router function takes `(app, settings)` and returns an `APIRouter`; what it needs of the service it
finds in `app.state`. A page is loaded when it is first asked for, so that an idle server stays small;
its function takes `(app, settings)` and returns an ASGI application for its path.
The guard in front (token, rate, body and depth limits, security headers) covers all of them.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

ROUTERS: tuple[str, ...] = ("polyguard_serving.policy.routes:router",)
# Path and function; "/" last, for it takes every path the others leave.
PAGES: tuple[tuple[str, str], ...] = (("/", "polyguard_serving.workbench.page:build"),)


def load(name: str) -> Any:
    """The object a "module:function" name stands for."""
    module, _, function = name.partition(":")
    return getattr(import_module(module), function)
