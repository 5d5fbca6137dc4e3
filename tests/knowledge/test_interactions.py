"""The interaction graph: size, order, provenance, and the pairs everybody knows."""

from __future__ import annotations

import pytest

from polyguard_env.errors import PolyGuardError
from polyguard_env.knowledge import rules
from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.knowledge.derive import kinetic_severity
from polyguard_env.knowledge.rules import Selector, interaction_rows
from polyguard_env.knowledge.schema import SEVERITY_RANK, CypRole
from polyguard_env.knowledge.tabular import read_fragments


@pytest.fixture(scope="module")
def knowledge() -> KnowledgeBase:
    return KnowledgeBase.default()


def test_at_least_thirty_thousand_edges(knowledge: KnowledgeBase) -> None:
    assert len(knowledge.interactions()) >= 30_000


@pytest.mark.parametrize(
    ("a", "b", "least"),
    [
        ("phenelzine", "sertraline", "contraindicated"),
        ("simvastatin", "clarithromycin", "contraindicated"),
        ("tizanidine", "ciprofloxacin", "contraindicated"),
        ("sildenafil", "nitroglycerin", "contraindicated"),
        ("febuxostat", "azathioprine", "contraindicated"),
        ("amiodarone", "haloperidol", "contraindicated"),
        ("warfarin", "ibuprofen", "major"),
        ("oxycodone", "lorazepam", "major"),
        ("lithium", "lisinopril", "major"),
        ("clopidogrel", "omeprazole", "major"),
        ("digoxin", "verapamil", "major"),
        ("spironolactone", "lisinopril", "moderate"),
    ],
)
def test_well_known_pairs(knowledge: KnowledgeBase, a: str, b: str, least: str) -> None:
    edge = knowledge.interaction(a, b)
    assert edge is not None and edge == knowledge.interaction(b, a)
    assert SEVERITY_RANK[edge.severity] >= SEVERITY_RANK[least]
    assert edge.sources and len(edge.sources) == len(edge.years)


@pytest.mark.parametrize(
    ("a", "b"),
    [("acetaminophen", "amlodipine"), ("levothyroxine", "atorvastatin"), ("finasteride", "metformin"),
     ("loratadine", "pravastatin"), ("pantoprazole", "amlodipine")],
)  # fmt: skip
def test_pairs_known_not_to_matter(knowledge: KnowledgeBase, a: str, b: str) -> None:
    edge = knowledge.interaction(a, b)
    assert edge is None or edge.severity == "minor"


def test_all_fifteen_onc_rules_reach_drugs(knowledge: KnowledgeBase) -> None:
    reached = {row["rule_id"] for _, _, row in interaction_rows(Selector(knowledge.drugs))}
    onc = {row["rule_id"] for row in read_fragments("rules/interactions") if row["source"] == "onc2012"}
    assert len(onc) == 15
    assert onc <= reached


def test_every_edge_names_known_sources(knowledge: KnowledgeBase) -> None:
    known = {row["source"] for row in read_fragments("sources")}
    assert set(";".join(knowledge.interactions()["sources"].unique()).split(";")) <= known


@pytest.mark.parametrize(
    ("doer", "victim", "narrow", "severity"),
    [("strong", "sensitive", False, "major"), ("moderate", "sensitive", False, "moderate"),
     ("moderate", "sensitive", True, "major"), ("strong", "moderate", False, "moderate"),
     ("weak", "sensitive", True, None)],
)  # fmt: skip
def test_kinetic_grades(doer: str, victim: str, narrow: bool, severity: str | None) -> None:
    inhibitor, substrate = CypRole("3A4", "inhibitor", doer), CypRole("3A4", "substrate", victim)
    assert kinetic_severity(inhibitor, substrate, narrow) == severity


def test_a_ceiling_keeps_class_wide_grades_from_pairs_the_label_clears(knowledge: KnowledgeBase) -> None:
    assert knowledge.interaction("gabapentin", "levetiracetam") is None
    diuretic = knowledge.interaction("losartan", "hydrochlorothiazide")
    assert diuretic is not None and diuretic.severity == "minor"


def test_a_ceiling_must_be_a_grade(knowledge: KnowledgeBase, monkeypatch: pytest.MonkeyPatch) -> None:
    row = {"side_a": "drug:warfarin", "side_b": "drug:aspirin", "most": "major"}
    monkeypatch.setattr(rules, "read_fragments", lambda stem: [row] if stem == "ceilings" else read_fragments(stem))
    with pytest.raises(PolyGuardError, match=r"ceilings.csv row 2 most"):
        rules.ceilings(Selector(knowledge.drugs))


def test_groups_stand_for_their_members_in_rules(knowledge: KnowledgeBase) -> None:
    inhibitors = Selector(knowledge.drugs).select("group:mao_inhibitors", "here")
    assert {"phenelzine", "linezolid", "methylthioninium", "procarbazine", "rasagiline"} <= inhibitors
    with pytest.raises(PolyGuardError, match="here"):
        Selector(knowledge.drugs).select("group:unheard_of", "here")
