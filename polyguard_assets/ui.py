"""`make ui`: the Dagster UI on this project's definitions and state."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from polyguard_assets.paths import project_root
from polyguard_env.errors import PolyGuardError
from polyguard_env.net import checked_port, listen


def main(argv: Sequence[str] | None = None) -> int:
    """Replace this process by `dagster dev`; 2 with one clear line when the port is taken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", default="3000")
    arguments = parser.parse_args(argv)
    try:
        port = checked_port(arguments.port)
        listen(arguments.host, port).close()
    except PolyGuardError as error:
        print(f"error: {error} (make ui UI_PORT=…)", file=sys.stderr)
        return 2
    dagster = str(Path(sys.executable).with_name("dagster"))
    os.chdir(project_root())
    os.execv(dagster, [dagster, "dev", "--host", arguments.host, "--port", str(port), "-w", "workspace.yaml"])


if __name__ == "__main__":
    sys.exit(main())
