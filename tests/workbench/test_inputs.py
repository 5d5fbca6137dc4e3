"""What a person may enter, and one clear error for everything else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from polyguard_env.errors import PolyGuardError
from polyguard_serving.workbench.barcode import understood
from polyguard_serving.workbench.inputs import (
    drug_line,
    from_barcode,
    from_drugs,
    from_fhir,
    from_form,
    json_patient,
    measurements_from,
)
from polyguard_serving.workbench.ndc import NdcDirectory
from tests.workbench.conftest import bundle_file, matrix_picture, upc_picture

PERSON = {"age": 81, "sex": "F", "weight": 62, "height": 158}


def test_a_line_holds_a_name_a_dose_and_a_purpose() -> None:
    assert drug_line("warfarin") == "warfarin"
    assert drug_line("metformin 1000 mg bid") == "metformin 1000 mg bid"
    assert drug_line("oxycodone 5 mg q6h prn for pain") == "oxycodone 5 mg q6h prn for pain"
    assert drug_line("digoxin 62.5 mcg daily for atrial fibrillation") == {
        "drug": "digoxin 62.5 mcg daily", "indication": "atrial_fibrillation",
    }  # fmt: skip


def test_a_form_becomes_a_case_with_doses_and_labs() -> None:
    values = PERSON | {"measurements": measurements_from("creatinine 130 umol/L, potassium 5.4"), "conditions": []}
    case = from_form(values, "warfarin 5 mg daily for atrial fibrillation\nibuprofen 400 mg tid")
    patient = case.patient()
    assert [(item.drug_id, item.dose) for item in patient.regimen] == [("warfarin", 5.0), ("ibuprofen", 1200.0)]
    assert patient.measurements["potassium"] == 5.4 and 1.4 < patient.measurements["creatinine"] < 1.5
    assert any(finding.finding_id == "interaction:ibuprofen+warfarin" for finding in case.findings())


@pytest.mark.parametrize(
    ("values", "drugs", "field"),
    [
        (PERSON | {"age": 7}, "warfarin", "age"), ({"age": 80}, "warfarin", "sex"), (PERSON, "", "drugs"),
        (PERSON, "warfarinn x", "regimen"), (PERSON, "warfarin 5 mg for nothing known", "indication"),
        (PERSON | {"conditions": ["gout of the knee"]}, "warfarin", "conditions"),
    ],
)  # fmt: skip
def test_a_bad_form_names_the_field(values: dict[str, object], drugs: str, field: str) -> None:
    with pytest.raises(PolyGuardError) as error:
        from_form(values, drugs)
    assert field in error.value.field


def test_labs_need_a_number() -> None:
    with pytest.raises(PolyGuardError, match="write a name"):
        measurements_from("potassium high")


def test_brands_make_a_case_and_say_what_was_assumed() -> None:
    case = from_drugs("Coumadin, Advil; Zocor")
    assert set(case.patient().drug_ids) == {"warfarin", "ibuprofen", "simvastatin"}
    assert "75" in case.notes[0]
    with pytest.raises(PolyGuardError, match="ibuprofen"):
        from_drugs("ibuprofin")


def test_a_fhir_bundle_makes_a_case_and_says_what_is_missing(tmp_path: Path) -> None:
    case = from_fhir(bundle_file(tmp_path))
    assert set(case.patient().drug_ids) == {"spironolactone", "lisinopril"} and case.patient().age == 80
    assert case.patient().measurements["potassium"] == 5.6
    assert any("Nosuchdrug" in note for note in case.notes) and any("weight" in note for note in case.notes)
    broken = tmp_path / "broken.json"
    broken.write_text('{"resourceType": "Patient"}')
    with pytest.raises(PolyGuardError, match="Bundle"):
        from_fhir(broken)


def test_a_pasted_patient_is_read_as_the_command_line_reads_it() -> None:
    assert json_patient(json.dumps(PERSON | {"regimen": ["Eliquis"]})).patient().drug_ids == ("apixaban",)
    for bad in ("{", "[]", json.dumps(PERSON | {"regimen": ["Eliquis"], "mood": "good"})):
        with pytest.raises(PolyGuardError):
            json_patient(bad)


def test_a_upc_is_read_and_named_by_the_supplied_directory(tmp_path: Path, lake: Path) -> None:
    case = from_barcode(upc_picture(tmp_path, "30071015523"), NdcDirectory(lake, service=""))
    assert case.patient().drug_ids == ("atorvastatin",)
    assert "Lipitor" in case.notes[0] and "supplied NDC directory" in case.notes[0]


def test_a_gs1_datamatrix_is_read_whatever_the_leading_zeros(tmp_path: Path, lake: Path) -> None:
    picture = matrix_picture(tmp_path, "0100300560170701" + "17270131" + "10ABC")
    case = from_barcode(picture, NdcDirectory(lake, service=""))
    assert case.patient().drug_ids == ("warfarin",)


def test_without_a_directory_the_code_is_read_and_the_way_out_is_told(tmp_path: Path) -> None:
    with pytest.raises(PolyGuardError, match=r"product.txt.*raw/supplied/ndc") as error:
        from_barcode(upc_picture(tmp_path, "30071015523"), NdcDirectory(tmp_path, service=""))
    assert "0071-0155" in str(error.value.value)


def test_openfda_is_asked_when_its_address_is_configured(tmp_path: Path) -> None:
    asked = []

    def get(url: str, params: dict[str, str | int]) -> bytes | None:
        asked.append((url, params["search"]))
        found = {"brand_name": "Lipitor", "generic_name": "atorvastatin calcium",
                 "active_ingredients": [{"name": "ATORVASTATIN CALCIUM TRIHYDRATE"}]}  # fmt: skip
        return json.dumps({"results": [found]}).encode() if params["search"] == 'product_ndc:"0071-0155"' else None

    directory = NdcDirectory(tmp_path, service="https://fda.example", get=get)
    case = from_barcode(upc_picture(tmp_path, "30071015523"), directory)
    assert case.patient().drug_ids == ("atorvastatin",) and "openFDA" in case.notes[0]
    assert asked[0] == ("https://fda.example/drug/ndc.json", 'product_ndc:"0071-0155"')


@pytest.mark.parametrize(
    ("text", "word"), [("4006381333931", "United States"), ("300710155232", "check digit"), ("hello", "scan the NDC")]
)
def test_codes_of_other_things_are_refused(text: str, word: str) -> None:
    with pytest.raises(PolyGuardError, match=word):
        understood(text)


def test_a_picture_without_a_code_and_a_file_that_is_none_are_refused(tmp_path: Path, lake: Path) -> None:
    from PIL import Image

    blank, text = tmp_path / "blank.png", tmp_path / "text.png"
    Image.new("L", (200, 200), 255).save(blank)
    text.write_text("no picture")
    for path, word in ((blank, "no barcode"), (text, "PNG or JPEG")):
        with pytest.raises(PolyGuardError, match=word):
            from_barcode(path, NdcDirectory(lake, service=""))
