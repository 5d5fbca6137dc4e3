"""OpenEnv's client entry point."""

from polyguard_serving.client import AsyncBatchClient, BatchClient, PolyGuardClient, PriceClient

__all__ = ["AsyncBatchClient", "BatchClient", "PolyGuardClient", "PriceClient"]
