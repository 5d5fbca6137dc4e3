"""Scenario generators: problems that are problems, controls that are controls, of one shape; splits and bytes kept."""

from __future__ import annotations

import functools
import subprocess
import sys
import time
from collections import Counter
from itertools import combinations

import pytest

from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.environment.episode import Scenario
from polyguard_env.environment.pool import MAJOR, MODERATE
from polyguard_env.environment.roles import roles_explain
from polyguard_env.environment.scenarios import DIFFICULTIES, SUB_ENVIRONMENTS, make_id
from polyguard_env.environment.splits import SPLITS, UNSEEN_MECHANISMS, pair_split
from polyguard_env.environment.subenvironments.bandit_mining import DANGEROUS
from polyguard_env.knowledge.schema import SEVERITY_RANK
from polyguard_env.risk.combinations import combination_findings
from polyguard_env.risk.contradictions import kidney_function
from polyguard_env.risk.findings import Finding
from polyguard_env.risk.genes import gene_findings
from polyguard_env.risk.index import RuleIndex
from polyguard_env.risk.review import find_all

COUNT = 60
HASHES = """
from hashlib import sha256
from polyguard_env.environment.scenarios import DIFFICULTIES, SUB_ENVIRONMENTS, make_id, scenario_factory
from polyguard_env.knowledge.base import KnowledgeBase
factory = scenario_factory(KnowledgeBase.default())
for name in SUB_ENVIRONMENTS:
    for difficulty in DIFFICULTIES:
        for number in ORDER:
            scenario = factory.find(make_id("holdout", name, difficulty, number))
            fields = [scenario.patient.to_dict(), sorted(scenario.hidden), scenario.products, scenario.combinations]
            print(scenario.scenario_id, scenario.control, sha256(repr(fields).encode()).hexdigest())
"""


@functools.cache
def posed(split: str, name: str, difficulty: str) -> tuple[Scenario, ...]:
    factory = PolyGuardEnv().factory
    return tuple(factory.find(make_id(split, name, difficulty, number)) for number in range(COUNT))


def findings(scenario: Scenario, index: RuleIndex) -> list[Finding]:
    """Findings of moderate severity or worse but missing measurements."""
    patient = scenario.patient
    found = find_all(patient, patient.regimen, index) + gene_findings(patient, patient.regimen, index)
    return [f for f in found if SEVERITY_RANK[f.severity] >= MODERATE and f.category != "monitoring"]


every = pytest.mark.parametrize(
    ("name", "difficulty"), [(name, difficulty) for name in SUB_ENVIRONMENTS for difficulty in DIFFICULTIES]
)


@every
def test_problems_are_about_their_targets_and_controls_about_nothing(
    env: PolyGuardEnv, name: str, difficulty: str
) -> None:
    scenarios = posed("train", name, difficulty)
    assert 0.05 <= sum(scenario.control for scenario in scenarios) / COUNT <= 0.4
    for scenario in scenarios:
        found = findings(scenario, env.index)
        targets = set(scenario.target_drugs)
        if scenario.control:
            assert not targets and scenario.mechanism == "control"
            # A needed drug may carry a burden; nothing else may be wrong.
            assert not [f for f in found if f.category != "burden"]
            assert not found or name == "LONGITUDINAL_DEPRESCRIBING"
            continue
        assert targets and targets <= set(scenario.patient.drug_ids)
        treated = {item.indication for item in scenario.patient.regimen if item.drug_id in targets}
        assert all(set(f.drugs) & targets or f.mechanism in treated for f in found)
        assert found or scenario.mechanism == "under_treatment"


@every
def test_problems_and_controls_have_one_shape(name: str, difficulty: str) -> None:
    """As many conditions as drugs and up to two more; sizes, hidden sets and budgets from the id alone."""
    scenarios = posed("train", name, difficulty)
    extras: dict[bool, set[int]] = {True: set(), False: set()}
    hidden: dict[bool, Counter[tuple[str, ...]]] = {True: Counter(), False: Counter()}
    for scenario in scenarios:
        extra = len(scenario.patient.conditions) - len(scenario.patient.regimen)
        extras[scenario.control].add(extra)
        hidden[scenario.control][tuple(sorted(item.partition(":")[0] for item in scenario.hidden))] += 1
        assert 0 <= extra <= 2
    assert len({scenario.budget for scenario in scenarios}) == 1
    sizes = {control: [len(s.patient.regimen) for s in scenarios if s.control is control] for control in (True, False)}
    assert set(sizes[True]) <= set(sizes[False])
    assert set(hidden[True]) <= set(hidden[False])
    controls, problems = hidden[True].total(), hidden[False].total()
    for shape in hidden[False]:
        # As often as chance lets it be, were both drawn alike: within 2.5 standard errors.
        share = (hidden[True][shape] + hidden[False][shape]) / COUNT
        error = (share * (1 - share) * (1 / controls + 1 / problems)) ** 0.5
        assert abs(hidden[True][shape] / controls - hidden[False][shape] / problems) <= 2.5 * error


