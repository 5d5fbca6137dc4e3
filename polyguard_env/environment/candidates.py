"""Candidates of a step: the fixes worth weighing, honest distractors and illegal options, shuffled."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np

from polyguard_env.environment.episode import EpisodeState, Scenario, needs_taper
from polyguard_env.environment.messages import ActionType
from polyguard_env.environment.observed import KIDNEY, dose_word, drug_word, measurement_word, still_hidden
from polyguard_env.environment.potential import Risk, share_treated
from polyguard_env.environment.splits import interaction_allowed
from polyguard_env.knowledge.schema import SEVERITY_RANK
from polyguard_env.risk.index import RuleIndex, terms
from polyguard_env.risk.review import organ_limits

LEAST_DISTRACTORS = 2
MOST = {"easy": 6, "medium": 7, "hard": 8}


@dataclass(frozen=True, slots=True)
class Offer:
    """A candidate before it gets its random id, with the verifier's word on its legality."""

    action_type: ActionType
    targets: tuple[str, ...]
    text: str
    legal: bool = True
    reason: str = ""


CHART_OFFER = Offer(ActionType.FETCH_EXTERNAL_EVIDENCE, ("chart",), "open the chart")
ON_A_DRUG = frozenset(
    {
        ActionType.STOP_DRUG,
        ActionType.TAPER_DRUG,
        ActionType.REDUCE_DOSE,
        ActionType.INCREASE_DOSE,
        ActionType.SUBSTITUTE_DRUG,
        ActionType.RECOMMEND_ALTERNATIVE,
    }
)
DOSES = frozenset({ActionType.REDUCE_DOSE, ActionType.INCREASE_DOSE})
STARTS = frozenset({ActionType.SUBSTITUTE_DRUG, ActionType.RECOMMEND_ALTERNATIVE, ActionType.ADD_DRUG})


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
    if scenario.combinations:
        return study_offers(state, scenario, rng)
    found = unique([*fix_offers(state, risk, scenario, index), *product_offers(state, scenario)])
    fixes = [offer for offer in found if offer.legal]
    refused = [offer for offer in found if not offer.legal]
    values = [value_of(offer) for offer in fixes]
    chosen = [fixes[int(np.argmax(values))]] if fixes else []
    seen = {offer.text for offer in chosen}
    others = unique(offer for offer in fixes if offer.text not in seen)
    others = [others[int(place)] for place in rng.permutation(len(others))]
    seen |= {offer.text for offer in others}
    distractors = [offer for offer in unique(distractor_offers(state, scenario, index)) if offer.text not in seen]
    refused += [offer for offer in distractors if not offer.legal]
    distractors = [offer for offer in distractors if offer.legal]
    distractors = [distractors[int(place)] for place in rng.permutation(len(distractors))]
    if chosen:
        distractors.sort(key=lambda offer: offer.action_type is not chosen[0].action_type)
    illegal = unique([*refused, *illegal_offers(state, scenario, index)])
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
                yield from reduce_to(drug_id, finding.limit, state, scenario, index)
            yield from swap_offers(drug_id, state, scenario, index)
            yield from end_offers(drug_id, state, scenario, index)
            if scenario.sub_environment == "PRECISION_DOSING":
                yield from dose_offers(drug_id, state, scenario, index)
        if finding.measurement and finding.measurement not in state.monitored:
            yield check_offer(finding.measurement)
        if finding.management.startswith("reduce_dose"):
            for drug_id in drugs:
                yield from lower_offer(drug_id, state, scenario, index)
    for drug_id in sorted(state.regimen):
        if share_treated(drug_id, state.regimen[drug_id], scenario.patient, index) < 1.0:
            yield from dose_offers(drug_id, state, scenario, index)
    yield from reveal_offers(state, scenario)


def reveal_offers(state: EpisodeState, scenario: Scenario) -> Iterable[Offer]:
    """Ways to learn what is hidden: measure, look up, open the chart, take a product apart."""
    kidneys = False
    for name in still_hidden(scenario, state.known):
        kind, _, rest = name.partition(":")
        if kind == "facts":
            if rest in state.regimen:
                yield look_up_offer(rest)
        elif kind == "product":
            yield Offer(ActionType.DECOMPOSE_NEW_DRUG, (rest,), f"take apart {rest}")
        elif kind in ("indication", "allergies"):
            yield CHART_OFFER
        elif name not in KIDNEY or not kidneys:
            kidneys = kidneys or name in KIDNEY
            yield check_offer(name)


