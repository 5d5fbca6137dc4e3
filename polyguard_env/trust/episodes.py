"""An episode told step by step: what the agent saw, what it chose, what it was paid and why."""

from __future__ import annotations

from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.environment.messages import DISCLAIMER, PolyGuardObservation
from polyguard_env.policies.policy import Policy

SHOWN_COLUMNS = 4


def annotated(env: PolyGuardEnv, policy: Policy, scenario_id: str, seed: int) -> str:
    """One episode as text, with what only the verifier knows marked as such."""
    observation = env.reset(seed=seed, scenario_id=scenario_id)
    scenario = env.scenario
    kind = "control: nothing should change" if scenario.control else f"problem: {scenario.mechanism.replace('_', ' ')}"
    told = [
        f"Scenario {scenario_id}, seed {seed}, policy {policy.name}.",
        f"Verifier only: {kind}"
        + (f"; about {', '.join(scenario.target_drugs)}" if scenario.target_drugs and not scenario.control else "")
        + (f"; hidden at first: {', '.join(sorted(scenario.hidden))}" if scenario.hidden else "")
        + ".",
    ]
    step = 0
    while not observation.done:
        step += 1
        legal, prices = set(env.legal_candidate_ids()), env.price()
        told += ["", f"Step {step}, day {observation.day}, {observation.steps_left} left. The agent sees:"]
        told += [f"    {line}" for line in observation.text.splitlines()]
        action = policy.choose(env, observation)
        told += ["Prices, verifier only:"]
        for candidate in sorted(observation.candidates, key=lambda c: -prices[c.candidate_id]):
            mark = ">" if candidate.candidate_id == action.candidate_id else " "
            note = "" if candidate.candidate_id in legal else "  illegal"
            told.append(f"  {mark} {prices[candidate.candidate_id]:.3f}  {candidate.text}{note}")
        cited = f", citing {', '.join(action.evidence_ids)}" if action.evidence_ids else ""
        sure = "none" if action.confidence is None else f"{action.confidence:.2f}"
        observation = env.step(action)
        told.append(f"Confidence {sure}{cited}. Reward {observation.reward:.3f}: {lowest(observation)}.")
        if observation.info["reasons"]:
            told.append(f"Reasons: {', '.join(observation.info['reasons'])}.")
    events = observation.info["events"]
    told += [
        "",
        f"Episode reward {observation.info['episode_reward']:.3f}. Harm events, counted apart, until 90 days after the "
        "last step the budget allows: "
        + (", ".join(f"{e['finding_id']} (day {e['day']})" for e in events) if events else "none")
        + ".",
        DISCLAIMER,
    ]
    return "\n".join(told)


def lowest(observation: PolyGuardObservation) -> str:
    """The columns that cost the most, or that all are full."""
    columns = sorted(observation.columns.items(), key=lambda pair: pair[1])
    low = [f"{name.removesuffix('_score').replace('_', ' ')} {value:.2f}" for name, value in columns if value < 0.97]
    return ", ".join(low[:SHOWN_COLUMNS]) if low else "every column near 1"