@pytest.mark.parametrize("split", SPLITS)
def test_no_scenario_holds_a_pair_of_another_split(env: PolyGuardEnv, split: str) -> None:
    seen: set[bool] = set()
    for name in SUB_ENVIRONMENTS:
        for scenario in posed(split, name, "hard")[:25]:
            drugs = scenario.patient.drug_ids
            assert {pair_split(a, b, env.index) for a, b in combinations(drugs, 2)} <= {None, split}
            if scenario.mechanism in UNSEEN_MECHANISMS:
                seen.add(scenario.unseen_mechanism)
    assert (True in seen) == (split == "holdout")


def test_people_of_two_splits_are_different_people() -> None:
    people = [
        {s.patient.patient_id for name in SUB_ENVIRONMENTS for s in posed(split, name, "hard")} for split in SPLITS
    ]
    assert not any(one & other for one, other in combinations(people, 2))


def test_the_same_id_gives_the_same_scenario_in_any_process_and_order() -> None:
    lines = []
    for salt, order in (("1", "(0, 1, 2)"), ("2", "(2, 0, 1)")):
        code = HASHES.replace("ORDER", order)
        run = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, check=True, env={"PYTHONHASHSEED": salt}
        )
        lines.append(sorted(run.stdout.decode().splitlines()))
    assert lines[0] == lines[1] and len(lines[0]) == 72


def test_ddi_poses_explicit_and_implicit_pairs(env: PolyGuardEnv) -> None:
    kinds = set()
    for scenario in posed("train", "DDI", "easy"):
        if scenario.control:
            continue
        a, b = scenario.target_drugs
        one, other = env.index.profile(a), env.index.profile(b)
        assert one and other
        roles = roles_explain(scenario.mechanism, one, other)
        assert (len(roles) == 1) == scenario.explicit and roles
        kinds.add(scenario.explicit)
    assert kinds == {True, False}


def test_regimens_grow_with_difficulty() -> None:
    for difficulty, (low, high) in {"easy": (5, 7), "medium": (8, 12), "hard": (13, 20)}.items():
        sizes = [len(s.patient.regimen) for s in posed("train", "REGIMEN_RISK", difficulty)]
        assert low <= min(sizes) and max(sizes) <= high and len(set(sizes)) > 1


def test_doses_can_be_too_little_as_well_as_too_much(env: PolyGuardEnv) -> None:
    scenarios = [s for difficulty in DIFFICULTIES for s in posed("train", "PRECISION_DOSING", difficulty)]
    kinds = {s.mechanism for s in scenarios}
    assert {"renal", "under_treatment", "excess_dose", "hepatic", "genotype", "control"} <= kinds
    for scenario in scenarios:
        kidneys = kidney_function(scenario.patient)["crcl"]
        for item in scenario.patient.regimen:
            profile = env.index.profile(item.drug_id)
            assert profile and item.dose
            low = item.dose < 0.9 * profile.dose_min
            assert low <= (scenario.mechanism == "under_treatment" or scenario.difficulty == "hard")
            if low and scenario.mechanism == "under_treatment":
                assert item.drug_id in scenario.target_drugs and kidneys > 50
    hidden = [bool(s.hidden) for s in scenarios if s.difficulty == "hard"]
    assert 0.3 < sum(hidden) / len(hidden) < 0.9


def test_half_of_the_unknown_drugs_are_innocent() -> None:
    for difficulty in DIFFICULTIES:
        guilty = 0
        for scenario in posed("train", "WEB_SEARCH_MISSING_DATA", difficulty):
            unknown = {name.partition(":")[2] for name in scenario.hidden if name.startswith("facts:")}
            assert 1 <= len(unknown) <= 2
            if unknown & set(scenario.target_drugs):
                assert set(scenario.target_drugs) <= unknown
            guilty += bool(unknown & set(scenario.target_drugs))
        assert 0.3 < guilty / COUNT < 0.7