def look_up_offer(drug_id: str) -> Offer:
    return Offer(ActionType.FETCH_EXTERNAL_EVIDENCE, (drug_id,), f"look up {drug_word(drug_id)}")


def product_offers(state: EpisodeState, scenario: Scenario) -> Iterable[Offer]:
    """A product is stopped as a whole, once it has been taken apart."""
    for product in scenario.products:
        if set(product.drug_ids) <= set(state.regimen):
            known = f"product:{product.name}" not in still_hidden(scenario, state.known)
            reason = "" if known else "acted_on_unknown"
            yield Offer(ActionType.STOP_DRUG, (product.name,), f"stop {product.name}", known, reason)


def study_offers(state: EpisodeState, scenario: Scenario, rng: np.random.Generator) -> list[Offer]:
    """Four or five combinations nobody has tested, one that somebody has, finish, and now and then keep."""
    every = [
        Offer(ActionType.TEST_COMBINATION, drugs, "test " + " + ".join(drug_word(name) for name in drugs))
        for drugs in scenario.combinations
    ]
    every = [every[int(place)] for place in rng.permutation(len(every))]
    fresh = [offer for offer in every if "+".join(offer.targets) not in state.tested]
    stale = [offer for offer in every if "+".join(offer.targets) in state.tested]
    chosen = [*fresh[: 4 + int(rng.integers(2))], *stale[:1], Offer(ActionType.FINISH, (), "finish")]
    if rng.random() < 0.5:
        chosen.append(Offer(ActionType.KEEP_REGIMEN, (), "keep regimen"))
    return [chosen[int(place)] for place in rng.permutation(len(chosen))]


def open_to(offer: Offer, state: EpisodeState, scenario: Scenario, index: RuleIndex) -> Offer:
    """The offer, refused where it would act on what the agent has not been shown."""
    if not scenario.hidden or not offer.targets:
        return offer
    hidden, target = still_hidden(scenario, state.known), offer.targets[0]
    concealed = {drug for p in scenario.products if f"product:{p.name}" in hidden for drug in p.drug_ids}
    reason = ""
    if offer.action_type in ON_A_DRUG and (f"facts:{target}" in hidden or target in concealed):
        reason = "acted_on_unknown"
    elif offer.action_type in DOSES and KIDNEY & set(hidden) and index.rules("renal", target):
        reason = "kidney_function_unknown"
    elif offer.action_type in STARTS and "allergies" in hidden:
        reason = "allergies_unknown"
    return replace(offer, legal=False, reason=reason) if reason else offer


def dose_offers(drug_id: str, state: EpisodeState, scenario: Scenario, index: RuleIndex) -> Iterable[Offer]:
    """Doses that these organs, the usual range, or half and half again point to."""
    profile = index.profile(drug_id)
    if profile is None or state.regimen[drug_id].dose <= 0 or drug_id in parts(scenario):
        return
    dose = state.regimen[drug_id].dose
    levels = [limit for limit in organ_limits(drug_id, scenario.patient, index) if limit > 0]
    levels += [profile.dose_min, profile.dose_usual, profile.dose_max, round(dose / 2, 4)]
    for level in dict.fromkeys(levels):
        if 0 < level < dose:
            yield dose_offer(ActionType.REDUCE_DOSE, drug_id, level, state, scenario, index)
        elif dose < level <= profile.dose_max:
            yield dose_offer(ActionType.INCREASE_DOSE, drug_id, level, state, scenario, index)


def dose_offer(
    kind: ActionType, drug_id: str, dose: float, state: EpisodeState, scenario: Scenario, index: RuleIndex
) -> Offer:
    profile = index.profile(drug_id)
    verb = "increase" if kind is ActionType.INCREASE_DOSE else "reduce"
    text = f"{verb} {drug_word(drug_id)} to {dose_word(dose, profile.dose_unit if profile else '')}"
    return open_to(Offer(kind, (drug_id, f"{dose:g}"), text), state, scenario, index)


def parts(scenario: Scenario) -> set[str]:
    """The ingredients of the scenario's products."""
    return {drug_id for product in scenario.products for drug_id in product.drug_ids}


