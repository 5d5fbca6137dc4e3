"""The policy and evidence API: part of the environment server, and an application of its own (`__main__.py`)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from enum import Enum
from functools import wraps
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, FastAPI, Query, Request

from polyguard_env.environment.scenarios import DIFFICULTIES, SUB_ENVIRONMENTS
from polyguard_env.environment.splits import SPLITS
from polyguard_serving.answers import refusals
from polyguard_serving.options import LONGEST_ID
from polyguard_serving.policy import decisions, lookups
from polyguard_serving.policy.lake import STAGES, evaluation_report, model_runs, training_history
from polyguard_serving.policy.peer_model import SCORE, STATE, answered
from polyguard_serving.policy.services import services_of, understood
from polyguard_serving.policy.types import (
    LONGEST_QUESTION,
    WORDS,
    ActAnswer,
    ActRequest,
    AgentsAnswer,
    AgentsRequest,
    CasesAnswer,
    Decided,
    EvaluationAnswer,
    EvidenceAnswer,
    EvidenceQuestion,
    InteractionsAnswer,
    InteractionsRequest,
    ModelStatus,
    ReviewAnswer,
    ReviewRequest,
    StageHistory,
    TrainingAnswer,
)
from polyguard_serving.refusals import Refusal

LOOKED = refusals("NOT_FOUND", "CONFLICT", "BUSY", "TIMEOUT")
DECIDED = refusals("NOT_FOUND", "CONFLICT", "BUSY", "MODEL_NOT_AVAILABLE", "TIMEOUT")
REPORTED = refusals("NOT_FOUND", "CONFLICT")
Answer = TypeVar("Answer")
TAG: list[str | Enum] = ["Policy"]
TABLES: list[str | Enum] = ["Evidence"]
REPORTS: list[str | Enum] = ["Reports"]


def _known(call: Callable[..., Answer]) -> Callable[..., Answer]:
    """The call, with refusals that tell what the knowledge lacks from what is malformed."""

    @wraps(call)
    def called(*given: Any) -> Answer:
        with understood():
            return call(*given)

    return called


def router(app: FastAPI, settings: object) -> APIRouter:
    """The routes; what they share is made with the first request."""

    @asynccontextmanager
    async def ending(_: object) -> AsyncIterator[None]:
        yield
        if hasattr(app.state, "workbench"):
            await app.state.workbench.close()
        if hasattr(app.state, "policy"):
            await services_of(app).model.close()
            services_of(app).work.close()
            services_of(app).searches.close()

    service = getattr(app.state, "service", None)
    if service is not None:
        for operation in (SCORE, STATE):
            service.answers[operation] = lambda asked, body: answered(services_of(app).model, asked, body)
    routes = APIRouter(lifespan=ending)
    _add_decisions(routes, app)
    _add_lookups(routes, app)
    _add_reports(routes, app)
    return routes


def _note(request: Request, asked: Decided) -> None:
    """Have the request's log line name the episode."""
    observed = asked.observation
    request.scope["polyguard.episode_id"] = asked.episode_id or (observed.episode_id[:LONGEST_ID] if observed else None)


def _add_decisions(routes: APIRouter, app: FastAPI) -> None:
    @routes.get("/policy/model_status", tags=TAG, responses=refusals("BUSY"))
    async def model_status() -> ModelStatus:
        """The active model: what the manifest names, and whether its process answers."""
        return await decisions.model_status(services_of(app))

    @routes.post("/policy/act", tags=TAG, responses=DECIDED)
    async def act(request: Request, asked: ActRequest) -> ActAnswer:
        """The active model's choice among the candidates of a step, and which model spoke."""
        services = services_of(app)
        _note(request, asked)
        observation = await services.observation(asked)
        return decisions.act_answer(observation, await decisions.ask_model(services, observation))

    @routes.post("/agents/run_step", tags=TAG, responses=DECIDED)
    async def run_step(request: Request, asked: AgentsRequest) -> AgentsAnswer:
        """One step decided by the agents, with every agent's note. Nothing is applied to the episode."""
        _note(request, asked)
        return await decisions.run_agents(services_of(app), asked)


