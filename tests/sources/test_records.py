"""FHIR, NHANES, CPIC and OnSIDES in their published formats."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from polyguard_env.errors import PolyGuardError
from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.sources import cpic, fhir, nhanes, onsides
from polyguard_env.sources.join import genes_without_rule, supplied_effects, supplied_pharmacogenomics
from polyguard_env.sources.records import records_of, to_patients
from polyguard_env.sources.resolve import Resolver
from polyguard_env.sources.supplied import find_files

from .xport import ibm, write_xport

Write = Callable[[str, str], Path]
URN = "urn:uuid:11111111-1111-4111-8111-111111111111"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"


def coded(system: str, code: str, display: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code, "display": display}], "text": display}


def observation(loinc: str, value: float, unit: str, day: str) -> dict[str, Any]:
    return {
        "resourceType": "Observation", "status": "final", "code": coded("http://loinc.org", loinc, loinc),
        "subject": {"reference": URN}, "effectiveDateTime": f"{day}T08:00:00+00:00",
        "valueQuantity": {"value": value, "unit": unit, "system": "http://unitsofmeasure.org", "code": unit},
    }  # fmt: skip


def bundle() -> dict[str, Any]:
    resources: list[dict[str, Any]] = [
        {"resourceType": "Patient", "id": "p1", "gender": "female", "birthDate": "1940-05-01"},
        {"resourceType": "Medication", "id": "m1", "code": coded(RXNORM, "855332", "Warfarin Sodium 5 MG Oral Tablet")},
        {"resourceType": "MedicationRequest", "status": "active", "intent": "order", "authoredOn": "2020-01-01",
         "subject": {"reference": URN}, "medicationReference": {"reference": "Medication/m1"}},
        {"resourceType": "MedicationRequest", "status": "stopped", "intent": "order", "authoredOn": "2020-01-01",
         "subject": {"reference": URN}, "medicationCodeableConcept": {"text": "Digoxin"}},
        {"resourceType": "MedicationStatement", "status": "active", "dateAsserted": "2020-03-01",
         "subject": {"reference": "Patient/p1"}, "medicationCodeableConcept": {"text": "Unobtainium"}},
        {"resourceType": "Condition", "subject": {"reference": URN},
         "clinicalStatus": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical",
                                        "code": "active"}]},
         "code": coded("http://hl7.org/fhir/sid/icd-10-cm", "I48.91", "Atrial fibrillation")},
        observation("2160-0", 97.24, "umol/L", "2020-02-01"),
        observation("2160-0", 2.0, "mg/dL", "2019-02-01"),
        {"resourceType": "Observation", "status": "final", "code": coded("http://loinc.org", "85354-9", "BP"),
         "subject": {"reference": URN}, "effectiveDateTime": "2020-06-30", "component": [
             {"code": coded("http://loinc.org", "8480-6", "s"), "valueQuantity": {"value": 142, "code": "mm[Hg]"}},
             {"code": coded("http://loinc.org", "8462-4", "d"), "valueQuantity": {"value": 80, "code": "mm[Hg]"}}]},
        {"resourceType": "AllergyIntolerance", "patient": {"reference": URN}, "code": {"text": "Penicillin V"}},
        {"resourceType": "AllergyIntolerance", "patient": {"reference": URN}, "code": {"text": "Penicillins"}},
        {"resourceType": "AllergyIntolerance", "patient": {"reference": URN}, "code": {"text": "Tree pollen"}},
        {"resourceType": "Procedure", "status": "completed", "subject": {"reference": URN}},
    ]  # fmt: skip
    urls = [URN] + [f"urn:uuid:{number}" for number in range(1, len(resources))]
    return {
        "resourceType": "Bundle", "type": "collection",
        "entry": [{"fullUrl": url, "resource": resource} for url, resource in zip(urls, resources)],
    }  # fmt: skip


def test_a_fhir_bundle_becomes_a_patient(write: Write, resolver: Resolver) -> None:
    frame = fhir.read(find_files("fhir", write("p1.json", json.dumps(bundle())), fhir.FILES))
    joined = to_patients(records_of(frame), resolver)
    (patient,) = joined.patients
    assert (patient.patient_id, patient.age, patient.sex) == ("fhir:p1", 80, "F")
    assert patient.drug_ids == ("warfarin",) and patient.regimen[0].days == 182
    assert patient.conditions == ("atrial_fibrillation",)
    assert patient.measurements["creatinine"] == pytest.approx(1.1, abs=0.01)
    assert (patient.measurements["systolic_bp"], patient.measurements["diastolic_bp"]) == (142, 80)
    assert patient.allergies == (resolver.resolve_all("Penicillin V")[0], "penicillins")
    assert dict(joined.allergens) == {"Tree pollen": 1}
    assert dict(joined.unresolved) == {"Unobtainium": 1}


def test_a_bulk_export_reads_the_same(write: Write, resolver: Resolver) -> None:
    lines = [json.dumps(entry["resource"]).replace(URN, "Patient/p1") for entry in bundle()["entry"]]
    frame = fhir.read(find_files("fhir", write("export.ndjson", "\n".join(lines)), fhir.FILES))
    assert to_patients(records_of(frame), resolver).patients[0].drug_ids == ("warfarin",)


@pytest.mark.parametrize(
    ("entry", "change", "named"),
    [
        (2, {"medicationReference": {"reference": "Medication/none"}}, r"p1.json entry\[2\], medicationReference"),
        (2, {"authoredOn": "01.01.2020"}, r"entry\[2\], MedicationRequest.authoredOn"),
        (2, {"dose": 3}, r"entry\[2\], MedicationRequest.dose"),
        (6, {"valueQuantity": {"value": 9700, "code": "umol/L"}}, r"entry\[6\], creatinine"),
        (6, {"valueQuantity": {"value": 97, "code": "mg"}}, r"entry\[6\], unit of creatinine"),
        (0, {"birthDate": None}, r"entry\[0\], Patient.birthDate"),
    ],
)
def test_a_malformed_resource_names_entry_and_field(
    write: Write, entry: int, change: dict[str, Any], named: str
) -> None:
    broken = copy.deepcopy(bundle())
    broken["entry"][entry]["resource"] |= change
    if None in change.values():
        del broken["entry"][entry]["resource"]["birthDate"]
    with pytest.raises(PolyGuardError, match=named):
        fhir.read(find_files("fhir", write("p1.json", json.dumps(broken)), fhir.FILES))


@pytest.mark.parametrize("text", ['{"resourceType": "Patient"}', "[]", "{", '{"resourceType": "Bundle", "entry": [3]}'])
def test_a_file_that_is_no_bundle_is_named(write: Write, text: str) -> None:
    with pytest.raises(PolyGuardError, match=r"p1\.json"):
        fhir.read(find_files("fhir", write("p1.json", text), fhir.FILES))


def test_the_dead_and_those_of_unknown_sex_are_left_out(write: Write, resolver: Resolver) -> None:
    other, dead = copy.deepcopy(bundle()), copy.deepcopy(bundle())
    other["entry"][0]["resource"]["gender"] = "unknown"
    dead["entry"][0]["resource"]["deceasedDateTime"] = "2020-05-01"
    frame = fhir.read(find_files("fhir", write("p.json", json.dumps(other)), fhir.FILES))
    assert to_patients(records_of(frame), resolver).excluded == {"sex not given as female or male": 1}
    assert fhir.read(find_files("fhir", write("p.json", json.dumps(dead)), fhir.FILES)).empty


DEMO = {"SEQN": 0, "RIDAGEYR": 0, "RIAGENDR": 0}
DRUGS = {"SEQN": 0, "RXDDRUG": 40, "RXDDAYS": 0, "RXDRSC1": 8}


def nhanes_folder(folder: Path) -> Path:
    write_xport(folder / "DEMO_J.XPT", DEMO, [[93703.0, 80.0, 2.0], [93704.0, 40.0, 1.0], [93705.0, 71.0, 1.0]])
    write_xport(folder / "RXQ_RX_J.XPT", DRUGS, [
        [93703.0, "ACETAMINOPHEN; HYDROCODONE", 30.0, "G89.4"], [93703.0, "LISINOPRIL", 99999.0, "I10"],
        [93705.0, "55555", 10.0, ""], [93705.0, "", None, ""],
    ])  # fmt: skip
    write_xport(
        folder / "BMX_J.XPT", {"SEQN": 0, "BMXWT": 0, "BMXHT": 0}, [[93703.0, 61.5, 158.2], [93704.0, None, None]]
    )
    write_xport(folder / "BIOPRO_J.XPT", {"SEQN": 0, "LBXSCR": 0}, [[93703.0, 1.13]])
    write_xport(folder / "BPX_J.XPT", {"SEQN": 0, "BPXSY1": 0, "BPXDI1": 0}, [[93703.0, 138.0, 0.0]])
    write_xport(folder / "DIQ_J.XPT", {"SEQN": 0, "DIQ010": 0}, [[93703.0, 1.0], [93705.0, 2.0]])
    return folder


def test_nhanes_transport_files_become_patients(tmp_path: Path, resolver: Resolver) -> None:
    frame = nhanes.read(find_files("nhanes", nhanes_folder(tmp_path), nhanes.FILES))
    joined = to_patients(records_of(frame), resolver)
    first, second = joined.patients
    assert (first.age, first.sex, first.weight, first.height) == (80, "F", 61.5, 158.2)
    assert set(first.drug_ids) == {"acetaminophen", "hydrocodone", "lisinopril"}
    assert first.regimen[0].days == 30 and first.measurements == {"creatinine": 1.13, "systolic_bp": 138.0}
    assert set(first.conditions) == {"chronic_pain", "hypertension", "diabetes"}
    assert second.drug_ids == () and list(joined.frame["assumed"][0]) == ["age"]
    assert joined.excluded == {"under 65": 1} and not joined.unresolved


def test_nhanes_csv_reads_the_same(tmp_path: Path) -> None:
    (tmp_path / "DEMO_J.csv").write_text("SEQN,RIDAGEYR,RIAGENDR\n1,70,1\n")
    (tmp_path / "RXQ_RX_J.csv").write_text("SEQN,RXDDRUG,RXDDAYS\n1,LISINOPRIL,30\n")
    frame = nhanes.read(find_files("nhanes", tmp_path, nhanes.FILES))
    assert list(frame.iloc[0]["drugs"]) == ["LISINOPRIL"]


def test_malformed_nhanes_files_are_named(tmp_path: Path) -> None:
    folder = nhanes_folder(tmp_path)

    def fails(named: str) -> None:
        with pytest.raises(PolyGuardError, match=named):
            nhanes.read(find_files("nhanes", folder, nhanes.FILES))

    write_xport(folder / "BIOPRO_J.XPT", {"SEQN": 0, "LBXSCR": 0}, [[93703.0, 113.0]])
    fails("BIOPRO_J.XPT row 1, creatinine")
    write_xport(folder / "BIOPRO_J.XPT", {"SEQN": 0, "LBXSCR": 0}, [[1.0, 1.0]])
    fails("BIOPRO_J.XPT row 1, SEQN")
    write_xport(folder / "DEMO_J.XPT", DEMO, [[93703.0, 80.0, 3.0]])
    fails("DEMO_J.XPT row 1, RIAGENDR")
    write_xport(folder / "DEMO_J.XPT", {"SEQN": 0, "RIDAGEYR": 0}, [[1.0, 80.0]])
    fails("columns RIAGENDR")
    (folder / "DEMO_J.XPT").write_bytes(b"not a transport file")
    fails("DEMO_J.XPT: .*supply the file as published")


def test_the_transport_writer_is_true_to_the_format() -> None:
    assert ibm(1.0).hex() == "4110000000000000" and ibm(-118.625).hex() == "c276a00000000000"


PAIRS = (
    "Date last updated: 2023-09-01\nGene,Drug,Guideline,CPIC Level,CPIC Level Status\n"
    "CYP2C19,clopidogrel,https://cpicpgx.org/x,A,Final\nHLA-B,abacavir,,A,Final\nCYP2D6,nosuchdrug,,C/D,Provisional\n"
)


def test_cpic_pairs_join_and_show_what_rules_lack(write: Write, resolver: Resolver, knowledge: KnowledgeBase) -> None:
    frame = cpic.read(find_files("cpic", write("cpicPairs.csv", PAIRS.partition("\n")[2]), cpic.FILES))
    assert len(cpic.read(find_files("cpic", write("cpicPairs.csv", PAIRS), cpic.FILES))) == 3 == len(frame)
    joined = supplied_pharmacogenomics(frame, resolver)
    assert joined["drug_id"].tolist() == ["clopidogrel", "abacavir", ""]
    rules = knowledge.tables["rules"]
    kept = rules[(rules["kind"] == "pharmacogenomics") & (rules["drug_id"] == "clopidogrel")]
    assert genes_without_rule(joined, kept) == ["HLA-B abacavir"]


def test_cpic_api_answers(write: Write, resolver: Resolver) -> None:
    pair = {"pairid": 1, "drugid": "RxNorm:32968", "drugname": "clopidogrel", "genesymbol": "CYP2C19",
            "guidelinename": "CYP2C19 and Clopidogrel", "cpiclevel": "A", "clinpgxlevel": "1A"}  # fmt: skip
    frame = cpic.read(find_files("cpic", write("pair_view.json", json.dumps([pair])), cpic.FILES))
    assert frame.iloc[0].tolist() == ["CYP2C19", "clopidogrel", "32968", "A", "CYP2C19 and Clopidogrel"]
    with pytest.raises(PolyGuardError, match=r"pair_view.json pair\[0\], cpiclevel"):
        cpic.read(find_files("cpic", write("pair_view.json", json.dumps([pair | {"cpiclevel": "Z"}])), cpic.FILES))
    with pytest.raises(PolyGuardError, match=r"pair\[0\], drugname"):
        cpic.read(find_files("cpic", write("pair_view.json", json.dumps([pair | {"drugname": None}])), cpic.FILES))


def test_a_malformed_cpic_table_names_the_line(write: Write) -> None:
    with pytest.raises(PolyGuardError, match=r"cpicPairs\.csv line 3, CPIC Level"):
        cpic.read(find_files("cpic", write("cpicPairs.csv", PAIRS.replace("x,A", "x,E")), cpic.FILES))


ONSIDES = {
    "product_adverse_effect": "product_label_id,effect_id,label_section,effect_meddra_id,match_method,pred0,pred1\n"
    "1,1,AR,100,PMB,0.1,3.2\n2,2,BW,100,PMB,0.1,3.2\n3,3,AR,100,PMB,0.1,3.2\n1,4,AR,101,PMB,0.1,3.2\n",
    "product_to_rxnorm": "label_id,rxnorm_product_id\n1,855332\n2,855332\n3,9\n",
    "vocab_rxnorm_ingredient_to_product": "ingredient_id,product_id\n11289,855332\n11289,9\n5640,9\n",
    "vocab_rxnorm_ingredient": "rxnorm_id,rxnorm_name,rxnorm_term_type\n11289,warfarin,Ingredient\n5640,ibuprofen,I\n",
    "vocab_meddra_adverse_effect": "meddra_id,meddra_name,meddra_term_type\n100,Haemorrhage,PT\n101,Alopecia,PT\n",
}


def test_onsides_counts_labels_of_single_ingredients(write: Write, resolver: Resolver) -> None:
    for name, text in ONSIDES.items():
        folder = write(f"{name}.csv", text)
    frame = onsides.read(find_files("onsides", folder, onsides.FILES))
    assert frame[["name", "effect", "labels", "boxed"]].to_numpy().tolist() == [
        ["warfarin", "Haemorrhage", 2, 1],
        ["warfarin", "Alopecia", 1, 0],
    ]
    joined = supplied_effects(frame, resolver)
    assert joined["drug_id"].tolist() == ["warfarin", "warfarin"] and joined["year"].unique().tolist() == [2025]
    write("product_adverse_effect.csv", ONSIDES["product_adverse_effect"].replace("1,4,AR,101", "1,4,AR,999"))
    with pytest.raises(PolyGuardError, match=r"product_adverse_effect\.csv line 5, effect_meddra_id"):
        onsides.read(find_files("onsides", folder, onsides.FILES))


def test_an_empty_supply_has_typed_columns(resolver: Resolver) -> None:
    assert supplied_effects(pd.DataFrame(columns=list(onsides.COLUMNS)), resolver).empty


@pytest.mark.parametrize(
    ("dosage", "dose"),
    [
        ([{"text": "Take 1 tablet by mouth twice daily"}], 10.0),
        ([{"text": "1 tab qd", "timing": {"repeat": {"frequency": 2, "period": 1, "periodUnit": "d"}},
           "doseAndRate": [{"doseQuantity": {"value": 5, "unit": "mg"}}]}], 10.0),
        ([{"timing": {"repeat": {"frequency": 1, "period": 8, "periodUnit": "h"}},
           "doseAndRate": [{"doseQuantity": {"value": 2.5, "unit": "mg"}}], "asNeededBoolean": True}], 7.5),
        ([{"timing": {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}},
           "doseAndRate": [{"doseQuantity": {"value": 10000000, "unit": "ng"}}]}], 10.0),
        ([{"text": "as directed"}], None), ([], None), ([{"text": "500 tablets four times daily"}], None),
        ([{"text": "1 tablet daily"}, {"text": "2 tablets daily"}], None),
    ],
)  # fmt: skip
def test_directions_of_a_request_give_the_dose(
    write: Write, resolver: Resolver, dosage: list[dict[str, Any]], dose: float | None
) -> None:
    request = {
        "resourceType": "MedicationRequest", "status": "active", "intent": "order", "authoredOn": "2020-01-01",
        "subject": {"reference": "Patient/d1"},
        "medicationCodeableConcept": {"text": "Warfarin Sodium 5 MG Oral Tablet"},
    } | ({"dosageInstruction": dosage} if dosage else {})  # fmt: skip
    person = {"resourceType": "Patient", "id": "d1", "gender": "female", "birthDate": "1940-03-05"}
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": person}, {"resource": request}]}
    folder = write("dosed.json", json.dumps(bundle))
    frame = fhir.read(find_files("fhir", folder, fhir.FILES))
    (patient,) = to_patients(records_of(frame), resolver).patients
    (item,) = patient.regimen
    assert item.drug_id == "warfarin" and item.dose == dose
    assert (item.note == "") == (dose == 10.0 or not dosage)
