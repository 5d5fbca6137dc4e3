"""A case at the bench: steps, comparison and export, without a browser."""

from __future__ import annotations

import asyncio
import json
from html.parser import HTMLParser
from pathlib import Path

import pytest
from fastapi import FastAPI

from polyguard_env.environment.messages import DISCLAIMER, PolyGuardAction
from polyguard_env.errors import PolyGuardError
from polyguard_serving.policy.decisions import model_status
from polyguard_serving.policy.services import PolicyServices
from polyguard_serving.refusals import Refusal
from polyguard_serving.workbench.case import Case, of_patient, of_scenario
from polyguard_serving.workbench.drawings import edges_of, lines, network
from polyguard_serving.workbench.inputs import from_drugs, json_patient
from polyguard_serving.workbench.play import COMPARED, played, take_advice
from polyguard_serving.workbench.views import deciding, findings, people, progress
from polyguard_serving.workbench.views.words import inside, why, words
from tests.workbench.conftest import bundle_file

DRUGS = "warfarin, ibuprofen, amiodarone, simvastatin"


@pytest.fixture
def services(tmp_path: Path) -> PolicyServices:
    return PolicyServices(FastAPI(), tmp_path)


class Reader(HTMLParser):
    """Text of a page, and whether every tag is closed."""

    VOID = frozenset({"br", "circle", "line", "path", "polyline"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert tag in self.VOID or self.open.pop() == tag, tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_an_entered_patient_is_stepped_through_like_a_scenario() -> None:
    case = from_drugs(DRUGS)
    before = case.risk_over_time()[0]["total"]
    stop = next(c for c in case.observation.candidates if c.text.startswith(("stop", "switch", "taper")))
    case.take(PolyGuardAction(candidate_id=stop.candidate_id), "you")
    assert case.steps[0].text == stop.text and 0.0 < case.steps[0].reward < 1.0
    assert case.risk_over_time()[0]["total"] == before and len(case.risk_over_time()) == 2
    with pytest.raises(PolyGuardError, match="on offer"):
        case.candidate("c0")
    case.restart()
    assert not case.steps and case.patient().drug_ids == from_drugs(DRUGS).patient().drug_ids


def test_two_people_do_not_share_an_episode() -> None:
    one, other = from_drugs(DRUGS), from_drugs("digoxin, verapamil")
    assert set(one.observation.model_dump()["patient"]) and one.patient().drug_ids != other.patient().drug_ids
    again = one.again()
    again.take(PolyGuardAction(candidate_id=again.observation.candidates[0].candidate_id), "you")
    assert again.steps and not one.steps


@pytest.mark.parametrize("name", [name for name in COMPARED if name != "Active model"])
def test_everybody_who_can_be_compared_plays_to_the_end(services: PolicyServices, name: str) -> None:
    case = of_scenario("train-DDI-medium-000004")
    run = asyncio.run(played(services, case, name))
    assert run.done and run.steps and run.steps[0].by == name and not case.steps
    assert deciding.outcome(run) and 0.0 < run.observation.info["episode_reward"] < 1.0


def test_a_missing_model_is_said_and_nobody_stands_in(services: PolicyServices) -> None:
    with pytest.raises(Refusal, match="make demo"):
        asyncio.run(played(services, from_drugs(DRUGS), "Active model"))
    with pytest.raises(PolyGuardError, match="press Ask"):
        take_advice(from_drugs(DRUGS))


def test_every_view_is_whole_and_escapes_what_was_entered(services: PolicyServices) -> None:
    evil = "<script>alert(1)</script>"
    person = {"age": 81, "sex": "F", "weight": 62, "height": 158, "patient_id": evil, "allergies": ["latex"]}
    case = json_patient(json.dumps(person | {"regimen": ["warfarin", "ibuprofen"]}))
    case.take(PolyGuardAction(candidate_id=case.observation.candidates[0].candidate_id), "you")
    found = case.findings()
    pages = [
        people.header(), people.chip(asyncio.run(model_status(services))), people.person(case), people.regimen(case),
        people.picture(case, found), findings.findings_table(found, case.env.knowledge), deciding.decision(case),
        progress.course(case), progress.comparison(("A", "A"), (case, case)), progress.export_link(case, {}),
        people.error(PolyGuardError("drugs", evil, evil)), findings.findings_table((), case.env.knowledge),
    ]  # fmt: skip
    for page in pages:
        assert "<script" not in page and not Reader(page).open
    assert DISCLAIMER in people.header() and evil in Reader(people.person(case)).text


def test_the_regimen_tells_what_a_stop_risks() -> None:
    told = Reader(people.regimen(from_drugs("ticagrelor, lisinopril, aspirin"))).text
    assert "Before a drug is stopped" in told and "stent thrombosis" in told and "(boxed warning)" in told


def test_terms_are_told_in_words_a_clinician_uses() -> None:
    told = {
        "qt_prolongation": "QT prolongation", "infection_bacterial": "Bacterial infection", "hfref": "HFrEF",
        "systolic_bp": "Systolic BP", "parkinsons_disease": "Parkinson's disease", "hba1c": "HbA1c",
        "b12_deficiency": "B12 deficiency",
    }  # fmt: skip
    assert {term: words(term) for term in told} == told
    assert why("burden", "avoid") == "Best avoided in older adults"
    assert why("duplication", "class:ssris;class:snris") == "Same class: SSRIs, SNRIs"
    assert why("duplication", "drug:fluconazole;drug:itraconazole") == "Same kind of drug: fluconazole, itraconazole"
    assert inside("inr") == "INR" and inside("potassium") == "potassium"


def test_findings_name_the_works_they_rest_on_and_the_numbers_agree() -> None:
    case = from_drugs(DRUGS)
    found = case.findings()
    shown = Reader(findings.findings_table(found, case.env.knowledge)).text
    assert f"{len(found)} findings, worst first" in shown and "AGS Beers Criteria" in shown and "US FDA, 2024" in shown
    assert "1 finding" in Reader(findings.findings_table(found[:1], case.env.knowledge)).text
    assert "1 further finding" in Reader(findings.findings_table(found[:13], case.env.knowledge)).text
    for name in {name for finding in found for name in finding.evidence_ids[:3]} & set(findings.works()):
        assert f"{name} {findings.works()[name]['title']}" in shown


def test_before_the_first_step_the_course_tells_the_risk_in_words() -> None:
    case = from_drugs(DRUGS)
    now = Reader(progress.course(case)).text
    assert "No step taken yet" in now and f"{case.risk_over_time()[0]['total']:.1f}" in now
    assert "<svg" not in progress.course(case)
    case.take(PolyGuardAction(candidate_id=case.observation.candidates[0].candidate_id), "you")
    assert progress.course(case).count("<figure") == 2


@pytest.mark.parametrize(
    ("values", "top"), [([40.0], "40"), ([41.0], "48"), ([0.4], "0.4"), ([0.0], "4"), ([7.5, 1.0], "8")]
)
def test_scales_end_on_round_numbers(values: list[float], top: str) -> None:
    assert f'class="pg-axis">{top}</text>' in lines("Risk", {"total": values}, "steps")


def test_a_pasted_bundle_is_read_as_one(tmp_path: Path) -> None:
    case = json_patient(bundle_file(tmp_path).read_text(encoding="utf-8"))
    assert case.came_from == "fhir" and set(case.patient().drug_ids) == {"spironolactone", "lisinopril"}
    with pytest.raises(PolyGuardError, match="living patient"):
        json_patient('{"resourceType": "Bundle", "type": "collection", "entry": []}')


def test_the_network_draws_each_pair_once_by_its_worst_finding() -> None:
    case = from_drugs(DRUGS)
    drugs = [(drug, drug) for drug in case.patient().drug_ids]
    pairs = edges_of(drugs, case.findings())
    assert pairs["ibuprofen", "warfarin"] == "major" and all(a < b for a, b in pairs)
    picture = network(drugs, case.findings())
    assert 'role="img"' in picture and f"of {len(drugs)} drugs" in picture and picture.count("<circle") == len(drugs)
    assert "no interactions" in network([("warfarin", "Warfarin")], ())


def test_the_export_holds_the_whole_case_and_names_what_it_rests_on() -> None:
    case = of_scenario("train-DDI-medium-000005")
    case.take(PolyGuardAction(candidate_id=case.observation.candidates[0].candidate_id), "you")
    told = json.loads(json.dumps(case.exported({"label": "none"})))
    assert told["steps"][0]["by"] == "you" and told["knowledge_fingerprint"] == case.env.knowledge.fingerprint
    assert told["disclaimer"] == DISCLAIMER and told["findings"] and told["patient"]["regimen"]
    assert told["active_model"] == {"label": "none"}


def test_a_drug_without_a_profile_is_reviewed_but_left_out_of_the_episode() -> None:
    from polyguard_env.knowledge.base import KnowledgeBase
    from polyguard_env.patients.model import Patient, RegimenItem

    drugs = KnowledgeBase.default().drugs
    bare = next(drug for drug in sorted(drugs) if drugs[drug].profile is None)
    person = Patient("p", 80, "F", 60.0, 160.0, regimen=(RegimenItem("warfarin"), RegimenItem(bare)))
    case: Case = of_patient(person, "form")
    assert case.left_out == (bare,) and bare in case.patient().drug_ids
    assert all(entry["drug_id"] != bare for entry in case.observation.regimen)
    with pytest.raises(PolyGuardError, match="formulary"):
        of_patient(person.with_regimen((RegimenItem(bare),)), "form")


def test_one_ingredient_listed_twice_is_one_drug_of_the_episode_and_two_entries_of_the_review() -> None:
    case = from_drugs("Tylenol 3000 mg daily\nacetaminophen 1 g tid\nEntresto\nNorco\nwarfarin 5 mg daily")
    held = [entry for entry in case.observation.regimen if entry["drug_id"] == "acetaminophen"]
    assert [entry["dose"] for entry in held] == [6000.0] and case.patient().drug_ids.count("acetaminophen") == 3
    found = {finding.finding_id: finding for finding in case.findings()}
    assert found["duplication:acetaminophen"].severity == "major"
    assert found["interaction:sacubitril+valsartan"].severity == "minor"
    shown = Reader(findings.findings_table(tuple(found.values()), case.env.knowledge)).text
    assert "The same ingredient twice" in shown and "Reduce to at most 3000 mg a day: 6000 mg a day in all" in shown
    regimen = Reader(people.regimen(case)).text
    assert "listed as Norconot known" in regimen and "Valsartan, listed as Entresto" in regimen
    stop = next(c for c in case.observation.candidates if c.text == "stop acetaminophen")
    case.take(PolyGuardAction(candidate_id=stop.candidate_id), "you")
    assert "acetaminophen" not in case.patient().drug_ids
    assert "duplication:acetaminophen" not in {finding.finding_id for finding in case.findings()}


def test_a_condition_that_only_the_review_knows_stays_with_the_findings() -> None:
    from polyguard_env.patients.model import Patient, RegimenItem

    person = Patient(
        "Entered", 80, "F", 60.0, 160.0, conditions=("ckd", "ckd_g4"),
        regimen=(RegimenItem("metformin", 2000.0, "ckd_g4"), RegimenItem("dabigatran", 300.0)),
    )  # fmt: skip
    case = of_patient(person, "form")
    assert case.observation.patient["conditions"] == ["ckd"]
    assert case.patient().conditions == ("ckd", "ckd_g4")
    assert {item.indication for item in case.patient().regimen} == {"ckd_g4", ""}
    assert "organ_dosing:renal:metformin" in {found.finding_id for found in case.findings()}
