"""Candidates of a step: the fixes worth weighing, honest distractors and illegal options, shuffled."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from polyguard_env.environment.episode import EpisodeState, Scenario, needs_taper
from polyguard_env.environment.messages import ActionType
from polyguard_env.environment.potential import Risk
from polyguard_env.environment.splits import interaction_allowed
from polyguard_env.knowledge.schema import SEVERITY_RANK
from polyguard_env.risk.index import RuleIndex, terms

LEAST_DISTRACTORS = 2
MOST = {"easy": 6, "medium": 7, "hard": 8}
MEASUREMENT_WORD = {
    "egfr": "kidney function",
    "crcl": "kidney function",
    "creatinine": "kidney function",
    "haemoglobin": "blood count",
    "blood_pressure_standing": "standing BP",
    "heart_rate": "heart rate",
    "qtc": "ECG",
    "inr": "INR",
    "ck": "CK",
    "tsh": "TSH",
    "hba1c": "HbA1c",
}


@dataclass(frozen=True, slots=True)
class Offer:
    """A candidate before it gets its random id, with the verifier's word on its legality."""

    action_type: ActionType
    targets: tuple[str, ...]
    text: str
    legal: bool = True
    reason: str = ""


def drug_word(drug_id: str) -> str:
    return drug_id.replace("_", " ")


def dose_word(dose: float, unit: str) -> str:
    return f"{dose:g} {unit}"


def measurement_word(measurement: str) -> str:
    return MEASUREMENT_WORD.get(measurement, measurement.replace("_", " "))


def offers(
    state: EpisodeState,
    risk: Risk,
    scenario: Scenario,
    index: RuleIndex,
    rng: np.random.Generator,
    value_of: Callable[[Offer], float],
) -> list[Offer]:
    """The step's offers: the best fix there is, other fixes and distractors, one illegal option, shuffled.

    Fixes and distractors are of the same kinds (stop, taper, switch, reduce, check), so neither the
    kind nor the place of a candidate tells which is right: distractors of the best fix's own kind
    come first.

    Args:
        value_of: the verifier's value of an offer; it only makes sure that the best fix is offered.
    """
    fixes = unique(fix_offers(state, risk, scenario, index))
    values = [value_of(offer) for offer in fixes]
    chosen = [fixes[int(np.argmax(values))]] if fixes else []
    seen = {offer.text for offer in chosen}
    others = unique(offer for offer in fixes if offer.text not in seen)
    others = [others[int(place)] for place in rng.permutation(len(others))]
    seen |= {offer.text for offer in others}
    distractors = [offer for offer in unique(distractor_offers(state, scenario, index)) if offer.text not in seen]
    distractors = [distractors[int(place)] for place in rng.permutation(len(distractors))]
    if chosen:
        distractors.sort(key=lambda offer: offer.action_type is not chosen[0].action_type)
    illegal = unique(illegal_offers(state, scenario, index))
    illegal = [illegal[int(rng.integers(len(illegal)))]] if illegal else []
    always = [Offer(ActionType.FINISH, (), "finish")]
    if state.reviews == 0 and bool(rng.integers(2)):
        always.append(Offer(ActionType.REQUEST_SPECIALIST_REVIEW, (), "ask specialist"))
    else:
        always.append(Offer(ActionType.KEEP_REGIMEN, (), "keep regimen"))
    room = MOST[scenario.difficulty] - len(chosen) - len(always) - len(illegal)
    plain = min(len(distractors), max(LEAST_DISTRACTORS, room - len(others)))
    chosen += others[: room - plain] + distractors[:plain] + always + illegal
    return [chosen[int(place)] for place in rng.permutation(len(chosen))]


def unique(found: Iterable[Offer]) -> list[Offer]:
    """Offers without repeated texts, first one kept."""
    kept: dict[str, Offer] = {}
    for offer in found:
        kept.setdefault(offer.text, offer)
    return list(kept.values())


def fix_offers(state: EpisodeState, risk: Risk, scenario: Scenario, index: RuleIndex) -> Iterable[Offer]:
    """Ways to resolve each finding, worst finding first."""
    ranked = sorted(risk.weights, key=lambda pair: (-pair[1], -SEVERITY_RANK[pair[0].severity], pair[0].finding_id))
    for finding, weight in ranked:
        if weight < 0.15 or finding.category == "withdrawal":
            continue
        if finding.category == "omission":
            yield from add_offers(finding.drugs[0], finding.mechanism, state, scenario, index)
            continue
        drugs = [d for d in finding.drugs if d in state.regimen]
        for drug_id in drugs:
            if finding.limit is not None:
                yield from reduce_to(drug_id, finding.limit, state, index)
            yield from swap_offers(drug_id, state, scenario, index)
            yield from end_offers(drug_id, state, scenario, index)
        if finding.measurement and finding.measurement not in state.monitored:
            yield check_offer(finding.measurement)
        if finding.management.startswith("reduce_dose"):
            for drug_id in drugs:
                yield from lower_offer(drug_id, state, index)
    for measurement in sorted(scenario.hidden - state.known):
        if not measurement.startswith("indication:"):
            yield check_offer(measurement)


def end_offers(drug_id: str, state: EpisodeState, scenario: Scenario, index: RuleIndex) -> Iterable[Offer]:
    """Stop, and taper where the drug needs one (or has begun one)."""
    taken = state.regimen[drug_id]
    word = drug_word(drug_id)
    if needs_taper(drug_id, taken, index) or (taken.tapering and taken.dose > 0):
        yield Offer(ActionType.TAPER_DRUG, (drug_id,), f"taper {word}")
    yield Offer(ActionType.STOP_DRUG, (drug_id,), f"stop {word}")


