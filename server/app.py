"""OpenEnv's server entry point."""

from polyguard_serving.app import build_app
from polyguard_serving.server import main as serve

app = build_app()


def main() -> int:
    """Run the environment server."""
    return serve()


if __name__ == "__main__":
    main()
