"""Drugs of a regimen that the patient is allergic to, or that may cross-react, graded by the evidence.

`tables/cross_reactions.csv` says what an allergy reaches: `allergy` and `reaches` are side expressions (see
`knowledge.rules`; `allergen:<id>` names an allergen that is no drug, `only:<class>` a class as it is named and none of
its drugs, for what is not known which of them it was), `spares` takes drugs out of `reaches`, and
`grade` follows the source of the row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.knowledge.build import class_tree
from polyguard_env.knowledge.roles import moieties
from polyguard_env.knowledge.rules import Selector
from polyguard_env.knowledge.schema import ClassNode, Severity
from polyguard_env.knowledge.tabular import read_fragments
from polyguard_env.patients.model import Patient, RegimenItem
from polyguard_env.risk.findings import Finding
from polyguard_env.risk.index import RuleIndex

# Grade of a cross-reaction, worst first, to a finding's severity and management. A row of grade "none" says that a drug
# is not reached, whatever its class.
GRADES: dict[str, tuple[Severity, str]] = {
    "likely": ("contraindicated", "avoid"),
    "probable": ("major", "avoid: unless an allergist cleared it; another structure is safer"),
    "possible": ("moderate", "monitor: choose another drug or observe the first dose"),
    "unlikely": ("minor", "none: may be given; ask what the reaction was"),
}
WORST_FIRST = tuple(GRADES)
# Terms of an allergy that stand for their name alone.
BY_NAME = ("allergen:", "only:")


@dataclass(frozen=True, slots=True)
class CrossReaction:
    """One row of the table, expanded.

    Attributes:
        allergies: ids of drugs, classes and other allergens that it is about.
        reaches: ids of the drugs that may react.
        classes: classes that `reaches` names as a whole.
        grade: a key of `GRADES`, or "none".
    """

    rule_id: str
    allergies: frozenset[str]
    reaches: frozenset[str]
    classes: frozenset[str]
    grade: str
    reason: str
    source: str


@dataclass(frozen=True, slots=True)
class Reach:
    """Why an allergy speaks against a drug."""

    grade: str
    mechanism: str
    evidence_ids: tuple[str, ...]


@lru_cache(maxsize=8)
def cross_reactions(knowledge: KnowledgeBase) -> tuple[CrossReaction, ...]:
    """The table, expanded over a knowledge base's classes."""
    selector, tree = Selector(knowledge.drugs), class_tree()
    return tuple(_expanded(row, selector, tree) for row in read_fragments("cross_reactions"))


def _expanded(row: dict[str, str], selector: Selector, tree: Mapping[str, ClassNode]) -> CrossReaction:
    where = f"cross_reactions.csv {row['rule_id']}"
    terms = [term.strip() for term in row["allergy"].split(";")]
    others = {term.partition(":")[2] for term in terms if term.startswith(BY_NAME)}
    drugs = selector.select(";".join(term for term in terms if not term.startswith(BY_NAME)), where)
    named = {term.removeprefix("class:") for term in terms if term.startswith("class:")}
    return CrossReaction(
        rule_id=row["rule_id"],
        allergies=frozenset(drugs | others | {name for name in tree if named & _with_parents(name, tree)}),
        reaches=frozenset(selector.select(row["reaches"], where) - selector.select(row["spares"], where)),
        classes=frozenset(term.removeprefix("class:") for term in row["reaches"].split(";")),
        grade=row["grade"],
        reason=row["reason"],
        source=row["source"],
    )


def _with_parents(name: str, tree: Mapping[str, ClassNode]) -> set[str]:
    found = set()
    while name:
        found.add(name)
        name = tree[name].parent_id
    return found


def reach(allergy: str, drug_id: str, knowledge: KnowledgeBase) -> Reach | None:
    """What an allergy says of a drug, the worst grade that holds; None when nothing.

    The drug itself, its salts and prodrugs, and every drug of a class that the allergy names are out of question. Of
    a named class the table may except single drugs, which belong to it by use and not by structure.

    Args:
        allergy: id of a drug, a class or another allergen.
    """
    named, classes = allergy.replace("_", " "), knowledge.drugs[drug_id].classes
    held = moieties()
    if {allergy, *held.get(allergy, ())} & {drug_id, *held.get(drug_id, ())}:
        return Reach("likely", f"allergy to {named}", ("fda_label",))
    rows = [row for row in cross_reactions(knowledge) if allergy in row.allergies and drug_id in row.reaches]
    if allergy in classes:
        rows = [row for row in rows if allergy not in row.classes]
        if not rows:
            return Reach("likely", f"allergy to {named}", ("who_atc",))
    if not rows or any(row.grade == "none" for row in rows):
        return None
    worst = min(rows, key=lambda row: WORST_FIRST.index(row.grade))
    mechanism = f"{worst.grade} cross-reaction with an allergy to {named}: {worst.reason}"
    return Reach(worst.grade, mechanism, (worst.rule_id, worst.source))


def allergy_findings(patient: Patient, regimen: Sequence[RegimenItem], index: RuleIndex) -> list[Finding]:
    """At most one finding per drug: the worst of what the patient's allergies say of it."""
    findings = []
    for drug_id in dict.fromkeys(item.drug_id for item in regimen):
        reached = [found for name in patient.allergies if (found := reach(name, drug_id, index.knowledge))]
        if reached:
            worst = min(reached, key=lambda found: WORST_FIRST.index(found.grade))
            severity, management = GRADES[worst.grade]
            findings.append(
                Finding(
                    finding_id=f"drug_disease:{drug_id}+allergy",
                    category="drug_disease",
                    severity=severity,
                    drugs=(drug_id,),
                    mechanism=worst.mechanism,
                    management=management,
                    evidence_ids=worst.evidence_ids,
                )
            )
    return findings
