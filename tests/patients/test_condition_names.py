"""Conditions as people write them: ids, names, abbreviations and codes; nothing ambiguous is taken in silence."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest

from polyguard_env.errors import PolyGuardError
from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.knowledge.tabular import read_fragments
from polyguard_env.patients.condition_names import condition_ids, condition_named
from polyguard_env.patients.reading import patient_from

PERSON = {"age": 80, "sex": "F", "weight": 60, "height": 160}


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("COPD", "copd"), ("CKD", "ckd"), ("AF", "atrial_fibrillation"), ("atrial fibrillation", "atrial_fibrillation"),
        ("Type 2 diabetes", "diabetes"), ("GERD", "gerd"), ("BPH", "bph"), ("E11.9", "diabetes"), ("e119", "diabetes"),
        ("I50.22", "hfref"), ("I50.3", "hfpef"), ("N18.31", "ckd_g3a"), ("I48.91", "atrial_fibrillation"),
        ("Alzheimer's disease", "dementia"), ("enlarged prostate", "bph"), ("high blood pressure", "hypertension"),
        ("Gastro-esophageal reflux disease", "gerd"), ("E11.10", "ketoacidosis"), ("anaemia", "anaemia"),
        ("CKD 3", "ckd_g3"), ("CKD 3b", "ckd_g3b"), ("CKD stage 4", "ckd_g4"), ("CKD G3b", "ckd_g3b"),
        ("N18.5", "ckd_g5"),
        ("N18.30", "ckd_g3"), ("N18.6", "ckd_g5"), ("N18.9", "ckd"), ("Stage IV chronic kidney disease", "ckd_g4"),
        ("Chronic kidney disease, stage 4 (severe)", "ckd_g4"), ("CKD-3a A2", "ckd_g3a"), ("CKD 2", "ckd"),
        ("stage iiib ckd", "ckd_g3b"), ("CKD 5", "ckd_g5"), ("CKD 5D", "dialysis"),
        ("chronic renal failure stage V", "ckd_g5"),
        ("CKD stage 5 on haemodialysis", "dialysis"),
        ("Alzheimer disease", "dementia"),
        ("STEMI", "myocardial_infarction"), ("NSTEMI", "myocardial_infarction"), ("PCI", "coronary_artery_disease"),
        ("coronary stent", "coronary_artery_disease"), ("Z95.5", "coronary_artery_disease"), ("type 2 DM", "diabetes"),
        ("CABG", "coronary_artery_disease"), ("PE", "venous_thromboembolism"), ("PAF", "atrial_fibrillation"),
        ("hypothyroid", "hypothyroidism"), ("Lewy body", "lewy_body_dementia"), ("SIADH", "hyponatraemia"),
        ("AKI", "acute_kidney_injury"), ("complete heart block", "bradycardia"), ("CLL", "haematological_cancer"),
        ("MCI", "mild_cognitive_impairment"), ("low back pain", "back_pain"), ("Raynaud's", "raynaud"),
        ("hospice", "limited_life_expectancy"), ("gastric bypass", "bariatric_surgery"), ("H26.9", "cataract"),
    ],
)  # fmt: skip
def test_names_and_codes(written: str, meant: str) -> None:
    assert condition_named(written, "conditions[0]") == meant


@pytest.mark.parametrize(
    ("written", "choices"),
    [
        ("heart failure", ("hfref", "hfpef")), ("heart_failure", ("hfref", "hfpef")), ("CHF", ("hfref", "hfpef")),
        ("I50.9", ("hfref", "hfpef")), ("diabetes mellitus", ("type_1_diabetes",)),
        ("anemia", ("b12_deficiency",)), ("glaucoma", ("glaucoma_angle_closure",)), ("C73", ("medullary",)),
        ("PD", ("parkinsons_disease", "dialysis")), ("MS", ("multiple_sclerosis",)),
        ("diabetic neuropathy", ("peripheral_neuropathy", "neuropathic_pain")), ("ESRD", ("ckd_g5", "dialysis")),
        ("prosthetic valve", ("mechanical_heart_valve", "bioprosthetic")), ("first degree AV block", ("third degree",)),
    ],
)  # fmt: skip
def test_several_meanings_give_choices(written: str, choices: tuple[str, ...]) -> None:
    with pytest.raises(PolyGuardError) as caught:
        condition_named(written, "conditions[0]")
    assert caught.value.field == "conditions[0]" and all(choice in caught.value.fix for choice in choices)


@pytest.mark.parametrize("written", ["xyzzy", "Q99.9", "atrial fibrilation", "CKD 4a", "CKD 3-4", "CKD 6", "CKD 4D"])
def test_what_is_not_known_is_refused(written: str) -> None:
    with pytest.raises(PolyGuardError) as caught:
        condition_named(written, "conditions[0]")
    assert ("atrial fibrillation" in caught.value.fix) == written.startswith("atrial")


def in_use() -> list[tuple[str, str]]:
    with (Path(__file__).parent / "conditions_in_use.csv").open(encoding="utf-8", newline="") as handle:
        return [(row["written"], row["means"]) for row in csv.DictReader(handle)]


@pytest.mark.parametrize(("written", "means"), in_use())
def test_conditions_as_lists_and_claims_have_them(written: str, means: str) -> None:
    """Frequent ICD-10-CM codes of over-65s and the CMS chronic conditions; what is not known here is refused, too."""
    if means not in ("choose", "unknown"):
        assert condition_named(written, "c") == means
        return
    with pytest.raises(PolyGuardError) as caught:
        condition_named(written, "c")
    assert caught.value.fix.startswith("write which is meant") == (means == "choose")


def test_most_conditions_in_use_are_known() -> None:
    told = Counter(means if means in ("choose", "unknown") else "known" for _, means in in_use())
    assert told["known"] > 0.8 * sum(told.values()) and told["unknown"] < 0.1 * sum(told.values())


def test_names_within_other_words_are_suggested_and_never_taken() -> None:
    for written, near in (("severe persistent asthma", "asthma"), ("left knee osteoarthritis pain", "osteoarthritis")):
        with pytest.raises(PolyGuardError, match=near):
            condition_named(written, "c")


def test_the_table_is_sound_and_every_id_means_itself() -> None:
    assert all(condition_named(name, "x") == name for name in condition_ids())
    told = {
        row["name"]
        for row in read_fragments("condition_names")
        if set(row["condition_ids"].split(";")) - condition_ids()
    }
    assert told == set()


def test_a_patient_with_names_and_no_known_allergies() -> None:
    knowledge = KnowledgeBase.default()
    told = {**PERSON, "conditions": ["COPD", "J44.9", "GERD"], "allergies": ["NKDA"], "regimen": ["warfarin"]}
    patient = patient_from(told, knowledge)
    assert patient.conditions == ("copd", "gerd") and patient.allergies == ()
    assert patient_from({**told, "allergies": ["No known allergies"]}, knowledge).allergies == ()
