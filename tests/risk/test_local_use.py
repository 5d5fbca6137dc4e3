"""Local use as written: what a shampoo, eye drop or vaginal cream leaves of a drug's findings."""

from __future__ import annotations

import pytest

from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.knowledge.schema import SEVERITY_RANK
from polyguard_env.knowledge.tabular import read_fragments
from polyguard_env.patients.model import Patient
from polyguard_env.patients.reading import patient_from
from polyguard_env.risk.index import terms
from polyguard_env.risk.local_use import STAYS
from polyguard_env.risk.review import review_regimen


@pytest.fixture(scope="module")
def knowledge() -> KnowledgeBase:
    return KnowledgeBase.default()


def worst(knowledge: KnowledgeBase, regimen: list[str], drug_id: str, *conditions: str) -> str:
    """The worst finding that names the drug, "" for none."""
    person = {"age": 78, "sex": "F", "weight": 64, "height": 162, "conditions": list(conditions)}
    patient: Patient = patient_from({**person, "regimen": regimen}, knowledge)
    ranks = [f.severity for f in review_regimen(patient, knowledge).findings
             if drug_id in f.drugs and f.category != "omission"]  # fmt: skip
    return max(ranks, key=SEVERITY_RANK.__getitem__, default="")


@pytest.mark.parametrize(
    ("tablet", "local", "other"),
    [("ketoconazole 200 mg tablet", "ketoconazole 2% shampoo", "simvastatin"),
     ("diclofenac 50 mg tablet", "diclofenac 1% gel", "lisinopril"),
     ("estradiol 1 mg tablet", "estradiol vaginal cream", "levothyroxine"),
     ("erythromycin 250 mg tablet", "erythromycin eye ointment", "simvastatin"),
     ("metronidazole 500 mg tablet", "metronidazole 0.75% cream", "warfarin"),
     ("ketorolac 10 mg tablet", "ketorolac eye drops", "warfarin"),
     ("ciprofloxacin 500 mg tablet", "ciprofloxacin eye drops", "tizanidine"),
     ("hydrocortisone 20 mg tablet", "hydrocortisone 1% cream", "ibuprofen")],
)  # fmt: skip
def test_local_use_lowers_what_rests_on_the_whole_body(
    knowledge: KnowledgeBase, tablet: str, local: str, other: str
) -> None:
    (drug_id,) = knowledge.resolve_all(local)
    by_mouth, locally = worst(knowledge, [tablet, other], drug_id), worst(knowledge, [local, other], drug_id)
    assert SEVERITY_RANK[by_mouth] >= SEVERITY_RANK["moderate"]
    assert SEVERITY_RANK.get(locally, 0) < SEVERITY_RANK[by_mouth]


@pytest.mark.parametrize(
    ("local", "others", "least"),
    [("miconazole vaginal cream", ["warfarin"], "major"), ("Daktarin oral gel", ["warfarin"], "major"),
     ("timolol eye drops", ["verapamil"], "moderate"), ("timolol eye drops", ["metoprolol"], "moderate"),
     ("methyl salicylate cream", ["warfarin"], "moderate"), ("nitroglycerin ointment", ["sildenafil"], "major"),
     ("diclofenac gel", ["warfarin"], "moderate"), ("fentanyl patch", ["lorazepam"], "major")],
)  # fmt: skip
def test_what_labels_name_stays(knowledge: KnowledgeBase, local: str, others: list[str], least: str) -> None:
    (drug_id,) = knowledge.resolve_all(local)
    assert SEVERITY_RANK[worst(knowledge, [local, *others], drug_id)] >= SEVERITY_RANK[least]


def test_beta_blocker_eye_drops_and_asthma_stay(knowledge: KnowledgeBase) -> None:
    assert SEVERITY_RANK[worst(knowledge, ["timolol eye drops"], "timolol", "asthma")] >= SEVERITY_RANK["major"]


def test_a_drug_taken_both_ways_is_reviewed_as_taken_by_mouth(knowledge: KnowledgeBase) -> None:
    both = ["ketoconazole shampoo", "ketoconazole 200 mg tablet", "simvastatin"]
    assert worst(knowledge, both, "ketoconazole") == worst(knowledge, both[1:], "ketoconazole")


def test_an_allergy_stays_whatever_the_route(knowledge: KnowledgeBase) -> None:
    person = {"age": 70, "sex": "M", "weight": 80, "height": 175, "allergies": ["ketoconazole"]}
    patient = patient_from({**person, "regimen": ["ketoconazole shampoo"]}, knowledge)
    assert any(f.severity == "contraindicated" for f in review_regimen(patient, knowledge).findings)


def test_a_lowered_finding_says_by_what_route_and_whence(knowledge: KnowledgeBase) -> None:
    person = {"age": 70, "sex": "M", "weight": 80, "height": 175}
    patient = patient_from({**person, "regimen": ["ketoconazole shampoo", "simvastatin"]}, knowledge)
    (found,) = [f for f in review_regimen(patient, knowledge).findings if f.category == "interaction"]
    assert found.severity == "minor" and "topical use" in found.management and "fda_label" in found.evidence_ids


def test_every_row_names_what_exists(knowledge: KnowledgeBase) -> None:
    classes, conditions = set(knowledge.tables["classes"]["class_id"]), set()
    conditions = {row["condition_id"] for row in (*read_fragments("conditions"), *read_fragments("review_conditions"))}
    known = {"*", *knowledge.drugs, *classes, *conditions}
    rows = read_fragments("local_use")
    assert {name for row in rows for name in terms(row["target"]) | terms(row["other"])} <= known
    assert {row["most"] for row in rows} <= {STAYS, *SEVERITY_RANK}