def _add_lookups(routes: APIRouter, app: FastAPI) -> None:
    @routes.get("/cases", tags=TABLES, responses=LOOKED)
    async def cases(
        split: Annotated[str, Query(json_schema_extra={"enum": list(SPLITS)})] = "train",
        sub_environment: Annotated[str | None, Query(json_schema_extra={"enum": list(SUB_ENVIRONMENTS)})] = None,
        difficulty: Annotated[str | None, Query(json_schema_extra={"enum": list(DIFFICULTIES)})] = None,
        offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
        limit: Annotated[int, Query(ge=1, le=50)] = 12,
    ) -> CasesAnswer:
        """Cases to try: scenarios as an agent first sees them."""
        work = services_of(app).work
        return await work.run(_known(lookups.cases), split, sub_environment, difficulty, offset, limit)

    @routes.get("/evidence/search", tags=TABLES, responses=LOOKED)
    async def search(
        query: Annotated[str, Query(min_length=1, max_length=LONGEST_QUESTION, pattern=WORDS)],
        most: Annotated[int, Query(ge=1, le=50)] = 5,
    ) -> EvidenceAnswer:
        """The passages that answer a question in plain words, best first."""
        services = services_of(app)
        return await services.searches.run(_known(lookups.evidence), services, EvidenceQuestion(query=query, most=most))

    @routes.post("/evidence/search", tags=TABLES, responses=LOOKED)
    async def search_posted(question: EvidenceQuestion) -> EvidenceAnswer:
        """The passages that answer a question in plain words, best first."""
        services = services_of(app)
        return await services.searches.run(_known(lookups.evidence), services, question)

    @routes.post("/regimen/review", tags=TABLES, responses=LOOKED)
    async def review(asked: ReviewRequest) -> ReviewAnswer:
        """Every finding of a patient's regimen, worst first."""
        services = services_of(app)
        return await services.work.run(_known(lookups.review), services.knowledge, asked)

    @routes.post("/interactions/check", tags=TABLES, responses=LOOKED)
    async def check(asked: InteractionsRequest) -> InteractionsAnswer:
        """Every interacting pair and combination among some drugs, worst first."""
        services = services_of(app)
        return await services.work.run(_known(lookups.interactions), services.knowledge, asked)


def _add_reports(routes: APIRouter, app: FastAPI) -> None:
    @routes.get("/evaluation/summary", tags=REPORTS, responses=REPORTED)
    async def evaluation() -> EvaluationAnswer:
        """The newest evaluation of models and policies on holdout scenarios, as the asset graph reported it."""
        name, report = evaluation_report(services_of(app).lake)
        policies, differences = report.get("policies"), report.get("differences")
        if not isinstance(policies, dict) or not isinstance(differences, dict):
            raise Refusal(
                "CONFLICT", name, sorted(report)[:10], "materialize it again: it has no policies or differences"
            )
        kept = {key: value for key, value in report.items() if key not in ("policies", "differences", "disclaimer")}
        return EvaluationAnswer(report=name, policies=policies, differences=differences, details=kept)

    @routes.get("/training/metrics", tags=REPORTS, responses=REPORTED)
    async def training(
        model_run: Annotated[str | None, Query(max_length=100, description="the first one trained by default")] = None,
    ) -> TrainingAnswer:
        """What training logged, step by step."""
        lake = services_of(app).lake
        runs = model_runs(lake)
        if not runs:
            raise Refusal("NOT_FOUND", "training", "models", "run make demo, or materialize sft_adapter (make ui)")
        run = model_run if model_run is not None else runs[0]
        if run not in runs:
            raise Refusal("NOT_FOUND", "model_run", run, f"use one of {', '.join(runs)}")
        stages = []
        for stage in STAGES:
            rows = training_history(lake, run, stage)
            if rows:
                columns = sorted({name for row in rows for name in row})
                stages.append(StageHistory(stage=stage, columns=columns, rows=rows))  # type: ignore[arg-type]
        return TrainingAnswer(model_run=run, model_runs=runs, stages=stages)
