"""A rule-based policy: what a prescribing-alert system does with the same observation, no peeking.

It weighs each option: the alerts it answers (`alerts.py`), less the treatment it costs and the withdrawal it risks.
"""

from __future__ import annotations

from typing import Any

from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.environment.messages import ActionType, Candidate, PolyGuardAction, PolyGuardObservation
from polyguard_env.environment.pool import ILLNESSES
from polyguard_env.policies.alerts import ILL, alerts_by_drug, codes, dose_range, pair_alert
from polyguard_env.policies.policy import Policy, answer

Alerts = dict[str, dict[str, float]]
NEEDS: dict[float, str] = {
    4.0: "organ_transplant kidney_transplant mechanical_heart_valve adrenal_insufficiency",
    3.0: "ventricular_arrhythmia venous_thromboembolism tuberculosis schizophrenia parkinsons_disease hiv hfref "
    "epilepsy breast_cancer bipolar_disorder atrial_fibrillation",
    2.5: "stroke prostate_cancer pneumonia myocardial_infarction coronary_artery_disease",
    2.0: "rheumatoid_arthritis infection_bacterial hypothyroidism hyperthyroidism hfpef diabetes copd asthma",
    1.5: "hypertension depression angina peripheral_arterial_disease peptic_ulcer infection_viral infection_fungal",
    0.8: "osteoarthritis neuropathic_pain dementia chronic_pain bph anxiety anaemia spasticity migraine fibromyalgia",
    0.35: "insomnia gerd allergic_rhinitis constipation nausea vertigo overactive_bladder urinary_incontinence "
    "pruritus restless_legs erectile_dysfunction vitamin_d_deficiency menopause_symptoms agitation_dementia",
}  # fmt: skip
NEED = {condition: need for need, names in NEEDS.items() for condition in names.split()}
USUAL_NEED, UNKNOWN_NEED = 1.0, 1.5
# Withdrawal that stopping at once what needs a taper risks, and what a step of a taper leaves of alerts and treatment.
WITHDRAWAL = 3.0
TAPERED, TREATED_AFTER = 0.85, 0.1
LONG_TAPERED, LONG_CUT, LONG_LATER = 0.5, 0.25, 0.15
SWITCHED, KIDNEY_SWITCHED = 0.9, 0.95
REDUCED_PAIR = 0.2
CHANGE, SWITCH, LOOK_UP = 0.05, 0.08, 0.74
NEEDLESS, REFUSED = -0.5, -9.0
LAB, UNASKED_LAB, URGENT_LAB = 0.35, -0.04, 2.5
ASK, ASK_FROM = 0.3, 3.0
LEAST_GAIN = 0.25
MISSING_DRUG = 0.4
KIDNEY = frozenset({"creatinine", "crcl", "egfr"})
STARTS = frozenset({ActionType.SUBSTITUTE_DRUG, ActionType.RECOMMEND_ALTERNATIVE, ActionType.ADD_DRUG})
DOSES = frozenset({ActionType.REDUCE_DOSE, ActionType.INCREASE_DOSE})
CHANGES = STARTS | {ActionType.STOP_DRUG, ActionType.TAPER_DRUG, ActionType.REDUCE_DOSE}
WAITS = {ActionType.KEEP_REGIMEN: -0.15, ActionType.FINISH: 0.0}
# Share of its treatment that a pause costs, what pausing costs beside, and a lasting change where a pause would do.
PAUSED, PAUSE, LASTING = 0.1, 0.1, 0.5


class RuleBased(Policy):
    """Takes the option worth most by the alerts it answers; looks up what is missing; finishes when nothing is left."""

    name = "rule_based"

    def choose(self, env: PolyGuardEnv, observation: PolyGuardObservation) -> PolyGuardAction:
        alerts = alerts_by_drug(observation)
        scores = [worth(candidate, observation, alerts) for candidate in observation.candidates]
        best = max(range(len(scores)), key=lambda place: (scores[place], observation.candidates[place].text))
        return answer(observation.candidates[best], observation, confidence=0.8)


