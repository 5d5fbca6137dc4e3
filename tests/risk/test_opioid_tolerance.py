"""A fentanyl patch in a list without another opioid is noted, and only there."""

from __future__ import annotations

import pytest

from polyguard_env.commands.review import patient_of_drugs
from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.risk.review import review_regimen

KNOWLEDGE = KnowledgeBase.default()


@pytest.mark.parametrize(
    ("drugs", "noted"),
    [
        (["fentanyl patch 25 mcg/h", "lisinopril"], True),
        (["Duragesic", "lisinopril"], True),
        (["fentanyl patch 25 mcg/h", "oxycodone"], False),
        (["fentanyl injection"], False),
        (["morphine"], False),
    ],
)
def test_a_patch_for_somebody_who_may_be_naive(drugs: list[str], noted: bool) -> None:
    report = review_regimen(patient_of_drugs(drugs, KNOWLEDGE), KNOWLEDGE)
    assert any("check the tolerance" in told for told in report.warnings) == noted
