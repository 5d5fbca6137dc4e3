"""Who decides at the bench, and how a whole episode is played by one of them."""

from __future__ import annotations

import asyncio
from typing import Any

from polyguard_env.agents.choosers import PolicyChooser
from polyguard_env.agents.modes import decide
from polyguard_env.environment.messages import PolyGuardAction
from polyguard_env.errors import PolyGuardError
from polyguard_env.policies import POLICIES
from polyguard_env.policies.policy import Policy
from polyguard_env.policies.rule_based import RuleBased
from polyguard_serving.policy.decisions import act_answer, ask_model, run_agents
from polyguard_serving.policy.services import PolicyServices
from polyguard_serving.policy.types import AgentsRequest, SentObservation
from polyguard_serving.workbench.case import Case

PLANNERS = {"Rule-based policy": "rule_based", "Active model": "model"}
MODES = {
    "Replan on veto": "replan_on_veto",
    "Sequential pipeline": "sequential_pipeline",
    "Supervisor routed": "supervisor_routed",
    "Lightweight debate": "lightweight_debate",
}
SPEAKERS = {
    "rule_based": "the rule-based policy", "grpo_adapter": "the GRPO adapter", "merged": "the merged model",
}  # fmt: skip
# What may be compared: how it is called, then the policy or the agents' mode behind it.
MODEL = "Active model"
COMPARED: dict[str, str] = {
    "No change": "policy:no_change",
    "Rule-based policy": "policy:rule_based",
    "Agents, replan on veto": "agents:replan_on_veto",
    "Agents, lightweight debate": "agents:lightweight_debate",
    MODEL: "model",
    "Random legal action": "policy:random_legal",
    "Oracle (sees the rewards)": "policy:oracle",
}


async def advise(services: PolicyServices, case: Case, planner: str, mode: str) -> None:
    """Have the agents decide the case's current step; the decision is kept, not taken.

    Raises:
        PolyGuardError: the episode is over, or the model is not available.
    """
    if case.done:
        raise PolyGuardError("episode", case.title, "it is over: start the case again")
    asked = AgentsRequest(
        observation=SentObservation(**case.observation.model_dump()),
        planner=planner,  # type: ignore[arg-type]
        mode=mode,  # type: ignore[arg-type]
    )
    answer = await run_agents(services, asked)
    by = SPEAKERS[answer.source]
    if answer.fallback_reason:
        by += f" (fallback: {answer.fallback_reason})"
    case.decision = answer.model_dump(mode="json") | {"by": by}


def take_advice(case: Case) -> None:
    """Take the decided action.

    Raises:
        PolyGuardError: nobody has decided yet.
    """
    if case.decision is None:
        raise PolyGuardError("decision", "none yet", "press Ask first")
    case.take(PolyGuardAction(**case.decision["action"]), case.decision["by"])


async def played(services: PolicyServices, case: Case, name: str) -> Case:
    """The case played from its start to its end by one of `COMPARED`.

    Raises:
        PolyGuardError: an unknown name, or the model is not available.
    """
    if name not in COMPARED:
        raise PolyGuardError("policy", name, f"use one of {', '.join(COMPARED)}")
    run = await asyncio.to_thread(case.again)
    kind, _, which = COMPARED[name].partition(":")
    while not run.done:
        if kind == "model":
            scored = await ask_model(services, run.observation)
            action: Any = act_answer(run.observation, scored).action
        else:
            action = await asyncio.to_thread(_chosen, run, kind, which)
        await asyncio.to_thread(run.take, action, name)
    return run


def _chosen(run: Case, kind: str, which: str) -> PolyGuardAction:
    if kind == "agents":
        chooser = PolicyChooser(RuleBased())
        return decide(run.observation, run.env.knowledge, chooser, which, without=("evidence",)).action
    policy: Policy = POLICIES[which]()
    return policy.choose(run.env, run.observation)
