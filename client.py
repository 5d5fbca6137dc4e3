"""OpenEnv's client entry point."""

from polyguard_serving.client import PolyGuardClient

__all__ = ["PolyGuardClient"]