def worth(candidate: Candidate, observation: PolyGuardObservation, alerts: Alerts) -> float:
    """What an option seems to gain; nothing (finish) is 0, and a change has to gain more than `LEAST_GAIN`."""
    kind, targets, patient = candidate.action_type, candidate.targets, observation.patient
    if kind in WAITS:
        return WAITS[kind]
    if kind is ActionType.REQUEST_SPECIALIST_REVIEW:
        return ASK if worst_alert(alerts) >= ASK_FROM else -0.12
    if kind in (ActionType.ORDER_MONITORING, ActionType.FETCH_EXTERNAL_EVIDENCE, ActionType.DECOMPOSE_NEW_DRUG):
        return look_up_worth(candidate, observation)
    if kind is ActionType.TEST_COMBINATION:
        return combination_worth(targets, observation)
    if kind in STARTS and (patient["allergies"] is None or targets[-1] in patient["allergies"]):
        return REFUSED
    if kind is ActionType.ADD_DRUG:
        return start_worth(targets, observation)
    entry = next((e for e in observation.regimen if e["drug_id"] == targets[0]), None)
    if entry is None and kind in (ActionType.STOP_DRUG, ActionType.TAPER_DRUG):
        return product_worth(targets[0], observation, alerts)
    if entry is None or not entry["known"]:
        return REFUSED
    passing = passing_alerts(entry, observation)
    if kind is ActionType.HOLD_DOSE:
        gain = hold_worth(entry, passing, observation)
    elif kind in DOSES:
        gain = dose_worth(entry, float(targets[1]), alerts[entry["drug_id"]], observation)
    elif kind in STARTS:
        gain = switch_worth(entry, targets[1], alerts[entry["drug_id"]], observation)
    elif kind is ActionType.TAPER_DRUG:
        gain = taper_worth(entry, alerts[entry["drug_id"]], observation)
    else:
        gain = stop_worth(entry, alerts[entry["drug_id"]], observation)
    if kind in CHANGES and only_passes(entry, passing, alerts[entry["drug_id"]], observation):
        gain -= LASTING
    return gain if gain > LEAST_GAIN else min(gain, LEAST_GAIN) - LEAST_GAIN - CHANGE


def worst_alert(alerts: Alerts) -> float:
    """The worst that stands about any drug, its load and age aside."""
    return max((sum(found.values()) - found["load"] - found["age"] for found in alerts.values()), default=0.0)


def need_of(entry: dict[str, Any], observation: PolyGuardObservation) -> float:
    """What ending a drug costs: the treatment, unless another drug is given for the same and of another class."""
    if entry["indication"] is None:
        return UNKNOWN_NEED
    if not entry["indication"]:
        return 0.0
    same: int = sum(other["indication"] == entry["indication"] for other in observation.regimen)
    return NEED.get(entry["indication"], USUAL_NEED) / same


def stop_worth(entry: dict[str, Any], found: dict[str, float], observation: PolyGuardObservation) -> float:
    abrupt = "taper" in codes(entry) and not (
        entry["tapering"] and observation.sub_environment != "LONGITUDINAL_DEPRESCRIBING"
    )
    return sum(found.values()) - need_of(entry, observation) - (WITHDRAWAL if abrupt else 0.0) - CHANGE


def passing_alerts(entry: dict[str, Any], observation: PolyGuardObservation) -> float:
    """What alarms about a drug only as long as a short course of another, or an acute illness, lasts."""
    if observation.sub_environment == "LONGITUDINAL_DEPRESCRIBING":
        return 0.0
    own = codes(entry)
    found = ILL if "sick_day" in own and set(ILLNESSES) & set(observation.patient["conditions"]) else 0.0
    if "pausable" in own and not entry["course"]:
        found += sum(pair_alert(entry, other) for other in observation.regimen if other["course"])
    return found


def only_passes(
    entry: dict[str, Any], passing: float, found: dict[str, float], observation: PolyGuardObservation
) -> bool:
    """True when a pause, of this drug or of what its course meets, would answer nearly all that alarms about it."""
    if entry["course"]:
        met = [other for other in observation.regimen if "pausable" in codes(other) and not other["course"]]
        passing = sum(pair_alert(entry, other) for other in met)
    return passing > 0 and sum(found.values()) - passing < 1.0


def hold_worth(entry: dict[str, Any], passing: float, observation: PolyGuardObservation) -> float:
    """A pause answers what passes meanwhile; it is no answer to the rest, and abrupt where a taper is needed."""
    if entry["held"]:
        return REFUSED
    abrupt = WITHDRAWAL if "taper" in codes(entry) else 0.0
    return passing - PAUSED * need_of(entry, observation) - abrupt - PAUSE


def taper_worth(entry: dict[str, Any], found: dict[str, float], observation: PolyGuardObservation) -> float:
    """A whole taper is ordered at once, but in deprescribing over weeks, where a step of it is."""
    total, need = sum(found.values()), need_of(entry, observation)
    if observation.sub_environment != "LONGITUDINAL_DEPRESCRIBING":
        return TAPERED * total - (1.0 - TREATED_AFTER) * need - CHANGE
    if entry["tapering"]:
        # What is begun is brought to its end before anything else is.
        return LONG_LATER * total + 1.0 if total >= need else LONG_LATER * total - LONG_CUT * need
    under_way = any(other["tapering"] for other in observation.regimen)
    gain = LONG_TAPERED * total - LONG_CUT * need if total > need else total - need
    return gain * (0.5 if under_way else 1.0) - CHANGE


