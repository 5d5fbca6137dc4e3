"""Entries of a list: one ingredient entered twice is found and its doses add up; one product is no pair."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from polyguard_env.commands.review import as_text, patient_of_drugs
from polyguard_env.errors import PolyGuardError
from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.knowledge.roles import moieties
from polyguard_env.patients.model import Patient, RegimenItem
from polyguard_env.patients.reading import patient_from
from polyguard_env.risk.findings import Finding
from polyguard_env.risk.review import review_regimen
from polyguard_env.sources.records import PatientRecord, to_patient
from polyguard_env.sources.resolve import Resolver

PERSON: dict[str, Any] = {"age": 75, "sex": "F", "weight": 70.0, "height": 165.0}
PAIRED = ("interaction", "duplication")
MARKETED = sorted(
    {tuple(sorted(set(drugs))): name for name, drugs in KnowledgeBase.default().names.combinations()}.values()
)


@pytest.fixture(scope="module")
def knowledge() -> KnowledgeBase:
    return KnowledgeBase.default()


def found(patient: Patient) -> dict[str, Finding]:
    report = review_regimen(patient, KnowledgeBase.default())
    names = [finding.finding_id for finding in report.findings]
    assert len(names) == len(set(names)), "one finding is told once"
    return {finding.finding_id: finding for finding in report.findings}


def listed(*names: str) -> dict[str, Finding]:
    return found(patient_of_drugs(list(names), KnowledgeBase.default()))


def entered(*regimen: Any, **more: Any) -> dict[str, Finding]:
    return found(patient_from({**PERSON, **more, "regimen": list(regimen)}, KnowledgeBase.default()))


@pytest.mark.parametrize(
    ("names", "drug"),
    [
        (("Tylenol", "acetaminophen"), "acetaminophen"), (("Prinivil", "Zestril"), "lisinopril"),
        (("warfarin", "Jantoven"), "warfarin"), (("Norco", "Tylenol"), "acetaminophen"),
        (("aspirin", "Ecotrin"), "aspirin"), (("Norco", "Percocet"), "acetaminophen"),
        (("Augmentin", "amoxicillin"), "amoxicillin"), (("Zestoretic", "lisinopril"), "lisinopril"),
        (("lisinopril", "lisinopril"), "lisinopril"), (("Advair", "Breo"), "fluticasone"),
    ],
)  # fmt: skip
def test_one_ingredient_under_two_names_is_a_duplicate_that_names_both(names: tuple[str, ...], drug: str) -> None:
    finding = listed(*names)[f"duplication:{drug}"]
    assert (finding.severity, finding.drugs, finding.category) == ("major", (drug,), "duplication")
    assert all(name in finding.management for name in names) and "stopp3" in finding.evidence_ids
    assert f"duplication:{drug}" not in listed(names[0])


@pytest.mark.parametrize(
    ("names", "severity"),
    [
        (("metoprolol tartrate", "metoprolol succinate ER"), "moderate"), (("OxyContin", "oxycodone"), "moderate"),
        (("acetaminophen 500", "Tylenol as needed"), "moderate"), (("warfarin 5 mg", "warfarin 2 mg"), "moderate"),
        (("diclofenac", "Voltaren gel"), "minor"), (("Flonase", "Advair"), "minor"),
        (("timolol eye drops", "timolol tablet"), "minor"), (("albuterol inhaler", "albuterol neb"), "minor"),
        (("Caltrate + D", "vitamin D3"), "minor"), (("Prograf", "Protopic"), "minor"),
        (("Toprol-XL", "metoprolol ER"), "major"), (("Contrave", "Wellbutrin XL"), "major"),
    ],
)  # fmt: skip
def test_what_can_be_meant_is_graded_lower_and_still_told(names: tuple[str, ...], severity: str) -> None:
    (finding,) = [f for f in listed(*names).values() if f.mechanism == "same_ingredient"]
    assert finding.severity == severity


def test_the_dose_is_the_sum_over_all_entries() -> None:
    two = entered({"drug": "Tylenol", "dose": 3, "unit": "g"}, {"drug": "acetaminophen", "dose": 3000, "unit": "mg"})
    over = two["organ_dosing:maximum:acetaminophen"]
    assert (over.severity, over.limit) == ("major", 3000.0)
    assert "6000 mg a day in all (3000 in Tylenol, 3000 in acetaminophen)" in over.management
    assert "organ_dosing:maximum:acetaminophen" not in entered({"drug": "Tylenol", "dose": 3000, "unit": "mg"})


def test_a_limit_of_the_kidneys_holds_for_the_sum() -> None:
    half = {"drug": "gabapentin", "dose": 600}
    other = {"drug": "Neurontin", "dose": 600}
    kidneys = {"measurements": {"crcl": 25.0, "egfr": 25.0}}
    assert "organ_dosing:renal:gabapentin" not in entered(half, **kidneys)
    finding = entered(half, other, **kidneys)["organ_dosing:renal:gabapentin"]
    assert "1200 mg a day in all" in finding.management


def test_a_part_of_a_product_counts_where_it_is_known_and_is_named_where_it_is_not() -> None:
    tylenol = {"drug": "Tylenol", "dose": 2000, "unit": "mg"}
    unknown = entered("Norco", tylenol)
    told = unknown["duplication:acetaminophen"].management
    assert "2000 mg a day in all (2000 in Tylenol; the part in Norco is not known and not in the sum)" in told
    assert "organ_dosing:maximum:acetaminophen" not in unknown
    known = entered({"drug": "Norco", "parts": {"acetaminophen": 1300, "hydrocodone": 20}}, tylenol)
    assert "3300 mg a day in all" in known["organ_dosing:maximum:acetaminophen"].management
    reached = entered("Norco", {"drug": "Tylenol", "dose": 3000, "unit": "mg"})
    assert "organ_dosing:maximum:acetaminophen" in reached, "the highest dose and a part that is not known"


def test_a_gel_adds_nothing_to_what_is_swallowed() -> None:
    pair = entered({"drug": "diclofenac", "dose": 100}, {"drug": "Voltaren gel", "dose": 400})
    assert "organ_dosing:maximum:diclofenac" not in pair and pair["duplication:diclofenac"].severity == "minor"


def test_aspirin_that_stays_a_low_dose_is_graded_lower() -> None:
    assert (
        entered({"drug": "aspirin", "dose": 81}, {"drug": "Ecotrin", "dose": 81})["duplication:aspirin"].severity
        == "moderate"
    )
    assert (
        entered({"drug": "aspirin", "dose": 81}, {"drug": "Ecotrin", "dose": 650})["duplication:aspirin"].severity
        == "major"
    )


def test_a_bad_part_is_an_error_that_names_it() -> None:
    with pytest.raises(PolyGuardError, match=r"regimen\[0\].parts.warfarin"):
        entered({"drug": "Norco", "parts": {"warfarin": 5}})
    with pytest.raises(PolyGuardError, match=r'"parts": \{"hydrocodone"'):
        entered({"drug": "Norco", "dose": 5})
    with pytest.raises(PolyGuardError, match="not known as one product"):
        entered(*({"drug": name, "entered": "Both", "product": 1} for name in ("warfarin", "ibuprofen")))


def test_scales_count_an_ingredient_once_at_its_summed_dose() -> None:
    one = entered({"drug": "oxybutynin", "dose": 10})
    two = entered({"drug": "oxybutynin", "dose": 5}, {"drug": "Ditropan", "dose": 5})
    assert {name for name in two if name.startswith("burden")} == {name for name in one if name.startswith("burden")}
    assert one["burden:acb"].drugs == two["burden:acb"].drugs


@pytest.mark.parametrize("name", MARKETED)
def test_a_product_alone_is_not_held_against_itself(name: str, knowledge: KnowledgeBase) -> None:
    for finding in listed(name).values():
        if finding.category in PAIRED and len(finding.drugs) > 1:
            assert finding.severity == "minor" and finding.category == "interaction", finding
            assert finding.evidence_ids[-1] == "fda_label"
        assert finding.category != "duplication", finding


@pytest.mark.parametrize(
    "name",
    ["perphenazine/amitriptyline", "butalbital/aspirin/caffeine/codeine", "olanzapine-fluoxetine", "Rifamate",
     "Norco 5/325", "sulfamethoxazole-trimethoprim DS", "sacubitril/valsartan", "carbidopa/levodopa 25-100",
     "hydrochlorothiazide/lisinopril"],
)  # fmt: skip
def test_a_product_by_its_generic_names_is_one_product(name: str) -> None:
    assert all(f.severity == "minor" for f in listed(name).values() if len(f.drugs) > 1 and f.category in PAIRED)


def test_the_same_ingredients_entered_apart_keep_their_findings() -> None:
    pair = "interaction:sacubitril+valsartan"
    assert listed("sacubitril", "valsartan")[pair].severity == "major"
    assert listed("Entresto")[pair].severity == "minor"
    assert listed("Entresto", "valsartan")[pair].severity == "major", "valsartan comes from elsewhere too"
    assert listed("warfarin + ibuprofen")["interaction:ibuprofen+warfarin"].severity in ("major", "contraindicated")


def test_a_product_keeps_every_finding_with_other_drugs_and_its_own_burden() -> None:
    whole, apart = listed("Bactrim", "lisinopril"), listed("sulfamethoxazole", "trimethoprim", "lisinopril")
    own = {"interaction:sulfamethoxazole+trimethoprim"}
    assert {f.finding_id for f in apart.values()} - whole.keys() <= own
    assert "interaction:lisinopril+trimethoprim" in whole
    single = {name for name in listed("perphenazine", "amitriptyline") if name.startswith(("burden", "monitoring"))}
    assert single and single <= listed("perphenazine/amitriptyline").keys()


def test_moieties_and_what_becomes_them_are_duplicates(knowledge: KnowledgeBase) -> None:
    pairs = [
        (carrier, moiety) for carrier, held in moieties().items() for moiety in held
        if {carrier, moiety} <= knowledge.drugs.keys() and "vaccine" not in moiety
    ]  # fmt: skip
    known = [
        ("prednisone", "prednisolone"), ("primidone", "phenobarbital"), ("codeine", "morphine"),
        ("omeprazole", "esomeprazole"), ("citalopram", "escitalopram"), ("carisoprodol", "meprobamate"),
    ]  # fmt: skip
    assert len(pairs) > 40
    for a, b in (*pairs, *known):
        assert f"duplication:{min(a, b)}+{max(a, b)}" in found(
            Patient("p", 75, "F", 70.0, 165.0, regimen=(RegimenItem(a), RegimenItem(b)))
        ), f"{a} and {b}: add a row to duplicate_therapy_identity.csv"


def test_records_of_other_sources_keep_their_entries(knowledge: KnowledgeBase) -> None:
    record = PatientRecord("synthea", "1", 75, "F")
    for name in (
        "Acetaminophen 325 MG / Hydrocodone Bitartrate 7.5 MG Oral Tablet",
        "Acetaminophen 325 MG Oral Tablet",
    ):
        record.take(name, 30.0)
    patient = to_patient(record, Resolver(knowledge.tables["vocabulary"]))[0]
    assert patient.drug_ids.count("acetaminophen") == 2
    finding = found(patient)["duplication:acetaminophen"]
    assert "Hydrocodone Bitartrate" in finding.management and finding.severity == "major"


def test_an_exported_patient_reads_back_as_it_was(knowledge: KnowledgeBase, tmp_path: Path) -> None:
    patient = patient_from({**PERSON, "regimen": ["Entresto", "Tylenol", "acetaminophen"]}, knowledge)
    exported = json.loads(json.dumps(patient.to_dict()))
    assert Patient.from_dict(exported) == patient == patient_from(exported, knowledge)


def test_the_text_names_entries_and_what_is_in_them(knowledge: KnowledgeBase) -> None:
    patient = patient_of_drugs(["Norco", "acetaminophen"], knowledge)
    text = as_text(review_regimen(patient, knowledge), patient, knowledge)
    assert "Regimen: Norco (hydrocodone + acetaminophen), Acetaminophen" in text
    assert "acetaminophen is listed as Norco and as acetaminophen" in text
    twice = [{"drug": name, "dose": 3000} for name in ("Tylenol", "acetaminophen")]
    patient = patient_from({**PERSON, "regimen": twice}, knowledge)
    text = as_text(review_regimen(patient, knowledge), patient, knowledge)
    assert "reduce to at most 3000 mg a day: 6000 mg a day in all (3000 in Tylenol" in text
