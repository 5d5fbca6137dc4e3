"""OpenEnv's server entry point."""

import sys
from typing import Any

from polyguard_serving.server import main as serve


def __getattr__(name: str) -> Any:
    # `server.app:app` for hosts that bring their own runner; made when asked for, so that main() need not.
    if name == "app":
        from polyguard_serving.app import create

        return create()
    raise AttributeError(name)


def main() -> None:
    """Run the environment server; exits with its status."""
    sys.exit(serve())


if __name__ == "__main__":
    main()
