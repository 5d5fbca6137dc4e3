"""OpenEnv's data models entry point."""

from polyguard_serving.types import ServedAction as PolyGuardAction
from polyguard_serving.types import ServedObservation as PolyGuardObservation
from polyguard_serving.types import ServedState as PolyGuardState

__all__ = ["PolyGuardAction", "PolyGuardObservation", "PolyGuardState"]
