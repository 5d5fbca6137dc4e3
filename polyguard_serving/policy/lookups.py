"""What the tables say: cases, evidence, reviews and interactions. Plain functions; the routes run them on a thread."""

from __future__ import annotations

from dataclasses import asdict
from itertools import combinations
from typing import Any

from polyguard_env.commands.review import TYPICAL
from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.environment.scenarios import DIFFICULTIES, MOST_SCENARIOS, SUB_ENVIRONMENTS, make_id
from polyguard_env.environment.splits import SPLITS
from polyguard_env.errors import PolyGuardError
from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.knowledge.schema import SEVERITY_RANK
from polyguard_env.patients.model import Patient
from polyguard_env.patients.reading import listed_drugs, patient_from
from polyguard_env.risk.combinations import combination_findings
from polyguard_env.risk.entries import within_products
from polyguard_env.risk.findings import Finding, worst_first
from polyguard_env.risk.review import review_regimen, rule_index
from polyguard_serving.policy.services import PolicyServices
from polyguard_serving.policy.types import (
    CasesAnswer,
    CaseSummary,
    CheckedPair,
    EvidenceAnswer,
    EvidenceQuestion,
    InteractionsAnswer,
    InteractionsRequest,
    Passage,
    ReviewAnswer,
    ReviewedDrug,
    ReviewFinding,
    ReviewRequest,
    json_of,
)


def cases(split: str, sub_environment: str | None, difficulty: str | None, offset: int, limit: int) -> CasesAnswer:
    """A page of scenarios, sub-environments and difficulties alternating.

    Raises:
        PolyGuardError: an unknown split, sub-environment or difficulty.
    """
    _one_of("split", split, SPLITS)
    names = (
        SUB_ENVIRONMENTS
        if sub_environment is None
        else (_one_of("sub_environment", sub_environment, SUB_ENVIRONMENTS),)
    )
    levels = DIFFICULTIES if difficulty is None else (_one_of("difficulty", difficulty, DIFFICULTIES),)
    kinds = [(name, level) for name in names for level in levels]
    env = PolyGuardEnv()
    total = len(kinds) * MOST_SCENARIOS
    found = []
    for place in range(offset, min(offset + limit, total)):
        number, kind = divmod(place, len(kinds))
        seen = env.reset(seed=0, scenario_id=make_id(split, *kinds[kind], number))
        found.append(
            CaseSummary(
                scenario_id=seen.scenario_id, sub_environment=seen.sub_environment, difficulty=seen.difficulty,
                split=split, steps=seen.steps_left, age=seen.patient["age"], sex=seen.patient["sex"],
                conditions=seen.patient["conditions"], drugs=[entry["drug_id"] for entry in seen.regimen],
                text=seen.text,
            )
        )  # fmt: skip
    return CasesAnswer(cases=found, total=total, offset=offset)


def evidence(services: PolicyServices, question: EvidenceQuestion) -> EvidenceAnswer:
    """The passages that answer a question; none when no word of it is known."""
    if not question.query.strip():
        raise PolyGuardError("query", question.query, "ask something, for example 'warfarin with ibuprofen'")
    index = services.index()
    passages = [
        Passage(
            passage_id=hit.passage_id, kind=hit.kind, source=hit.source, year=hit.year, date=hit.date,
            drugs=list(hit.drugs), text=hit.text, score=hit.score,
        )
        for hit in index.search(question.query, question.most)
    ]  # fmt: skip
    return EvidenceAnswer(
        query=question.query, passages=passages, searched=len(index.corpus),
        index=services.index_kind,  # type: ignore[arg-type]
        knowledge_fingerprint=services.knowledge.fingerprint,
    )  # fmt: skip


def review(knowledge: KnowledgeBase, asked: ReviewRequest) -> ReviewAnswer:
    """Every finding of a patient's regimen, or of a plain list of drugs taken by a typical older adult.

    Raises:
        PolyGuardError: a bad field of the patient, or an unknown drug.
    """
    assumed: dict[str, Any] = {}
    if not asked.drugs:
        patient = patient_from(asked.patient, knowledge)
    else:
        regimen = listed_drugs(asked.drugs, knowledge, "drugs", TYPICAL["weight"])
        patient, assumed = Patient(patient_id="drugs", regimen=regimen, **TYPICAL), dict(TYPICAL)
    return reviewed(patient, knowledge, assumed)


def reviewed(patient: Patient, knowledge: KnowledgeBase, assumed: dict[str, Any]) -> ReviewAnswer:
    """The review of a patient as it travels."""
    report = review_regimen(patient, knowledge)
    drugs = []
    for item in patient.regimen:
        drug = knowledge.drug(item.drug_id)
        unit = drug.profile.dose_unit if drug.profile else ""
        drugs.append(
            ReviewedDrug(
                drug_id=drug.drug_id,
                name=drug.name,
                dose=item.dose,
                unit=unit,
                indication=item.indication,
                entered=item.entered,
            )
        )
    return ReviewAnswer(
        patient_id=patient.patient_id,
        regimen=drugs,
        findings=[as_finding(finding) for finding in report.findings],
        warnings=list(report.warnings),
        assumed=assumed,
        knowledge_fingerprint=report.knowledge_fingerprint,
    )


def as_finding(finding: Finding) -> ReviewFinding:
    """A finding as it travels."""
    return ReviewFinding(**json_of(asdict(finding)))


def interactions(knowledge: KnowledgeBase, asked: InteractionsRequest) -> InteractionsAnswer:
    """Every interacting pair and combination among the drugs; those inside one product are none.

    Raises:
        PolyGuardError: an unknown drug, or fewer than two different ones.
    """
    regimen = listed_drugs(asked.drugs, knowledge, "drugs")
    drugs, within = list(dict.fromkeys(item.drug_id for item in regimen)), within_products(regimen)
    if len(drugs) < 2:
        raise PolyGuardError("drugs", asked.drugs, "name at least two different drugs")
    pairs = [pair for pair in combinations(sorted(drugs), 2) if pair not in within]
    edges = [edge for a, b in pairs if (edge := knowledge.interaction(a, b)) is not None]
    edges.sort(key=lambda edge: (-SEVERITY_RANK[edge.severity], edge.drug_a, edge.drug_b))
    return InteractionsAnswer(
        drugs=drugs,
        interactions=[
            CheckedPair(
                drugs=[edge.drug_a, edge.drug_b], severity=edge.severity, mechanism=edge.mechanism,
                effect=edge.effect, management=edge.management, sources=list(edge.sources), years=list(edge.years),
                disagree=edge.disagree,
            )
            for edge in edges
        ],
        combinations=[as_finding(f) for f in worst_first(combination_findings(drugs, rule_index(knowledge), within))],
        pairs_checked=len(pairs),
        knowledge_fingerprint=knowledge.fingerprint,
    )  # fmt: skip


def _one_of(field: str, value: str, known: tuple[str, ...]) -> str:
    if value not in known:
        raise PolyGuardError(field, value, f"use one of {', '.join(known)}")
    return value