def test_an_alternative_fits_and_another_does_not(env: PolyGuardEnv) -> None:
    pool = env.factory.pool
    for scenario in posed("train", "ALTERNATIVE_SUGGESTION", "medium"):
        if scenario.control:
            continue
        (drug_id,) = scenario.target_drugs
        item = next(i for i in scenario.patient.regimen if i.drug_id == drug_id)
        choices = pool.choices(drug_id, item.indication)
        assert len(choices) >= 2
        wrong = [
            choice
            for choice in choices
            if choice.wrong_if & set(scenario.patient.conditions)
            or {choice.drug_id, *env.index.drug(choice.drug_id).classes} & set(scenario.patient.allergies)
        ]
        assert len(wrong) < len(choices)


def test_products_are_new_and_their_ingredients_are_taken(env: PolyGuardEnv) -> None:
    invented = 0
    for scenario in posed("train", "NEW_DRUG_DECOMPOSITION", "hard"):
        (product,) = scenario.products
        assert set(product.drug_ids) <= set(scenario.patient.drug_ids) and 2 <= len(product.drug_ids) <= 3
        assert scenario.hidden == {f"product:{product.name}"}
        known = env.knowledge.resolve_all(product.name)
        assert not known or set(known) == set(product.drug_ids)
        invented += not known
    assert 0 < invented < COUNT


@pytest.mark.parametrize("difficulty", DIFFICULTIES)
def test_dangerous_combinations_are_as_many_as_promised(env: PolyGuardEnv, difficulty: str) -> None:
    sizes: dict[bool, list[int]] = {True: [], False: []}
    for scenario in posed("train", "BANDIT_MINING", difficulty):
        assert 8 <= len(scenario.combinations) <= 14 and len(set(scenario.combinations)) == len(scenario.combinations)
        dangerous = 0
        for combination in scenario.combinations:
            assert 2 <= len(combination) <= 4 and set(combination) <= set(scenario.patient.drug_ids)
            edges = [env.index.interaction(a, b) for a, b in combinations(combination, 2)]
            worst = max([SEVERITY_RANK[edge.severity] for edge in edges if edge], default=0)
            worst = max([worst, *(SEVERITY_RANK[f.severity] for f in combination_findings(combination, env.index))])
            dangerous += worst >= MAJOR
            sizes[worst >= MAJOR].append(len(combination))
        assert dangerous == (0 if scenario.control else DANGEROUS[difficulty])
    means = {kind: sum(found) / len(found) for kind, found in sizes.items()}
    assert abs(means[True] - means[False]) < 0.6


def test_controls_of_deprescribing_hold_needed_drugs_of_the_same_kind(env: PolyGuardEnv) -> None:
    pool = env.factory.pool
    heavy = 0
    controls = [s for d in DIFFICULTIES for s in posed("train", "LONGITUDINAL_DEPRESCRIBING", d) if s.control]
    for scenario in controls:
        assert scenario.patient.falls >= 1
        heavy += any(pool.burdensome[pool.place[drug_id]] >= 2 for drug_id in scenario.patient.drug_ids)
    assert heavy > 0.4 * len(controls)


def test_speed_of_generating(env: PolyGuardEnv) -> None:
    started = time.perf_counter()
    made = 0
    for name in SUB_ENVIRONMENTS:
        for difficulty in DIFFICULTIES:
            for number in range(5000, 5005):
                env.factory.find(make_id("train", name, difficulty, number))
                made += 1
    print(f"{1e3 * (time.perf_counter() - started) / made:.2f} ms per scenario")
    assert made == 120


def test_prevention_is_taken_off_who_will_not_live_to_see_it_help(env: PolyGuardEnv) -> None:
    seen = 0
    for scenario in (s for d in DIFFICULTIES for s in posed("train", "LONGITUDINAL_DEPRESCRIBING", d)):
        short = "limited_life_expectancy" in scenario.patient.conditions
        against = {
            rule.drug_id
            for item in scenario.patient.regimen
            for rule in env.index.rules("drug_disease", item.drug_id)
            if rule.fields["condition"] == "limited_life_expectancy"
        }
        if scenario.mechanism == "time_to_benefit":
            seen += 1
            assert short and scenario.patient.frailty >= 7 and against & set(scenario.target_drugs)
        if scenario.control:
            assert not (short and against)
    assert seen
