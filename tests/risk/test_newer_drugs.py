"""Organ, disease and monitoring rules of drugs approved in the last decade, and of conditions of a problem list."""

from __future__ import annotations

from typing import Any

import pytest

from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.knowledge.schema import SEVERITY_RANK
from polyguard_env.patients.reading import patient_from
from polyguard_env.risk.review import review_regimen

PERSON = {"age": 76, "sex": "F", "weight": 68, "height": 162}


@pytest.fixture(scope="module")
def knowledge() -> KnowledgeBase:
    return KnowledgeBase.default()


@pytest.mark.parametrize(
    ("drug", "told", "category", "least"),
    [
        ("Cobenfy bid", {"measurements": {"egfr": 45}}, "organ_dosing", "major"),
        ("xanomeline", {"child_pugh": "B"}, "organ_dosing", "contraindicated"),
        ("viloxazine 400 mg daily", {"measurements": {"egfr": 25}}, "organ_dosing", "moderate"),
        ("cilostazol 100 mg bid", {"measurements": {"creatinine": 2.6}}, "organ_dosing", "major"),
        ("Veozah", {"child_pugh": "A"}, "organ_dosing", "contraindicated"),
        ("tolvaptan 15 mg daily", {"child_pugh": "A"}, "organ_dosing", "major"),
        ("oxybutynin 5 mg tid", {"conditions": ["MCI"]}, "drug_disease", "major"),
        ("apixaban 5 mg bid", {"conditions": ["rheumatic mitral stenosis"]}, "drug_disease", "major"),
        ("naproxen 500 mg bid", {"conditions": ["gastric bypass"]}, "drug_disease", "major"),
        ("suvorexant 10 mg daily", {"conditions": ["narcolepsy"]}, "drug_disease", "contraindicated"),
        ("tamsulosin 0.4 mg daily", {"conditions": ["cataract"]}, "drug_disease", "minor"),
        ("mavacamten 5 mg daily", {}, "monitoring", "major"),
        ("mavacamten 5 mg daily", {"genotype": {"CYP2C19": "poor"}}, "drug_disease", "major"),
    ],
)
def test_a_finding_is_made(
    knowledge: KnowledgeBase, drug: str, told: dict[str, Any], category: str, least: str
) -> None:
    report = review_regimen(patient_from({**PERSON, **told, "regimen": [drug]}, knowledge), knowledge)
    worst = max((SEVERITY_RANK[f.severity] for f in report.findings if f.category == category), default=-1)
    assert worst >= SEVERITY_RANK[least], report.findings


@pytest.mark.parametrize(
    ("drug", "told"),
    [
        ("topiramate 100 mg bid", {"measurements": {"creatinine": 0.9}}),
        ("viloxazine 200 mg daily", {"measurements": {"egfr": 70}}),
        ("amlodipine 5 mg daily", {"conditions": ["cataract", "low back pain", "fatty liver"]}),
    ],
)
def test_nothing_is_made_up(knowledge: KnowledgeBase, drug: str, told: dict[str, Any]) -> None:
    report = review_regimen(patient_from({**PERSON, **told, "regimen": [drug]}, knowledge), knowledge)
    assert not [f for f in report.findings if f.category in ("organ_dosing", "drug_disease")]