def swap_offers(drug_id: str, state: EpisodeState, scenario: Scenario, index: RuleIndex) -> Iterable[Offer]:
    """Substitutions of the table that fit the indication and break no split."""
    indication = state.regimen[drug_id].indication
    others = [name for name in state.regimen if name != drug_id]
    present = {*others, *scenario.patient.conditions}.union(*(index.drug(name).classes for name in others))
    shown = 0
    for rule in index.rules("substitution", drug_id):
        new = rule.fields["replacement"]
        if not can_start(new, drug_id, state, scenario, index):
            continue
        if rule.fields.get("indication") and rule.fields["indication"] != indication:
            continue
        if terms(rule.fields.get("wrong_if", "")) & present:
            continue
        yield Offer(ActionType.SUBSTITUTE_DRUG, (drug_id, new), f"switch {drug_word(drug_id)} to {drug_word(new)}")
        shown += 1
        if shown == 2:
            return


def can_start(new: str, old: str, state: EpisodeState, scenario: Scenario, index: RuleIndex) -> bool:
    """A drug may be offered: profiled, not taken, no allergy, its interactions within the split."""
    drug = index.knowledge.drugs.get(new)
    if drug is None or drug.profile is None or new in state.regimen:
        return False
    if {new, *drug.classes} & set(scenario.patient.allergies):
        return False
    return all(interaction_allowed(new, other, scenario.split, index) for other in state.regimen if other != old)


def add_offers(
    drug_id: str, condition: str, state: EpisodeState, scenario: Scenario, index: RuleIndex
) -> Iterable[Offer]:
    if can_start(drug_id, "", state, scenario, index):
        yield Offer(ActionType.ADD_DRUG, (drug_id, condition), f"add {drug_word(drug_id)}")


def reduce_to(drug_id: str, limit: float, state: EpisodeState, index: RuleIndex) -> Iterable[Offer]:
    profile = index.profile(drug_id)
    if profile and 0 < limit < state.regimen[drug_id].dose:
        text = f"reduce {drug_word(drug_id)} to {dose_word(limit, profile.dose_unit)}"
        yield Offer(ActionType.REDUCE_DOSE, (drug_id, f"{limit:g}"), text)


def lower_offer(drug_id: str, state: EpisodeState, index: RuleIndex) -> Iterable[Offer]:
    """Halve a dose, not below the drug's lowest usual dose."""
    profile = index.profile(drug_id)
    if profile:
        dose = max(profile.dose_min, round(state.regimen[drug_id].dose / 2, 4))
        if dose < state.regimen[drug_id].dose:
            text = f"reduce {drug_word(drug_id)} to {dose_word(dose, profile.dose_unit)}"
            yield Offer(ActionType.REDUCE_DOSE, (drug_id, f"{dose:g}"), text)


def check_offer(measurement: str) -> Offer:
    return Offer(ActionType.ORDER_MONITORING, (measurement,), f"check {measurement_word(measurement)}")


def distractor_offers(state: EpisodeState, scenario: Scenario, index: RuleIndex) -> Iterable[Offer]:
    """Legal actions of the same kinds as the fixes, on any drug of the regimen."""
    for drug_id in sorted(state.regimen):
        yield from end_offers(drug_id, state, scenario, index)
        yield from swap_offers(drug_id, state, scenario, index)
        yield from lower_offer(drug_id, state, index)
        profile = index.profile(drug_id)
        for measurement in profile.monitoring[:1] if profile else ():
            yield check_offer(measurement)
        if profile and state.regimen[drug_id].dose * 1.5 <= profile.dose_max:
            dose = round(state.regimen[drug_id].dose * 1.5, 4)
            text = f"increase {drug_word(drug_id)} to {dose_word(dose, profile.dose_unit)}"
            yield Offer(ActionType.INCREASE_DOSE, (drug_id, f"{dose:g}"), text)


def illegal_offers(state: EpisodeState, scenario: Scenario, index: RuleIndex) -> Iterable[Offer]:
    """Options that break a rule the observation lets an agent see: dose ceilings, allergies, absent drugs."""
    for drug_id in sorted(state.regimen):
        profile = index.profile(drug_id)
        if profile:
            dose = round(profile.dose_max * 2, 4)
            yield Offer(
                ActionType.INCREASE_DOSE,
                (drug_id, f"{dose:g}"),
                f"increase {drug_word(drug_id)} to {dose_word(dose, profile.dose_unit)}",
                legal=False,
                reason="dose_above_maximum",
            )
        for rule in index.rules("substitution", drug_id):
            new = rule.fields["replacement"]
            drug = index.knowledge.drugs.get(new)
            if drug and {new, *drug.classes} & set(scenario.patient.allergies) and new not in state.regimen:
                yield Offer(
                    ActionType.SUBSTITUTE_DRUG,
                    (drug_id, new),
                    f"switch {drug_word(drug_id)} to {drug_word(new)}",
                    legal=False,
                    reason="allergy",
                )
    for item in scenario.patient.regimen:
        if item.drug_id not in state.regimen:
            yield Offer(
                ActionType.STOP_DRUG,
                (item.drug_id,),
                f"stop {drug_word(item.drug_id)}",
                legal=False,
                reason="drug_not_taken",
            )
