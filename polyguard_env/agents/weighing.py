"""The agents that weigh what can be done: Candidate forecasts each action, Supervisor says which kind is due."""

from __future__ import annotations

from polyguard_env.agents.board import Board, Forecast, Note
from polyguard_env.agents.clinical import counted
from polyguard_env.agents.observed import SWAPPING, facts_of, is_known, patient_after, stated_ceiling
from polyguard_env.agents.pausing import PAUSE_COST, answered_by_pause, only_passes
from polyguard_env.environment.messages import ActionType, Candidate
from polyguard_env.risk.findings import Finding
from polyguard_env.risk.review import rule_index

# How the agents weigh severities; the environment's reward has weights of its own.
WEIGHT = {"contraindicated": 6.0, "major": 3.0, "moderate": 1.0, "minor": 0.2}
MONITORED_SHARE = 0.5
UNKNOWN_WORTH = 0.6
WITHDRAWAL_COST = 3.0
DOSE_KINDS = frozenset({ActionType.REDUCE_DOSE, ActionType.INCREASE_DOSE, ActionType.HOLD_DOSE})
# What a lasting change costs of a drug whose only findings a pause would answer.
LASTING_COST = 0.5
REVIEW_KINDS = frozenset(
    {
        ActionType.ORDER_MONITORING, ActionType.FETCH_EXTERNAL_EVIDENCE, ActionType.DECOMPOSE_NEW_DRUG,
        ActionType.TEST_COMBINATION, ActionType.REQUEST_SPECIALIST_REVIEW, ActionType.KEEP_REGIMEN,
    }
)  # fmt: skip
ENDS = (ActionType.STOP_DRUG, ActionType.TAPER_DRUG)


class CandidateForecasts:
    """Carries each candidate out on paper and reviews the regimen again."""

    name = "Candidate"
    role = "forecasts what each candidate does to the findings"

    def run(self, board: Board) -> Note:
        board.forecasts = {c.candidate_id: forecast(c, board) for c in board.observation.candidates}
        ranked = ranking(board)
        rows = [
            {
                "candidate_id": f.candidate.candidate_id, "text": f.candidate.text, "value": round(f.value, 3),
                "resolved": [x.finding_id for x in f.resolved], "added": [x.finding_id for x in f.added],
                "untreated": list(f.untreated), "objections": list(f.objections),
            }
            for f in ranked
        ]  # fmt: skip
        says = f"{counted(len(rows), 'candidate')}; most promising: {ranked[0].candidate.text}"
        return Note(self.name, says, {"forecasts": rows})


class Supervisor:
    """Says what is due: a change of the regimen, of a dose, or a review before anything is changed."""

    name = "Supervisor"
    role = "routes to regimen, dose or review"

    def run(self, board: Board) -> Note:
        heavy = [f for f in board.findings if f.severity in ("contraindicated", "major")]
        missing = list(board.observation.patient.get("to_check", ()))
        worst = board.findings[0] if board.findings else None
        if worst is None or (worst.severity == "minor" and not missing):
            route, why = "review", "nothing above a minor finding"
        elif missing and not heavy:
            route, why = "review", f"not known yet: {', '.join(missing[:3])}"
        elif worst.category == "organ_dosing":
            route, why = "dose", f"the worst finding is a dose: {worst.finding_id}"
        else:
            route, why = "regimen", f"the worst finding is {worst.finding_id}"
        board.route = route
        return Note(self.name, f"{route}: {why}", {"route": route, "reason": why})


def forecast(candidate: Candidate, board: Board) -> Forecast:
    """What a candidate would do, from what the observation shows."""
    if candidate.action_type is ActionType.HOLD_DOSE:
        return _of_pause(candidate, board)
    before, patient = {f.finding_id: f for f in board.findings}, board.person()
    changed = patient_after(patient, candidate, board.knowledge)
    after = before if changed is patient else {f.finding_id: f for f in board.review(changed)}
    resolved = tuple(f for key, f in before.items() if key not in after)
    added = tuple(f for key, f in after.items() if key not in before)
    lost = untreated(candidate, board)
    against = objections(candidate, board)
    index = rule_index(board.knowledge)
    value = sum(WEIGHT[f.severity] for f in resolved) - sum(WEIGHT[f.severity] for f in added)
    value -= sum(index.priority(condition) for condition in lost)
    value -= WITHDRAWAL_COST * ("abrupt_stop" in against)
    if candidate.action_type is ActionType.ORDER_MONITORING:
        value += worth_knowing(candidate.targets[0], board)
    if candidate.action_type in (*ENDS, *SWAPPING, ActionType.REDUCE_DOSE):
        value -= LASTING_COST * only_passes(candidate.targets[0], board)
    return Forecast(candidate, resolved, added, lost, against, value)