def end_offers(drug_id: str, state: EpisodeState, scenario: Scenario, index: RuleIndex) -> Iterable[Offer]:
    """Stop, and taper where the drug needs one (or has begun one)."""
    taken = state.regimen[drug_id]
    word = drug_word(drug_id)
    if drug_id in parts(scenario):
        return
    if needs_taper(drug_id, taken, index) or (taken.tapering and taken.dose > 0):
        yield open_to(Offer(ActionType.TAPER_DRUG, (drug_id,), f"taper {word}"), state, scenario, index)
    yield open_to(Offer(ActionType.STOP_DRUG, (drug_id,), f"stop {word}"), state, scenario, index)


def swap_offers(drug_id: str, state: EpisodeState, scenario: Scenario, index: RuleIndex) -> Iterable[Offer]:
    """Substitutions of the table that fit the indication and break no split."""
    if drug_id in parts(scenario):
        return
    suggest = scenario.sub_environment == "ALTERNATIVE_SUGGESTION"
    kind = ActionType.RECOMMEND_ALTERNATIVE if suggest else ActionType.SUBSTITUTE_DRUG
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
        wrong = bool(terms(rule.fields.get("wrong_if", "")) & present)
        if wrong and not suggest:
            continue
        text = f"switch {drug_word(drug_id)} to {drug_word(new)}"
        yield open_to(Offer(kind, (drug_id, new), text), state, scenario, index)
        shown += not wrong
        if shown == (3 if suggest else 2):
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
        offer = Offer(ActionType.ADD_DRUG, (drug_id, condition), f"add {drug_word(drug_id)}")
        yield open_to(offer, state, scenario, index)


def reduce_to(drug_id: str, limit: float, state: EpisodeState, scenario: Scenario, index: RuleIndex) -> Iterable[Offer]:
    if index.profile(drug_id) and 0 < limit < state.regimen[drug_id].dose and drug_id not in parts(scenario):
        yield dose_offer(ActionType.REDUCE_DOSE, drug_id, limit, state, scenario, index)


def lower_offer(drug_id: str, state: EpisodeState, scenario: Scenario, index: RuleIndex) -> Iterable[Offer]:
    """Halve a dose, not below the drug's lowest usual dose."""
    profile = index.profile(drug_id)
    if profile and drug_id not in parts(scenario):
        dose = max(profile.dose_min, round(state.regimen[drug_id].dose / 2, 4))
        if dose < state.regimen[drug_id].dose:
            yield dose_offer(ActionType.REDUCE_DOSE, drug_id, dose, state, scenario, index)


def check_offer(measurement: str) -> Offer:
    return Offer(ActionType.ORDER_MONITORING, (measurement,), f"check {measurement_word(measurement)}")


def distractor_offers(state: EpisodeState, scenario: Scenario, index: RuleIndex) -> Iterable[Offer]:
    """Legal actions of the same kinds as the fixes, on any drug of the regimen."""
    for drug_id in sorted(state.regimen):
        yield from end_offers(drug_id, state, scenario, index)
        yield from swap_offers(drug_id, state, scenario, index)
        yield from lower_offer(drug_id, state, scenario, index)
        if scenario.sub_environment == "PRECISION_DOSING":
            yield from dose_offers(drug_id, state, scenario, index)
        if scenario.sub_environment == "WEB_SEARCH_MISSING_DATA":
            yield look_up_offer(drug_id)
        profile = index.profile(drug_id)
        for measurement in profile.monitoring[:1] if profile else ():
            yield check_offer(measurement)
        if profile and state.regimen[drug_id].dose * 1.5 <= profile.dose_max and drug_id not in parts(scenario):
            dose = round(state.regimen[drug_id].dose * 1.5, 4)
            yield dose_offer(ActionType.INCREASE_DOSE, drug_id, dose, state, scenario, index)
    if scenario.sub_environment == "WEB_SEARCH_MISSING_DATA":
        yield CHART_OFFER


def illegal_offers(state: EpisodeState, scenario: Scenario, index: RuleIndex) -> Iterable[Offer]:
    """Options that break a rule the observation lets an agent see: dose ceilings, allergies, absent drugs."""
    for drug_id in sorted(set(state.regimen) - parts(scenario)):
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
        if item.drug_id not in state.regimen and item.drug_id not in parts(scenario):
            yield Offer(
                ActionType.STOP_DRUG,
                (item.drug_id,),
                f"stop {drug_word(item.drug_id)}",
                legal=False,
                reason="drug_not_taken",
            )
