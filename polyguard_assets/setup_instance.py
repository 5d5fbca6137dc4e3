"""Set up a Dagster instance once: state folder and strict pool limits."""

from __future__ import annotations

import sys
import warnings

import dagster as dg


def main() -> int:
    """Make the GPU pool strict: on a fresh instance a pool first seen at run time would let two runs overlap."""
    # Said while the assets are imported; nothing for the person who installs.
    warnings.filterwarnings("ignore", category=dg.PreviewWarning)
    from polyguard_assets.defs.models.assets import GPU_POOL

    with dg.DagsterInstance.get() as instance:
        instance.event_log_storage.set_concurrency_slots(GPU_POOL, 1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