def _of_pause(candidate: Candidate, board: Board) -> Forecast:
    """A drug that is held comes back: only what passes meanwhile is answered, and its condition waits."""
    drug_id = candidate.targets[0]
    resolved, against = answered_by_pause(drug_id, board), objections(candidate, board)
    indication = next((item.indication for item in board.person().regimen if item.drug_id == drug_id), "")
    value = sum(WEIGHT[f.severity] for f in resolved) - WITHDRAWAL_COST * ("abrupt_stop" in against)
    value -= PAUSE_COST * (1.0 + (rule_index(board.knowledge).priority(indication) if indication else 0.0))
    return Forecast(candidate, resolved, (), (), against, value)


def worth_knowing(measurement: str, board: Board) -> float:
    """What ordering a measurement is worth: it was missing, or it guards against an interaction."""
    missing = measurement in board.observation.patient.get("to_check", ())
    guarded = [f for f in board.findings if f.measurement == measurement and _is_monitored(f)]
    return UNKNOWN_WORTH * missing + MONITORED_SHARE * sum(WEIGHT[f.severity] for f in guarded) * (not missing)


def _is_monitored(finding: Finding) -> bool:
    return finding.category == "interaction" and finding.management.partition(":")[0].strip() == "monitor"


def untreated(candidate: Candidate, board: Board) -> tuple[str, ...]:
    """Conditions whose only drug a candidate takes away."""
    if candidate.action_type not in ENDS or not candidate.targets:
        return ()
    items = board.person().regimen
    ended = next((item for item in items if item.drug_id == candidate.targets[0]), None)
    others = {item.indication for item in items if item is not ended}
    return (ended.indication,) if ended and ended.indication and ended.indication not in others else ()


def objections(candidate: Candidate, board: Board) -> tuple[str, ...]:
    """Named reasons why a candidate must not be taken, each visible in the observation."""
    kind, targets, patient = candidate.action_type, candidate.targets, board.person()
    found = []
    taken = set(patient.drug_ids)
    present = taken | {e["drug_id"] for e in board.observation.regimen}
    if kind in (*ENDS, *SWAPPING, *DOSE_KINDS) and targets and targets[0] not in present:
        found.append("drug_not_taken")
    started = targets[1] if kind in SWAPPING and len(targets) > 1 else targets[0] if kind is ActionType.ADD_DRUG else ""
    drug = board.knowledge.drugs.get(started)
    if drug and {started, *drug.classes} & set(patient.allergies):
        found.append("allergy")
    if drug and started in taken:
        found.append("already_taken")
    entry = next((e for e in board.observation.regimen if targets and e["drug_id"] == targets[0]), None)
    if (
        kind is ActionType.INCREASE_DOSE
        and entry
        and is_known(entry)
        and float(targets[1]) > stated_ceiling(entry) * 1.001
    ):
        found.append("dose_above_maximum")
    needs_taper = bool(targets) and "taper" in facts_of(board.observation, targets[0])
    at_once = kind in (ActionType.STOP_DRUG, ActionType.HOLD_DOSE)
    if at_once and needs_taper and entry and not entry["tapering"] and not entry["held"]:
        found.append("abrupt_stop")
    if kind in (*DOSE_KINDS, ActionType.TAPER_DRUG) and entry and entry["held"]:
        found.append("drug_held")
    return tuple(found)


def ranking(board: Board) -> list[Forecast]:
    """Forecasts, those without objections first, then by value, then by words."""
    return sorted(board.forecasts.values(), key=lambda f: (bool(f.objections), -f.value, f.candidate.text))


def of_route(candidates: list[Candidate], route: str) -> list[Candidate]:
    """The candidates a route allows; finishing is always one of them."""
    named = {"dose": DOSE_KINDS, "review": REVIEW_KINDS}
    changing = frozenset(ActionType) - DOSE_KINDS - REVIEW_KINDS | {ActionType.HOLD_DOSE}
    kinds = named.get(route, changing)
    return [c for c in candidates if c.action_type is ActionType.FINISH or c.action_type in kinds]
