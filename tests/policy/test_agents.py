"""The agents: what each adds, how the modes differ, and that a veto is never ignored."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from polyguard_env.agents.agent import Registry
from polyguard_env.agents.board import ABLATIONS, Board
from polyguard_env.agents.checking import checked_observation
from polyguard_env.agents.choosers import PolicyChooser, ScoredChooser
from polyguard_env.agents.modes import AGENTS, MODES, Decision, decide
from polyguard_env.agents.observed import patient_of
from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.environment.messages import ActionType, PolyGuardObservation
from polyguard_env.errors import PolyGuardError
from polyguard_env.policies import POLICIES
from polyguard_env.policies.rule_based import RuleBased

RULES = PolicyChooser(RuleBased())


def insisting(observation: PolyGuardObservation, text: str) -> ScoredChooser:
    """A chooser that likes one action best and the others in order."""
    order = {c.candidate_id: 0.1 / (place + 1) for place, c in enumerate(observation.candidates)}
    wanted = next(c.candidate_id for c in observation.candidates if c.text == text)
    return ScoredChooser("insisting", order | {wanted: 1.0})


def made(observation: PolyGuardObservation, mode: str = "sequential_pipeline", **options: object) -> Decision:
    chooser = options.pop("chooser", RULES)
    return decide(observation, PolyGuardEnv().knowledge, chooser, mode, **options)  # type: ignore[arg-type]


def test_the_agents_of_the_design_have_joined_and_names_are_unique() -> None:
    assert AGENTS.names() == (
        "MedRec", "Evidence", "GraphSafety", "Dosing", "Candidate", "Supervisor", "Planner", "Critic", "Explainer",
    )  # fmt: skip
    later = Registry()
    later.add(AGENTS["MedRec"])
    with pytest.raises(PolyGuardError, match="name of its own"):
        later.add(AGENTS["MedRec"])
    with pytest.raises(PolyGuardError, match="MedRec"):
        AGENTS["Nobody"]


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_ends_in_a_candidate_and_a_trace_of_json(observation: PolyGuardObservation, mode: str) -> None:
    decision = made(observation, mode)
    assert decision.candidate in observation.candidates
    assert decision.action.candidate_id == decision.candidate.candidate_id
    assert json.loads(json.dumps(decision.to_dict())) == json.loads(json.dumps(made(observation, mode).to_dict()))
    spoken = [note.agent for note in decision.trace]
    assert spoken[0] == "MedRec" and spoken[-1] == "Explainer" and "Critic" in spoken
    assert "not a medical device" in decision.explanation


def test_an_illegal_or_harmful_choice_is_vetoed_with_its_reason(observation: PolyGuardObservation) -> None:
    chooser = insisting(observation, "increase citalopram to 40 mg")
    decision = made(observation, chooser=chooser)
    assert decision.abstained and decision.candidate.action_type is ActionType.REQUEST_SPECIALIST_REVIEW
    reasons = {reason["reason"] for veto in decision.vetoes for reason in veto["reasons"]}
    assert "dose_above_maximum" in reasons
    again = made(observation, "replan_on_veto", chooser=chooser)
    assert not again.abstained and again.candidate.text != "increase citalopram to 40 mg"
    assert again.vetoes[0]["text"] == "increase citalopram to 40 mg"


def test_leaving_a_major_finding_that_can_be_resolved_is_vetoed(observation: PolyGuardObservation) -> None:
    decision = made(observation, chooser=insisting(observation, "finish"))
    assert [r["reason"] for r in decision.vetoes[0]["reasons"]] == ["leaves_major_finding"]
    silent = made(observation, chooser=insisting(observation, "finish"), without=["critic"])
    assert silent.candidate.text == "finish" and not silent.vetoes


def test_the_supervisor_narrows_what_the_planner_may_take(observation: PolyGuardObservation) -> None:
    decision = made(observation, "supervisor_routed", chooser=insisting(observation, "reduce citalopram to 10 mg"))
    assert decision.route == "regimen" and not decision.candidate.text.startswith("reduce")
    planner = next(note for note in decision.trace if note.agent == "Planner")
    assert planner.details["among"] < len(observation.candidates)


def test_a_debate_takes_the_side_with_more_for_it(observation: PolyGuardObservation) -> None:
    decision = made(observation, "lightweight_debate", chooser=insisting(observation, "stop dapagliflozin"))
    debate = next(note for note in decision.trace if note.agent == "Debate")
    assert debate.details["winner"] == decision.candidate.candidate_id
    assert decision.candidate.text == "stop dofetilide"


@pytest.mark.parametrize("part", ABLATIONS)
def test_an_ablation_silences_its_agent(observation: PolyGuardObservation, part: str) -> None:
    decision = made(observation, without=[part])
    assert ABLATIONS[part] not in [note.agent for note in decision.trace] and decision.without == (part,)
    if part == "graph":
        assert "interaction" not in decision.explanation


def test_the_agents_read_nothing_the_observation_hides(observation: PolyGuardObservation) -> None:
    env = PolyGuardEnv()
    seen = env.reset(seed=0, scenario_id="train-REGIMEN_RISK-hard-000001")
    hidden = {name for name in env.scenario.hidden if not name.startswith("indication:")}
    patient = patient_of(seen)
    assert not hidden & set(patient.measurements)
    before = json.dumps(env.get_state(), sort_keys=True)
    decide(seen, env.knowledge, RULES)
    assert json.dumps(env.get_state(), sort_keys=True) == before


def test_privileged_policies_cannot_plan() -> None:
    with pytest.raises(PolyGuardError, match="observation alone"):
        PolicyChooser(POLICIES["oracle"]())


def test_replanning_earns_more_than_the_planner_alone() -> None:
    env = PolyGuardEnv()

    def mean(mode: str | None) -> float:
        rewards = []
        for number in range(12):
            seen = env.reset(seed=1, scenario_id=f"holdout-DDI-medium-{number:06d}")
            while not seen.done:
                action = RULES.choose(seen) if mode is None else decide(seen, env.knowledge, RULES, mode).action
                seen = env.step(action)
            rewards.append(seen.info["episode_reward"])
        return sum(rewards) / len(rewards)

    assert mean("lightweight_debate") > mean(None)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"patient": {}}, "observation.patient"), ({"candidates": []}, "observation.candidates"),
        ({"text": " "}, "observation.text"), ({"regimen": [{"drug_id": "warfarin"}]}, r"observation.regimen\[0\]"),
    ],
)  # fmt: skip
def test_observations_from_outside_are_checked(
    observation: PolyGuardObservation, change: dict[str, object], field: str
) -> None:
    env = PolyGuardEnv()
    assert checked_observation(observation, env.knowledge) is observation
    with pytest.raises(PolyGuardError, match=field):
        checked_observation(observation.model_copy(update=change), env.knowledge)


def test_a_board_needs_an_open_episode_and_known_parts(observation: PolyGuardObservation) -> None:
    board = Board(observation, PolyGuardEnv().knowledge, RULES)
    with pytest.raises(PolyGuardError, match="MedRec"):
        board.person()
    for bad in ({"observation": observation.model_copy(update={"candidates": []})}, {"without": frozenset({"all"})}):
        with pytest.raises(PolyGuardError):
            replace(board, **bad)  # type: ignore[arg-type]
