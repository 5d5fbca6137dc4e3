"""What withholding a drug for a time promises."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import product

from polyguard_env.engine.parameters import DEFAULTS
from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.environment.messages import Candidate, PolyGuardAction
from polyguard_env.environment.scenarios import make_id
from polyguard_env.trust.second import holds
from polyguard_env.trust.second.agreement import packaged_facts
from tests.trust.posed import SEED, T, best_of, first, step

LOOKED_THROUGH, WANTED, SEEDS = 400, 6, 200
LASTING = (T.STOP_DRUG, T.TAPER_DRUG, T.SUBSTITUTE_DRUG, T.REDUCE_DOSE)


@dataclass(frozen=True, slots=True)
class Offer:
    """A scenario whose first step offers to hold a drug.

    Attributes:
        best: the hold is the best move. harmful: the table says that a pause of the drug harms, or it needs a taper.
        lasts: a short course could be at fault, and is taken for long.
    """

    scenario_id: str
    drug_id: str
    best: bool
    harmful: bool
    lasts: bool


@cache
def offers_to_hold() -> tuple[Offer, ...]:
    """Offers of the train split, found by whole rules."""
    env, facts, found = PolyGuardEnv(), packaged_facts(), []
    cells = (("DDI", "easy"), ("PRECISION_DOSING", "easy"), ("LONGITUDINAL_DEPRESCRIBING", "easy"))
    for (name, difficulty), number in product(cells, range(LOOKED_THROUGH)):
        scenario_id = make_id("train", name, difficulty, number)
        observation, legal = first(env, scenario_id), set(env.legal_candidate_ids())
        items = {item.drug_id: item for item in env.scenario.patient.regimen}
        able = [item for item in items.values() if holds.rule_of(item.drug_id, "course", item.indication, facts)]
        for candidate in observation.candidates:
            if candidate.action_type is T.HOLD_DOSE and candidate.candidate_id in legal:
                item = items[candidate.targets[0]]
                taper = facts.rules_for("taper", item.drug_id)
                due = bool(taper) and item.days >= float(taper[0]["min_days_on_drug"] or 0)
                risky = holds.rule_of(item.drug_id, "harmful", item.indication, facts) is not None
                pausable = holds.rule_of(item.drug_id, "pausable", item.indication, facts) is not None
                long = pausable and any(
                    facts.pairs.get(tuple(sorted((item.drug_id, other.drug_id)))) in ("major", "contraindicated")
                    and not holds.is_course(other.drug_id, other.indication, other.days, facts)
                    for other in able
                )  # fmt: skip
                best = best_of(env, observation).candidate_id == candidate.candidate_id
                found.append(Offer(scenario_id, item.drug_id, best, due or risky, long))
    return tuple(found)


def of_kind(wanted: Callable[[Offer], bool]) -> Iterator[Offer]:
    chosen = [offer for offer in offers_to_hold() if wanted(offer)]
    assert chosen
    yield from chosen[:WANTED]


def hold(env: PolyGuardEnv, offer: Offer) -> Candidate:
    """The offer's candidate, at the first step of its scenario; other rules may lay it out under another seed."""
    for seed in range(SEED, SEED + SEEDS):
        observation = env.reset(seed=seed, scenario_id=offer.scenario_id)
        for candidate in observation.candidates:
            if candidate.action_type is T.HOLD_DOSE and candidate.targets == [offer.drug_id]:
                return candidate
    raise AssertionError(f"{offer.scenario_id} never offers to hold {offer.drug_id}")


def part(env: PolyGuardEnv, name: str) -> float:
    return float(env._episode.state[name])


def a_pause_answers_what_passes(env: PolyGuardEnv) -> None:
    """A severe risk goes with it, and a tenth of the treatment that the drug gives."""
    for offer in of_kind(lambda offer: offer.best):
        candidate = hold(env, offer)
        item = next(i for i in env.scenario.patient.regimen if i.drug_id == offer.drug_id)
        safety, disease = part(env, "safety"), part(env, "disease")
        after = step(env, candidate)
        assert safety - part(env, "safety") >= 2.9
        lost = part(env, "disease") - disease
        assert 0.0 < lost <= 0.1 * env.index.priority(item.indication) + 1e-9
        assert (after.reward or 0.0) > 0.9 and after.info["reasons"] == []


def a_pause_is_no_answer_to_what_lasts(env: PolyGuardEnv) -> None:
    for offer in of_kind(lambda offer: offer.lasts and not offer.harmful):
        candidate = hold(env, offer)
        safety = part(env, "safety")
        step(env, candidate)
        assert safety - part(env, "safety") <= 0.1 * safety + 1e-9


def a_lasting_change_costs_where_a_pause_would_do(env: PolyGuardEnv) -> None:
    """What it is worth is what it takes off the risk, less its own cost and half a unit more."""
    seen = 0
    for offer in [offer for offer in offers_to_hold() if offer.best]:
        hold(env, offer)
        words, rows = env._offered()[1], env._episode.state["candidate"]
        for place, told in enumerate(words):
            row = rows[place]
            if told.action_type in LASTING and told.targets[0] == offer.drug_id and not row["reason"]:
                relief = sum(float(row[name]) for name in ("safety", "dosing", "burden", "disease"))
                assert 0.54 <= relief - float(row["worth"]) <= 0.59
                seen += 1
    assert seen >= WANTED


def a_harmful_pause_is_a_withdrawal(env: PolyGuardEnv) -> None:
    for offer in of_kind(lambda offer: offer.harmful):
        candidate = hold(env, offer)
        safety = part(env, "safety")
        after = step(env, candidate)
        entry = next(e for e in after.regimen if e["drug_id"] == offer.drug_id)
        assert entry["held"] and entry["withdrawal"]
        # What the pause lifts of the rest is at most the share of the time that it lasts.
        harmed = (1.0 - DEFAULTS["held_share"]) * safety + DEFAULTS["withdrawal_minor"]
        assert part(env, "safety") >= harmed - 1e-9 and after.reward is not None and after.reward < 0.6


def a_held_drug_comes_back_and_is_not_held_twice(env: PolyGuardEnv) -> None:
    for offer in of_kind(lambda offer: "LONGITUDINAL" in offer.scenario_id):
        candidate = hold(env, offer)
        after = step(env, candidate)
        assert next(e for e in after.regimen if e["drug_id"] == offer.drug_id)["held"]
        legal = set(env.legal_candidate_ids())
        again = [c for c in after.candidates if c.action_type is T.HOLD_DOSE and c.targets == [offer.drug_id]]
        assert not legal & {c.candidate_id for c in again}
        later = env.step(PolyGuardAction(text="nonsense"))
        assert not next(e for e in later.regimen if e["drug_id"] == offer.drug_id)["held"]


HOLD_SPECIFICATIONS: tuple[Callable[[PolyGuardEnv], None], ...] = (
    a_pause_answers_what_passes, a_pause_is_no_answer_to_what_lasts, a_lasting_change_costs_where_a_pause_would_do,
    a_harmful_pause_is_a_withdrawal, a_held_drug_comes_back_and_is_not_held_twice,
)  # fmt: skip
