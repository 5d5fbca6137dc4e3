"""What an allergy reaches: the drug, its class and what cross-reacts, graded; and what it must not reach."""

from __future__ import annotations

import pytest

from polyguard_env.knowledge.allergens import allergy_ids
from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.knowledge.tabular import read_fragments
from polyguard_env.patients.reading import patient_from
from polyguard_env.risk.allergies import GRADES, cross_reactions, reach
from polyguard_env.risk.review import review_regimen

PERSON = {"age": 80, "sex": "F", "weight": 60, "height": 160}


def severity(allergy: str, drug: str) -> str:
    """Severity of the allergy finding of one drug; "" without one."""
    knowledge = KnowledgeBase.default()
    patient = patient_from(PERSON | {"allergies": [allergy], "regimen": [drug]}, knowledge)
    found = [f for f in review_regimen(patient, knowledge).findings if f.finding_id.endswith("+allergy")]
    assert len(found) <= len(patient.regimen)
    return found[0].severity if found else ""


@pytest.mark.parametrize(
    ("allergy", "drug", "expected"),
    [
        ("amoxicillin", "amoxicillin", "contraindicated"),
        ("amoxicillin", "penicillin V", "contraindicated"),
        ("amoxicillin", "cephalexin", "major"),
        ("amoxicillin", "ceftriaxone", "minor"),
        ("amoxicillin", "meropenem", "minor"),
        ("penicillin", "cefazolin", "minor"),
        ("ceftazidime", "aztreonam", "major"),
        ("cephalosporins", "cefdinir", "contraindicated"),
        ("beta-lactams", "piperacillin", "contraindicated"),
        ("aspirin", "ibuprofen", "contraindicated"),
        ("NSAIDs", "aspirin", "contraindicated"),
        ("naproxen", "celecoxib", "major"),
        ("aspirin", "mesalamine", "contraindicated"),
        ("aspirin", "acetaminophen", "minor"),
        ("codeine", "morphine", "major"),
        ("codeine", "oxycodone", "moderate"),
        ("lisinopril", "ramipril", "contraindicated"),
        ("lisinopril", "sacubitril", "contraindicated"),
        ("lisinopril", "losartan", "moderate"),
        ("sulfamethoxazole", "sulfadiazine", "contraindicated"),
        ("sulfa", "sulfasalazine", "contraindicated"),
        ("atorvastatin", "rosuvastatin", "moderate"),
        ("clarithromycin", "azithromycin", "contraindicated"),
        ("ciprofloxacin", "levofloxacin", "contraindicated"),
        ("doxycycline", "minocycline", "contraindicated"),
        ("gentamicin", "tobramycin", "contraindicated"),
        ("heparin", "enoxaparin", "contraindicated"),
        ("heparin", "fondaparinux", "minor"),
        ("iohexol", "iopamidol", "major"),
        ("procaine", "tetracaine", "contraindicated"),
        ("carbamazepine", "phenytoin", "major"),
        ("carbamazepine", "oxcarbazepine", "major"),
        ("carbamazepine", "lamotrigine", "moderate"),
        ("fosphenytoin", "phenytoin", "contraindicated"),
        ("hydroxyzine", "cetirizine", "contraindicated"),
        ("iron", "ferrous sulfate", "contraindicated"),
        ("egg white", "propofol", "minor"),
        ("peanut", "propofol", "minor"),
        ("egg", "influenza vaccine", "minor"),
        ("salsalate", "mesalamine", "contraindicated"),
        ("salsalate", "choline magnesium trisalicylate", "contraindicated"),
        ("choline magnesium trisalicylate", "ibuprofen", "contraindicated"),
        ("mesalamine", "salsalate", "moderate"),
        ("mesalamine", "bismuth subsalicylate", "moderate"),
        ("Pepto-Bismol", "aspirin", "major"),
        ("Pepto-Bismol", "mesalamine", "contraindicated"),
        ("salicylates", "aspirin", "contraindicated"),
        ("salicylates", "sulfasalazine", "contraindicated"),
        ("salicylates", "ibuprofen", "major"),
        ("furosemide", "sulfamethoxazole", "minor"),
        ("dapsone", "sulfamethoxazole", "moderate"),
        ("cefoxitin", "penicillin G", "moderate"),
        ("penicillin", "cephalexin", "moderate"),
        ("dicloxacillin", "cephalexin", "minor"),
        ("piperacillin", "cephalexin", "moderate"),
        ("contrast dye", "iohexol", "major"),
        ("fondaparinux", "enoxaparin", "minor"),
        ("aliskiren", "lisinopril", "moderate"),
        ("lacosamide", "carbamazepine", "moderate"),
        ("beta blockers", "timolol", "contraindicated"),
        ("MiraLAX", "methylprednisolone", "moderate"),
    ],
)
def test_a_finding_follows_the_evidence(allergy: str, drug: str, expected: str) -> None:
    assert severity(allergy, drug) == expected


