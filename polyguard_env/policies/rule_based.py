"""A rule-based policy: what a prescribing-alert system does with the same observation, no peeking."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any

from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.environment.messages import ActionType, Candidate, PolyGuardAction, PolyGuardObservation
from polyguard_env.policies.policy import Policy, answer

CHANGES = (ActionType.SUBSTITUTE_DRUG, ActionType.TAPER_DRUG, ActionType.STOP_DRUG)
GRADED_PAIRS = {"bleeding": 4, "serotonergic": 4, "hyperkalaemia": 2, "bradycardia": 3, "seizure_threshold": 3}
EXPENDABLE = {
    "insomnia", "gerd", "allergic_rhinitis", "constipation", "nausea", "vertigo", "chronic_pain", "osteoarthritis",
    "overactive_bladder", "urinary_incontinence", "pruritus", "anxiety", "neuropathic_pain", "restless_legs",
}  # fmt: skip
LOW_KIDNEYS = 45


class RuleBased(Policy):
    """Ordered rules over role codes: dose ceiling, kidneys, role pairs, duplicates, falls, labs, finish."""

    name = "rule_based"

    def choose(self, env: PolyGuardEnv, observation: PolyGuardObservation) -> PolyGuardAction:
        for candidate in self._proposals(observation):
            if candidate is not None:
                return answer(candidate, observation, confidence=0.7)
        finish = next(c for c in observation.candidates if c.action_type is ActionType.FINISH)
        return answer(finish, observation, confidence=0.6)

    def _proposals(self, observation: PolyGuardObservation) -> Iterator[Candidate | None]:
        regimen = [entry for entry in observation.regimen if not entry["tapering"] or observation.steps_left > 0]
        crcl = observation.patient["crcl"]
        for entry in regimen:
            if _grade(entry, "renal") and crcl is not None and crcl < LOW_KIDNEYS:
                yield _find(observation, entry["drug_id"], (ActionType.REDUCE_DOSE,))
        for entry in regimen:
            if entry["tapering"]:
                yield _find(observation, entry["drug_id"], (ActionType.TAPER_DRUG,))
        for one, other in combinations(regimen, 2):
            if _dangerous(one, other):
                yield _resolve(observation, one, other)
        for one, other in combinations(regimen, 2):
            if _class_of(one) == _class_of(other):
                yield _find(observation, one["drug_id"], CHANGES[1:])
        if observation.patient["falls"]:
            for entry in regimen:
                if _grade(entry, "fall_risk") and entry["indication"] in EXPENDABLE | {""}:
                    yield _find(observation, entry["drug_id"], (ActionType.TAPER_DRUG, ActionType.SUBSTITUTE_DRUG))
        if observation.patient["to_check"]:
            yield next((c for c in observation.candidates if c.action_type is ActionType.ORDER_MONITORING), None)


def _codes(entry: dict[str, Any]) -> dict[str, str]:
    return {fact["fact_id"].partition("#")[2]: fact["code"] for fact in entry["facts"] if fact["code"]}


def _grade(entry: dict[str, Any], role: str) -> int:
    code = _codes(entry).get(role, "")
    return int(code[-1]) if code and code[-1].isdigit() else int(bool(code))


def _class_of(entry: dict[str, Any]) -> str:
    return str(entry["facts"][0]["text"])


def _dangerous(one: dict[str, Any], other: dict[str, Any]) -> bool:
    a, b = _codes(one), _codes(other)
    if a.get("qt") == "QT" and b.get("qt") == "QT":
        return True
    for role, least in GRADED_PAIRS.items():
        if min(_grade(one, role), _grade(other, role)) >= 1 and _grade(one, role) + _grade(other, role) >= least:
            return True
    return _inhibits(a, b) or _inhibits(b, a)


def _inhibits(a: dict[str, str], b: dict[str, str]) -> bool:
    return any(
        role.endswith(("-inhibitor", "-inducer"))
        and code.endswith("!")
        and b.get(f"{role.rpartition('-')[0]}-substrate", "").endswith("!")
        for role, code in a.items()
    )


def _resolve(observation: PolyGuardObservation, one: dict[str, Any], other: dict[str, Any]) -> Candidate | None:
    first, second = sorted((one, other), key=lambda entry: entry["indication"] not in EXPENDABLE | {""})
    for kinds in (CHANGES[:2], CHANGES[2:]):
        for entry in (first, second):
            found = _find(observation, entry["drug_id"], kinds)
            if found:
                return found
    return None


def _find(observation: PolyGuardObservation, drug_id: str, kinds: tuple[ActionType, ...]) -> Candidate | None:
    """The first candidate acting on a drug, in the order of `kinds`; a taper comes before a stop."""
    tapered = any(
        c.action_type is ActionType.TAPER_DRUG and c.targets[0] == drug_id for c in observation.candidates
    )
    for kind in kinds:
        if kind is ActionType.STOP_DRUG and tapered:
            continue
        for candidate in observation.candidates:
            if candidate.action_type is kind and candidate.targets[0] == drug_id:
                return candidate
    return None
