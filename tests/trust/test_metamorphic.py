"""What must not matter does not, and what is worse is never paid more."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations, islice

import pytest

from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.environment.episode import Scenario
from polyguard_env.environment.messages import ActionType, PolyGuardAction
from polyguard_env.environment.scenarios import SUB_ENVIRONMENTS, make_id
from polyguard_env.knowledge.schema import SEVERITY_RANK
from polyguard_env.knowledge.tabular import read_fragments
from polyguard_env.patients.model import Patient, RegimenItem
from polyguard_env.patients.reading import patient_from
from polyguard_env.risk.findings import Finding
from polyguard_env.risk.review import review_regimen
from polyguard_env.trust.second.agreement import packaged_facts, random_person
from tests.trust.posed import Posed

CLINICAL = tuple(name for name in SUB_ENVIRONMENTS if name != "BANDIT_MINING")
PEOPLE = range(40)
# When the worst problem is of another kind, doing nothing is paid the difference of two columns' gated weights.
ANOTHER_COLUMN = 0.03
# The highest labelled dose of any form of a drug: a salt's weight is several times that of its iron.
HIGHEST = dict(sorted((row["drug_id"], float(row["most"])) for row in read_fragments("form_maxima")))


def reported(patient: Patient, env: PolyGuardEnv) -> dict[str, Finding]:
    return {f.finding_id: f for f in review_regimen(patient, env.knowledge).findings}


def rank(finding: Finding) -> int:
    return SEVERITY_RANK[finding.severity]


def of_dose(finding: Finding, drug_id: str) -> bool:
    return finding.category == "organ_dosing" and drug_id in finding.drugs


def severe_of(patient: Patient, env: PolyGuardEnv) -> set[str]:
    return {name for name, finding in reported(patient, env).items() if rank(finding) >= SEVERITY_RANK["major"]}


def random_patient(number: int) -> Patient:
    return Patient.from_dict(random_person(number, 23, packaged_facts()))


def prices_of(env: PolyGuardEnv, scenario: Scenario, seed: int = 9) -> dict[str, float]:
    """Price of each candidate text at the first step of a scenario of our own making."""
    own = PolyGuardEnv(env.knowledge)
    own.factory = Posed(scenario)  # type: ignore[assignment]
    observation = own.reset(seed=seed, scenario_id=scenario.scenario_id)
    prices = own.price()
    return {c.text: prices[c.candidate_id] for c in observation.candidates}


def numbered(scenario: Scenario, shift: int) -> Scenario:
    """The scenario under another number, so that nothing kept by id is mistaken for it."""
    stem, _, number = scenario.scenario_id.rpartition("-")
    return replace(scenario, scenario_id=f"{stem}-{int(number) + shift:06d}")


# A harm added to a regimen, in three ways.


def over_dose(patient: Patient, env: PolyGuardEnv, spare: set[str]) -> Iterator[tuple[Patient, str]]:
    for item in patient.regimen:
        profile = env.knowledge.drugs[item.drug_id].profile
        if item.drug_id not in spare and profile and (item.dose or 0) <= profile.dose_max:
            worse = replace(item, dose=3 * max(profile.dose_max, HIGHEST.get(item.drug_id, 0.0)))
            regimen = tuple(worse if i is item else i for i in patient.regimen)
            yield patient.with_regimen(regimen), item.drug_id


def dangerous_drug(patient: Patient, env: PolyGuardEnv, spare: set[str]) -> Iterator[tuple[Patient, str]]:
    for item in patient.regimen:
        for drug_id in ("ketoconazole", "phenelzine", "dofetilide", "cisapride", "ritonavir"):
            edge = env.knowledge.interaction(item.drug_id, drug_id)
            profile = env.knowledge.drugs[drug_id].profile
            if edge and edge.severity in ("major", "contraindicated") and drug_id not in patient.drug_ids and profile:
                added = RegimenItem(drug_id, profile.dose_usual, "", 365)
                yield patient.with_regimen((*patient.regimen, added)), drug_id
                return


def unfit_condition(patient: Patient, env: PolyGuardEnv, spare: set[str]) -> Iterator[tuple[Patient, str]]:
    for item in patient.regimen:
        for rule in env.index.rules("drug_disease", item.drug_id):
            condition = rule.fields["condition"]
            if condition not in patient.conditions and condition != item.indication and item.drug_id not in spare:
                yield replace(patient, conditions=tuple(sorted((*patient.conditions, condition)))), item.drug_id
                return


HARMS = {"over_dose": over_dose, "dangerous_drug": dangerous_drug, "unfit_condition": unfit_condition}


@pytest.mark.parametrize("harm", HARMS)
def test_adding_a_harm_never_takes_a_danger_away(env: PolyGuardEnv, harm: str) -> None:
    """Findings of harm only grow; an omission may go, because its drug has become wrong or is now taken."""
    tried = 0
    for number in PEOPLE:
        patient = random_patient(number)
        before = reported(patient, env)
        for worse, about in HARMS[harm](patient, env, set()):
            after = reported(worse, env)
            # One drug's dose limits are one finding, of the limit that is broken worst: it may take another's place,
            # or stand already for the kidneys or the liver and then says more.
            doses = {name: f for name, f in after.items() if harm == "over_dose" and of_dose(f, about)}
            lost = [f for name, f in before.items() if name not in after or rank(after[name]) < rank(f)]
            for finding in (f for f in lost if not f.finding_id.startswith(("omission:", "burden:avoid:"))):
                assert of_dose(finding, about), finding
                assert max(map(rank, doses.values()), default=0) >= max(rank(finding), SEVERITY_RANK["major"]), finding
            grown = [f for name, f in doses.items() if f != before.get(name) and rank(f) >= SEVERITY_RANK["major"]]
            assert after.keys() - before.keys() or grown, (about, doses)
            tried += 1
    assert tried >= 20


@pytest.mark.parametrize("sub_environment", CLINICAL)
def test_a_harm_in_a_patient_who_had_none_lowers_the_reward_of_leaving_it(
    env: PolyGuardEnv, sub_environment: str
) -> None:
    """Doing nothing is right in a control; with one danger standing it is paid far less, whichever the danger."""
    tried = 0
    for scenario in controls(env, sub_environment, 4):
        before = prices_of(env, numbered(scenario, 500_000))
        for harm in (over_dose, dangerous_drug):
            for worse, _ in harm(scenario.patient, env, set()):
                after = prices_of(env, numbered(replace(scenario, patient=worse, control=False), 600_000))
                assert after["finish"] < before["finish"] - 0.1, scenario.scenario_id
                tried += 1
                break
    assert tried >= 4


@pytest.mark.parametrize("harm", HARMS)
@pytest.mark.parametrize("sub_environment", CLINICAL)
def test_one_more_harm_never_pays_for_doing_nothing(env: PolyGuardEnv, sub_environment: str, harm: str) -> None:
    """Where something is wrong already, a further danger does not make finishing any better paid."""
    tried = 0
    for number in range(10):
        scenario = plain(env.factory.find(make_id("train", sub_environment, "medium", number)))
        before = prices_of(env, numbered(scenario, 500_000))
        for worse, _ in HARMS[harm](scenario.patient, env, set(scenario.target_drugs)):
            after = prices_of(env, numbered(replace(scenario, patient=worse, control=False), 600_000))
            assert after["finish"] <= before["finish"] + ANOTHER_COLUMN, scenario.scenario_id
            tried += 1
            break
    assert tried >= 3


@pytest.mark.parametrize("sub_environment", ["DDI", "REGIMEN_RISK", "LONGITUDINAL_DEPRESCRIBING"])
def test_a_move_that_brings_a_new_danger_is_paid_less(env: PolyGuardEnv, sub_environment: str) -> None:
    """A switch is priced beside a drug that is harmless as things stand and dangerous with the new one."""
    tried = 0
    for number in range(400):
        if tried >= 3:
            return
        scenario = env.factory.find(make_id("train", sub_environment, "easy", number))
        before = prices_of(env, numbered(scenario, 500_000))
        for text in [text for text in before if text.startswith("switch ")]:
            new = text.rpartition(" to ")[2].replace(" ", "_")
            beside = harmless_but_for(new, scenario.patient, env)
            if beside is None:
                continue
            item = RegimenItem(beside, env.knowledge.drugs[beside].profile.dose_usual, "", 365)  # type: ignore[union-attr]
            patient = scenario.patient.with_regimen((*scenario.patient.regimen, item))
            risky = replace(scenario, patient=patient)
            for seed in range(8):
                after = prices_of(env, numbered(risky, 600_000), seed)
                if text in after:
                    assert after[text] < before[text], (scenario.scenario_id, text, beside)
                    tried += 1
                    break
    raise AssertionError(f"only {tried} such switches")


def controls(env: PolyGuardEnv, sub_environment: str, count: int) -> list[Scenario]:
    """The first controls of a sub-environment, with everything known."""
    found = (env.factory.find(make_id("train", sub_environment, "easy", number)) for number in range(200))
    return [plain(scenario) for scenario in islice((s for s in found if s.control), count)]


def plain(scenario: Scenario) -> Scenario:
    """The scenario with its products taken apart and nothing hidden."""
    return replace(scenario, products=(), hidden=frozenset())


def harmless_but_for(new: str, patient: Patient, env: PolyGuardEnv) -> str | None:
    """A drug that adds no major finding to the regimen and has a major interaction with `new`."""
    severe = severe_of(patient, env)
    for drug_id, drug in env.knowledge.drugs.items() if new in env.knowledge.drugs else ():
        edge = env.knowledge.interaction(new, drug_id) if drug.profile and drug_id not in patient.drug_ids else None
        if edge is None or drug.profile is None or edge.severity not in ("major", "contraindicated"):
            continue
        if any(env.knowledge.interaction(drug_id, other) for other in patient.drug_ids):
            continue
        item = RegimenItem(drug_id, drug.profile.dose_usual, "", 365)
        if severe_of(patient.with_regimen((*patient.regimen, item)), env) <= severe:
            return drug_id
    return None


@pytest.mark.parametrize("sub_environment", CLINICAL)
def test_of_two_doses_above_need_the_higher_is_never_paid_more(env: PolyGuardEnv, sub_environment: str) -> None:
    """Increases that help nobody: an illegal dose is paid less than any legal move of its step."""
    for number in range(12):
        observation = env.reset(seed=number, scenario_id=make_id("train", sub_environment, "hard", number))
        prices, legal = env.price(), set(env.legal_candidate_ids())
        illegal = [prices[c.candidate_id] for c in observation.candidates if c.candidate_id not in legal]
        assert not illegal or max(illegal) < min(prices[name] for name in legal)


# What must not matter.


def test_drug_order_changes_no_finding(env: PolyGuardEnv) -> None:
    for number in PEOPLE:
        patient = random_patient(number)
        turned = patient.with_regimen(patient.regimen[::-1])
        assert review_regimen(patient, env.knowledge) == review_regimen(turned, env.knowledge)


@pytest.mark.parametrize("sub_environment", CLINICAL)
def test_drug_order_changes_no_price(env: PolyGuardEnv, sub_environment: str) -> None:
    shared = 0
    for number in range(8):
        scenario = env.factory.find(make_id("train", sub_environment, "medium", number))
        turned = replace(scenario, patient=scenario.patient.with_regimen(scenario.patient.regimen[::-1]))
        one, other = prices_of(env, numbered(scenario, 500_000)), prices_of(env, numbered(turned, 600_000))
        if max(one, key=one.__getitem__) == max(other, key=other.__getitem__):
            for text in one.keys() & other.keys():
                assert one[text] == pytest.approx(other[text], abs=1e-9)
                shared += 1
    assert shared >= 8


@pytest.mark.parametrize("sub_environment", SUB_ENVIRONMENTS)
def test_ids_and_places_change_no_price(env: PolyGuardEnv, sub_environment: str) -> None:
    """Under another seed a candidate has another id and place; where the best is the same, so is every price."""
    shared = 0
    for number in range(8):
        scenario = env.factory.find(make_id("train", sub_environment, "medium", number))
        one, other = (prices_of(env, scenario, seed) for seed in (1, 2))
        if max(one, key=one.__getitem__) == max(other, key=other.__getitem__):
            for text in one.keys() & other.keys():
                assert one[text] == pytest.approx(other[text], abs=1e-9)
                shared += 1
    assert shared >= 8


@pytest.mark.parametrize("sub_environment", SUB_ENVIRONMENTS)
def test_paraphrase_changes_no_reward(env: PolyGuardEnv, sub_environment: str) -> None:
    scenario_id = make_id("train", sub_environment, "easy", 2)
    spoken = (
        "",
        "It interacts, so I stop it.",
        "Owing to an interaction this drug ought to be discontinued.",
        "Ich setze es wegen der Wechselwirkung ab.",
    )
    observation = env.reset(seed=1, scenario_id=scenario_id)
    for candidate in observation.candidates:
        rewards = set()
        for words in spoken:
            env.reset(seed=1, scenario_id=scenario_id)
            action = PolyGuardAction(candidate_id=candidate.candidate_id, confidence=0.8, rationale=words)
            rewards.add(env.step(action).reward)
        assert len(rewards) == 1


@pytest.mark.parametrize("sub_environment", SUB_ENVIRONMENTS)
def test_id_text_and_case_name_the_same_action(env: PolyGuardEnv, sub_environment: str) -> None:
    scenario_id = make_id("train", sub_environment, "easy", 3)
    observation = env.reset(seed=1, scenario_id=scenario_id)
    for candidate in observation.candidates:
        rewards = set()
        for action in (
            PolyGuardAction(candidate_id=candidate.candidate_id),
            PolyGuardAction(text=candidate.text),
            PolyGuardAction(text=f"  {candidate.text.upper()}\n"),
            PolyGuardAction(candidate_id=candidate.candidate_id, targets=candidate.targets),
        ):
            env.reset(seed=1, scenario_id=scenario_id)
            rewards.add(env.step(action).reward)
        assert len(rewards) == 1


def test_brand_and_generic_names_give_one_report(env: PolyGuardEnv) -> None:
    person = {"age": 78, "sex": "F", "weight": 61, "height": 160, "conditions": ["atrial_fibrillation"]}
    generic = ["warfarin", "ibuprofen", "zolpidem", "atorvastatin", "metoprolol"]
    brand = ["Coumadin", "ADVIL", "Ambien", "Lipitor", "Lopressor"]
    reports = [
        review_regimen(patient_from(person | {"regimen": names}, env.knowledge), env.knowledge).findings
        for names in (generic, brand)
    ]
    assert reports[0] == reports[1]
    assert len(reports[0]) >= 3


def test_units_give_one_report(env: PolyGuardEnv) -> None:
    person = {"age": 78, "sex": "F", "weight": 61, "height": 160}
    spoken = [
        ({"creatinine": 1.5}, {"drug": "metformin", "dose": 2000, "unit": "mg"}),
        ({"creatinine": {"value": 132.6, "unit": "umol/L"}}, {"drug": "metformin", "dose": 2, "unit": "g"}),
    ]
    reports = [
        review_regimen(
            patient_from(person | {"measurements": labs, "regimen": [drug]}, env.knowledge), env.knowledge
        ).findings
        for labs, drug in spoken
    ]
    assert reports[0] == reports[1]
    assert any(f.category == "organ_dosing" for f in reports[0])


def test_every_pair_of_kinds_is_told_apart_by_text(env: PolyGuardEnv) -> None:
    """No two candidates of a step share a text, so naming by text is never ambiguous."""
    for sub_environment in SUB_ENVIRONMENTS:
        for number in range(6):
            observation = env.reset(seed=number, scenario_id=make_id("train", sub_environment, "hard", number))
            for one, other in combinations(observation.candidates, 2):
                assert one.text.lower() != other.text.lower()
            assert sum(c.action_type is ActionType.FINISH for c in observation.candidates) == 1
