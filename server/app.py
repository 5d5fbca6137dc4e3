"""OpenEnv's server entry point."""

import sys

from polyguard_serving.app import create
from polyguard_serving.server import main as serve

app = create()


def main() -> None:
    """Run the environment server; exits with its status."""
    sys.exit(serve())


if __name__ == "__main__":
    main()
