"""OpenEnv's client entry point."""

from polyguard_serving.client import PolyGuardClient, PriceClient

__all__ = ["PolyGuardClient", "PriceClient"]
