"""Pictures of barcodes, a small FHIR bundle and a small NDC directory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

# FDA's product.txt: tab-separated, these columns among others.
DIRECTORY = (
    "PRODUCTID\tPRODUCTNDC\tPROPRIETARYNAME\tNONPROPRIETARYNAME\tSUBSTANCENAME\n"
    "1\t0071-0155\tLipitor\tAtorvastatin calcium\tATORVASTATIN CALCIUM TRIHYDRATE\n"
    "2\t00056-0170\tCoumadin\tWarfarin sodium\tWARFARIN SODIUM\n"
)


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """A data lake with a supplied directory of two products."""
    place = tmp_path / "lake/raw/supplied/ndc/product.txt"
    place.parent.mkdir(parents=True)
    place.write_text(DIRECTORY, encoding="utf-8")
    return tmp_path / "lake"


def upc_picture(folder: Path, digits: str) -> Path:
    """A UPC-A barcode of eleven digits (the check digit is added)."""
    import barcode
    from barcode.writer import ImageWriter

    made = barcode.get("upca", digits, writer=ImageWriter())
    return Path(made.save(str(folder / f"upc{digits}"), {"write_text": False}))


def matrix_picture(folder: Path, text: str) -> Path:
    """A DataMatrix of a text."""
    import zxingcpp
    from PIL import Image

    made = zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat.DataMatrix)
    path = folder / "matrix.png"
    Image.fromarray(made.to_image(scale=6)).save(path)
    return path


def bundle_file(folder: Path) -> Path:
    """A patient of 80 with two drugs, one of them unknown, and a potassium."""
    patient = {"reference": "urn:uuid:p"}

    def drug(name: str) -> dict[str, Any]:
        return {
            "resource": {
                "resourceType": "MedicationRequest", "id": name[:5], "status": "active", "intent": "order",
                "subject": patient, "authoredOn": "2026-03-01", "medicationCodeableConcept": {"text": name},
            }
        }  # fmt: skip

    potassium = {
        "resourceType": "Observation", "id": "k", "status": "final", "subject": patient,
        "effectiveDateTime": "2026-05-01", "code": {"coding": [{"system": "http://loinc.org", "code": "2823-3"}]},
        "valueQuantity": {"value": 5.6, "unit": "mmol/L", "code": "mmol/L"},
    }  # fmt: skip
    person = {"resourceType": "Patient", "id": "p", "gender": "female", "birthDate": "1946-02-03"}
    entries = [
        {"fullUrl": "urn:uuid:p", "resource": person}, drug("Spironolactone"), drug("Lisinopril"), drug("Nosuchdrug"),
        {"resource": potassium},
    ]  # fmt: skip
    path = folder / "bundle.json"
    path.write_text(json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries}), encoding="utf-8")
    return path
