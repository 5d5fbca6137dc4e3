"""Deciding one step: by the active model, or by the agents with a planner behind them."""

from __future__ import annotations

from typing import Any

from polyguard_env.agents.board import Chooser
from polyguard_env.agents.choosers import PolicyChooser, ScoredChooser
from polyguard_env.agents.modes import Decision, decide
from polyguard_env.environment.messages import PolyGuardObservation
from polyguard_env.environment.render import SYSTEM_PROMPT
from polyguard_env.policies.policy import answer
from polyguard_env.policies.rule_based import RuleBased
from polyguard_serving.policy.model_process import Scored
from polyguard_serving.policy.services import PolicyServices
from polyguard_serving.policy.types import (
    ActAnswer,
    AgentsAnswer,
    AgentsRequest,
    ModelPart,
    ModelStatus,
    ScoredCandidate,
    json_of,
)


async def ask_model(services: PolicyServices, observation: PolyGuardObservation) -> Scored:
    """The active model's scores of an observation's candidates, in their order."""
    return await services.model.score(SYSTEM_PROMPT, observation.text, [c.text for c in observation.candidates])


def act_answer(observation: PolyGuardObservation, scored: Scored) -> ActAnswer:
    """The model's choice: its most probable candidate."""
    place = max(range(len(scored.scores)), key=lambda i: (scored.scores[i], observation.candidates[i].text))
    chosen = observation.candidates[place]
    return ActAnswer(
        source=scored.source,  # type: ignore[arg-type]
        fallback_reason=scored.fallback_reason,
        label=scored.label,
        model_run=scored.model_run,
        candidate=chosen,
        action=answer(chosen, observation, min(1.0, scored.probabilities[place])),
        scores=[
            ScoredCandidate(candidate_id=c.candidate_id, text=c.text, log_likelihood=score, probability=probability)
            for c, score, probability in zip(observation.candidates, scored.scores, scored.probabilities, strict=True)
        ],
        seconds=scored.seconds,
    )


async def run_agents(services: PolicyServices, asked: AgentsRequest) -> AgentsAnswer:
    """One step decided by the agents."""
    observation = await services.observation(asked)
    chooser: Chooser
    source, reason = "rule_based", None
    if asked.planner == "model":
        scored = await ask_model(services, observation)
        source, reason = scored.source, scored.fallback_reason
        ids = [c.candidate_id for c in observation.candidates]
        chooser = ScoredChooser(source, dict(zip(ids, scored.probabilities, strict=True)))
    else:
        chooser = PolicyChooser(RuleBased())

    def work() -> Decision:
        search = None if "evidence" in asked.without else services.index()
        return decide(observation, services.knowledge, chooser, asked.mode, search, asked.without)

    thread = services.work if "evidence" in asked.without else services.searches
    return agents_answer(await thread.run(work), source, reason)


def agents_answer(decision: Decision, source: str, fallback_reason: str | None) -> AgentsAnswer:
    """A decision as it travels."""
    values: dict[str, Any] = json_of(decision.to_dict())
    values.pop("chooser")
    return AgentsAnswer(source=source, fallback_reason=fallback_reason, **values)  # type: ignore[arg-type]


async def model_status(services: PolicyServices) -> ModelStatus:
    """The active model and the state of its process; asks nothing of it."""
    from polyguard_env.active_model import ActiveModel, read_active_model
    from polyguard_env.errors import PolyGuardError

    told = await services.model.told()
    state, reason, manifest = told["state"], told["reason"], None
    try:
        manifest = read_active_model(services.lake)
        if state == "absent":
            state, reason = "not_started", ""
    except PolyGuardError as error:
        state, reason = "absent", str(error)
    hello = told["hello"] if state == "ready" else {}
    found: ActiveModel | None = manifest

    def part(name: str) -> ModelPart | None:
        files = found.part(name) if found else None
        return ModelPart(path=files.path, files=dict(files.files)) if files else None

    return ModelStatus(
        state=state,  # type: ignore[arg-type]
        source=hello.get("source", "none"),
        reason=reason,
        fallback_reason=hello.get("fallback_reason"),
        preferred=found.preferred if found else None,
        label=found.label if found else None,
        model_run=found.model_run if found else None,
        base=part("base"),
        grpo_adapter=part("grpo_adapter"),
        merged=part("merged"),
        knowledge_fingerprint=found.knowledge_fingerprint if found else None,
        parameters=hello.get("parameters"),
        device=hello.get("device"),
        load_seconds=hello.get("load_seconds"),
        waiting=told["waiting"],
        answered=told["answered"],
    )