def switch_worth(entry: dict[str, Any], new: str, found: dict[str, float], observation: PolyGuardObservation) -> float:
    """The new drug answers most alerts; its own facts are not shown."""
    total = sum(found.values()) - found["load"]
    gain = SWITCHED * total + 0.5 * found["load"] - SWITCH
    if "taper" in codes(entry) and not entry["tapering"]:
        gain -= WITHDRAWAL
    return gain


def product_worth(name: str, observation: PolyGuardObservation, alerts: Alerts) -> float:
    """Ending a product ends all its ingredients."""
    held = [entry for entry in observation.regimen if entry["product"] == name]
    if not held or any(entry["unit"] == "product" for entry in held):
        return REFUSED
    gain = sum(stop_worth(entry, alerts[entry["drug_id"]], observation) for entry in held)
    gain -= sum(pair_alert(one, other) for one in held for other in held if one["drug_id"] < other["drug_id"])
    return gain if gain > LEAST_GAIN else min(gain, LEAST_GAIN) - LEAST_GAIN - CHANGE


def start_worth(targets: list[str], observation: PolyGuardObservation) -> float:
    """A drug that a condition calls for which nothing treats."""
    condition = targets[1] if len(targets) > 1 else ""
    held = condition in observation.patient["conditions"]
    treated = any(entry["indication"] in (condition, None) for entry in observation.regimen)
    return MISSING_DRUG if held and not treated and NEED.get(condition, USUAL_NEED) >= 2.5 else NEEDLESS


def look_up_worth(candidate: Candidate, observation: PolyGuardObservation) -> float:
    """A look-up is worth taking when it shows what is missing; kidneys first where doses hang on them."""
    kind, missing = candidate.action_type, set(observation.patient["to_check"])
    target = candidate.targets[0] if candidate.targets else ""
    if kind is ActionType.DECOMPOSE_NEW_DRUG:
        return LOOK_UP if f"product:{target}" in missing else NEEDLESS
    if kind is ActionType.FETCH_EXTERNAL_EVIDENCE:
        if f"facts:{target}" in missing:
            return LOOK_UP
        chart = "allergies" in missing or any(name.startswith("indication:") for name in missing)
        return LOOK_UP if target == "chart" and chart else NEEDLESS
    if target in missing or (target in KIDNEY and missing & KIDNEY):
        urgent = target in KIDNEY and observation.sub_environment == "PRECISION_DOSING"
        return URGENT_LAB if urgent else LAB
    return UNASKED_LAB - 0.1


def combination_worth(drugs: list[str], observation: PolyGuardObservation) -> float:
    """A combination is worth a test when two of its drugs alarm together, and it was not tested yet."""
    name = "test:" + "+".join(sorted(drugs))
    if any(item.get("id") == name for item in observation.evidence):
        return -1.0
    entries = [entry for entry in observation.regimen if entry["drug_id"] in drugs]
    pairs = [pair_alert(one, other) for i, one in enumerate(entries) for other in entries[:i]]
    return sum(pairs) - 1.0 if pairs else -1.0


def dose_worth(entry: dict[str, Any], dose: float, found: dict[str, float], observation: PolyGuardObservation) -> float:
    """A new dose is worth what it answers: too little, above the maximum, or kidneys that call for less."""
    lowest, highest = dose_range(entry)
    need = need_of(entry, observation)
    if bool(set(observation.patient["to_check"]) & KIDNEY) and "renal" in codes(entry):
        return REFUSED
    if dose > 1.001 * highest:
        return REFUSED
    if dose > entry["dose"]:
        treated = min(1.0, entry["dose"] / (0.95 * lowest)) if lowest else 1.0
        gain = need * (min(1.0, dose / (0.95 * lowest)) - treated) if lowest else 0.0
        return gain - found["kidney"] - 0.02 * dose / highest - CHANGE
    cut = (entry["dose"] - dose) / entry["dose"] if entry["dose"] else 0.0
    gain = found["ceiling"] + (0.3 + 0.6 * cut) * (found["kidney"] + found["genotype"]) + REDUCED_PAIR * found["pair"]
    if lowest and dose < 0.95 * lowest and not found["kidney"]:
        gain -= need * (1.0 - dose / lowest)
    return gain + 0.3 * cut * found["load"] - CHANGE
