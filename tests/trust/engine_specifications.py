"""What the compiled rules promise beside the review that is written for people: the same findings."""

from __future__ import annotations

from functools import cache
from itertools import islice

from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.risk.genes import gene_findings
from polyguard_env.risk.review import find_all
from tests.trust.posed import first, ids, known_ids

REVIEWED = tuple(
    (name, difficulty)
    for name in ("REGIMEN_RISK", "PRECISION_DOSING", "LONGITUDINAL_DEPRESCRIBING", "NEW_DRUG_DECOMPOSITION", "DDI")
    for difficulty in ("easy", "medium", "hard")
)
LOOKED_THROUGH, COMBINED = 600, 3


def engine_finds(env: PolyGuardEnv, scenario_id: str) -> dict[str, str]:
    """What the compiled rules find in a scenario, by id, with its severity."""
    first(env, scenario_id)
    found, _ = env._episode.compared(0)
    return {finding.finding_id: finding.severity for finding in found if finding.category != "withdrawal"}


@cache
def reviewed(scenario_id: str) -> dict[str, str]:
    """What a review finds in a scenario; monitoring gaps are not findings of an episode."""
    env = PolyGuardEnv()
    patient = env.factory.find(scenario_id).patient
    found = find_all(patient, patient.regimen, env.index) + gene_findings(patient, patient.regimen, env.index)
    return {finding.finding_id: finding.severity for finding in found if finding.category != "monitoring"}


@cache
def with_combinations() -> tuple[str, ...]:
    """Scenarios of large regimens in which three or more drugs together are a finding, found by whole rules."""
    large = ids("REGIMEN_RISK", "hard", False, LOOKED_THROUGH)
    found = (name for name in large if any(key.startswith("combination:") for key in reviewed(name)))
    return tuple(islice(found, COMBINED))


def the_engine_finds_what_the_review_finds(env: PolyGuardEnv) -> None:
    posed = [scenario_id for cell in REVIEWED for scenario_id in known_ids(*cell, False)]
    combined = with_combinations()
    assert len(combined) == COMBINED
    for scenario_id in (*posed, *combined):
        assert engine_finds(env, scenario_id) == reviewed(scenario_id)