@pytest.mark.parametrize(
    ("allergy", "drug"),
    [
        ("sulfa", "trimethoprim"), ("penicillin", "clavulanic acid"), ("penicillin", "tazobactam"),
        ("penicillin", "aztreonam"), ("penicillin", "penicillamine"), ("sulfa", "glipizide"), ("sulfa", "sumatriptan"),
        ("codeine", "fentanyl"), ("procaine", "lidocaine"), ("PPI", "vonoprazan"), ("steroids", "cosyntropin"),
        ("iron infusion", "ferrous sulfate"), ("shellfish", "iohexol"), ("iodine", "iohexol"),
        ("amiodarone", "iohexol"), ("carbamazepine", "levetiracetam"), ("trimethoprim", "sulfamethoxazole"),
        ("aspirin", "clopidogrel"), ("latex", "amoxicillin"), ("ibuprofen", "mesalamine"), ("metoprolol", "sotalol"),
        ("lidocaine", "benzocaine"), ("shellfish", "iodinated contrast"), ("peanut", "ipratropium"),
    ],
)  # fmt: skip
def test_what_does_not_cross_react_is_left_alone(allergy: str, drug: str) -> None:
    assert severity(allergy, drug) == ""


def test_sulfa_says_at_most_a_low_note_of_sulfonamides_that_are_no_antibiotics() -> None:
    drugs = ("furosemide", "hydrochlorothiazide", "celecoxib", "glimepiride", "acetazolamide", "zonisamide")
    assert {severity("sulfa", drug) for drug in drugs} == {"minor"}


def test_every_row_reaches_a_drug_and_cites_itself() -> None:
    knowledge = KnowledgeBase.default()
    for row in cross_reactions(knowledge):
        assert row.allergies and row.reaches, row.rule_id
    found = reach("amoxicillin", "cephalexin", knowledge)
    assert found is not None and found.evidence_ids[1] == "picard2019"
    assert {row.grade for row in cross_reactions(knowledge)} == {*GRADES, "none"}


def test_the_worst_of_several_allergies_counts() -> None:
    knowledge = KnowledgeBase.default()
    patient = patient_from(PERSON | {"allergies": ["penicillin", "cephalexin"], "regimen": ["cefadroxil"]}, knowledge)
    (found,) = [f for f in review_regimen(patient, knowledge).findings if "allergy" in f.mechanism]
    assert (found.severity, found.drugs) == ("major", ("cefadroxil",))


def test_every_word_for_an_allergen_is_understood() -> None:
    knowledge = KnowledgeBase.default()
    for row in read_fragments("allergens"):
        wanted = {part for cell in (row["class_id"], row["allergen_id"]) for part in cell.split(";") if part}
        assert wanted <= set(allergy_ids(row["name"], knowledge.resolve_all)), row["name"]


# Rows that hold one way: a label that names the other drug, an excipient, iodine that amiodarone holds.
ONE_WAY = {"cross062", "cross084", "cross127"}
EXCIPIENTS = {"gelatin", "polyethylene_glycol"}


def test_what_reaches_forth_reaches_back() -> None:
    """Of two drugs that a row joins each has a grade after a reaction to the other."""
    knowledge = KnowledgeBase.default()
    rows = [row for row in cross_reactions(knowledge) if row.grade != "none" and row.rule_id not in ONE_WAY]
    single = knowledge.drugs.keys() - EXCIPIENTS - set(knowledge.tables["classes"]["class_id"])
    pairs = {(a, b) for row in rows for a in row.allergies & single for b in row.reaches & single}
    back = [(a, b) for a, b in sorted(pairs) if reach(b, a, knowledge) is None]
    assert [(a, b) for a, b in back if reach(a, b, knowledge) is not None] == []
