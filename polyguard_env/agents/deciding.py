"""The agents that decide: Planner chooses, Critic may veto, Explainer says why in words."""

from __future__ import annotations

from polyguard_env.agents.board import Board, Forecast, Note, Veto
from polyguard_env.agents.clinical import shown
from polyguard_env.agents.weighing import ranking
from polyguard_env.environment.messages import DISCLAIMER, ActionType, Candidate
from polyguard_env.risk.findings import Finding
from polyguard_env.risk.review import rule_index

SEVERE = ("contraindicated", "major")
# Conditions that must not lose their only drug (their weight untreated, 0-4).
NEEDED = 3.0
IDLE = frozenset({ActionType.KEEP_REGIMEN, ActionType.FINISH})
OBJECTION_WORDS = {
    "drug_not_taken": "the drug is not in the regimen",
    "allergy": "the patient is allergic to it",
    "already_taken": "the drug is in the regimen already",
    "dose_above_maximum": "the dose is above the highest at this age",
    "abrupt_stop": "the drug needs a taper and would be stopped at once",
    "drug_held": "the drug is held already",
}


class Planner:
    """Lets the chooser (a policy or a model) pick among the candidates that are allowed."""

    name = "Planner"
    role = "lets the policy choose among the allowed candidates"

    def run(self, board: Board) -> Note:
        seen = board.observation.model_copy(update={"candidates": list(board.allowed)})
        board.action = board.chooser.choose(seen)
        chosen = board.chosen()
        confidence = board.action.confidence
        says = f"{board.chooser.name} chooses: {chosen.text}"
        if confidence is not None:
            says += f" (confidence {confidence:.2f})"
        details = {
            "chooser": board.chooser.name, "candidate_id": chosen.candidate_id, "text": chosen.text,
            "confidence": confidence, "among": len(board.allowed),
        }  # fmt: skip
        return Note(self.name, says, details, tuple(board.action.evidence_ids))


class Critic:
    """Vetoes a choice that breaks a rule, adds a major finding, or leaves one that a candidate would resolve."""

    name = "Critic"
    role = "vetoes a harmful choice and says why"

    def run(self, board: Board) -> Note:
        chosen = board.chosen()
        reasons = complaints(chosen, board)
        if not reasons:
            return Note(self.name, "no objection", {"candidate_id": chosen.candidate_id, "veto": False, "reasons": []})
        board.vetoes.append(Veto(chosen.candidate_id, chosen.text, reasons))
        details = {
            "candidate_id": chosen.candidate_id, "veto": True,
            "reasons": [{"reason": name, "text": text} for name, text in reasons],
        }  # fmt: skip
        return Note(self.name, f"veto of {chosen.text}: {'; '.join(text for _, text in reasons)}", details)


class Explainer:
    """Puts the decision into words, from the notes alone."""

    name = "Explainer"
    role = "explains the choice from the findings and the critic's word"

    def run(self, board: Board) -> Note:
        chosen = board.chosen()
        ahead = board.forecasts.get(chosen.candidate_id)
        parts = [f"{chosen.text[:1].upper()}{chosen.text[1:]}, chosen by {board.chooser.name}."]
        kept = [f for f in board.findings if f.severity in SEVERE and ahead and f not in ahead.resolved]
        if ahead:
            parts += _effects(ahead)
            if kept:
                parts.append(f"It leaves: {_listed(kept)}.")
        for veto in board.vetoes:
            parts.append(f"The critic vetoed {veto.text}: {'; '.join(text for _, text in veto.reasons)}.")
        if not board.vetoes and "critic" not in board.without:
            parts.append("The critic had no objection.")
        evidence = list(board.action.evidence_ids) if board.action else []
        if ahead:
            evidence += [e for f in ahead.resolved for e in f.evidence_ids]
        parts.append(DISCLAIMER)
        details = {
            "resolved": [shown(f) for f in ahead.resolved] if ahead else [],
            "added": [shown(f) for f in ahead.added] if ahead else [],
            "left": [shown(f) for f in kept],
            "untreated": list(ahead.untreated) if ahead else [],
        }
        return Note(self.name, " ".join(parts), details, tuple(dict.fromkeys(evidence)))


def complaints(chosen: Candidate, board: Board) -> tuple[tuple[str, str], ...]:
    """Named reasons against a candidate, each with a sentence; none when it may pass."""
    ahead = board.forecasts[chosen.candidate_id]
    found = [(name, OBJECTION_WORDS[name]) for name in ahead.objections]
    index = rule_index(board.knowledge)
    severe = [f for f in ahead.added if f.severity in SEVERE]
    if severe:
        found.append(("adds_major_finding", f"it adds {_listed(severe)}"))
    needed = [c for c in ahead.untreated if index.priority(c) >= NEEDED]
    if needed:
        found.append(("leaves_condition_untreated", f"{', '.join(index.short(c) for c in needed)} loses its only drug"))
    if chosen.action_type in IDLE:
        better = next((f for f in ranking(board) if not f.objections and _resolves_severe(f) and f.value > 0), None)
        if better is not None:
            left = [f for f in better.resolved if f.severity in SEVERE]
            found.append(("leaves_major_finding", f"{_listed(left)} stays, and '{better.candidate.text}' resolves it"))
    return tuple(found)


def _resolves_severe(ahead: Forecast) -> bool:
    return any(f.severity in SEVERE for f in ahead.resolved) and not any(f.severity in SEVERE for f in ahead.added)


def _effects(ahead: Forecast) -> list[str]:
    parts = []
    if ahead.resolved:
        parts.append(f"It resolves: {_listed(ahead.resolved)}.")
    if ahead.added:
        parts.append(f"It adds: {_listed(ahead.added)}.")
    if ahead.untreated:
        parts.append(f"Left without treatment: {', '.join(c.replace('_', ' ') for c in ahead.untreated)}.")
    return parts or ["It changes no finding."]


def _listed(findings: tuple[Finding, ...] | list[Finding], most: int = 4) -> str:
    words = [
        f"{f.severity} {f.category.replace('_', ' ')} of {' + '.join(d.replace('_', ' ') for d in f.drugs)} "
        f"({f.mechanism.replace('_', ' ')})"
        for f in findings[:most]
    ]
    more = len(findings) - most
    return "; ".join(words) + (f"; {more} more" if more > 0 else "")
