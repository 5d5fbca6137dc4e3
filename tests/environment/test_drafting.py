"""Compiled drafts: the record they write is the scenario's, and the same whoever draws it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from polyguard_env.engine import layout as at
from polyguard_env.engine import operations
from polyguard_env.engine.packing import pack
from polyguard_env.environment.drafting.drafter import Drafter
from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.environment.scenarios import DIFFICULTIES, SUB_ENVIRONMENTS, ScenarioFactory, make_id
from polyguard_env.environment.splits import SPLITS
from polyguard_env.errors import PolyGuardError

COUNT = 12


@pytest.fixture
def factory(env: PolyGuardEnv) -> ScenarioFactory:
    """A factory that has drawn nothing yet."""
    return ScenarioFactory(env.knowledge)


@pytest.mark.parametrize("name", SUB_ENVIRONMENTS)
def test_the_record_of_a_draft_is_what_its_scenario_packs_to(
    env: PolyGuardEnv, factory: ScenarioFactory, name: str
) -> None:
    for split in SPLITS:
        for difficulty in DIFFICULTIES:
            for number in range(COUNT):
                scenario = factory.find(make_id(split, name, difficulty, number))
                kept, packed = env.engine.pack(scenario), pack(scenario, env.engine.table)
                for field in at.SCENARIO.names or ():
                    assert kept[field].tobytes() == packed[field].tobytes(), (scenario.scenario_id, field)


def test_threads_draw_the_same_scenarios(env: PolyGuardEnv, factory: ScenarioFactory) -> None:
    ids = [make_id("train", name, "hard", number) for name in SUB_ENVIRONMENTS for number in range(8)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(factory.find, ids))
    alone = ScenarioFactory(env.knowledge)
    assert together == [alone.find(scenario_id) for scenario_id in reversed(ids)][::-1]


def test_scenarios_differ_from_one_another(factory: ScenarioFactory) -> None:
    for name in SUB_ENVIRONMENTS:
        scenarios = [factory.find(make_id("train", name, "easy", number)) for number in range(200)]
        posed = {
            (s.patient.patient_id, s.patient.conditions, s.combinations,
             tuple(sorted((i.drug_id, i.dose, i.indication) for i in s.patient.regimen)))
            for s in scenarios
        }  # fmt: skip
        assert len(posed) == len(scenarios)


def test_the_shares_of_kinds_of_problem_are_those_drawn(factory: ScenarioFactory) -> None:
    """A kind that seldom works out is drawn again in the same scenario: its share does not shrink."""
    found = [factory.find(make_id("train", "PRECISION_DOSING", "easy", number)) for number in range(600)]
    problems = [scenario.mechanism for scenario in found if not scenario.control]
    shares = {"renal": 7, "under_treatment": 4, "excess_dose": 4, "hepatic": 2, "genotype": 3, "acute_illness": 3}
    for kind, share in shares.items():
        assert abs(problems.count(kind) / len(problems) - share / 23) < 0.06, kind


def test_a_draft_that_never_works_out_says_so(factory: ScenarioFactory) -> None:
    factory.find("train-DDI-easy-000000")
    drafter: Drafter = factory._local.drafter
    drafter._tables.arrays["flag"][:] = 0
    with pytest.raises(PolyGuardError, match=f"{operations.ATTEMPTS} draws"):
        factory.find("train-DDI-easy-000001")
