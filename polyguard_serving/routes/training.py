"""Prices for training."""

from __future__ import annotations

from fastapi import APIRouter

from polyguard_serving.answers import refusals
from polyguard_serving.pricing import PriceAnswer, PriceRequest
from polyguard_serving.service import Service


def router(service: Service) -> APIRouter:
    """The routes."""
    routes = APIRouter(tags=["Training"])

    @routes.post("/price", responses=refusals("CONFLICT"))
    async def price(request: PriceRequest) -> PriceAnswer:
        """The verifier's reward for each action text at each decision point."""
        return await service.pricer.price(request)

    return routes
