"""OpenEnv's data models entry point."""

from polyguard_serving.environment import EnvironmentAction as PolyGuardAction
from polyguard_serving.environment import EnvironmentObservation as PolyGuardObservation
from polyguard_serving.environment import EnvironmentState as PolyGuardState

__all__ = ["PolyGuardAction", "PolyGuardObservation", "PolyGuardState"]
