"""Rules of a knowledge base, indexed by drug once so that a review is a handful of look-ups."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import resources

from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.knowledge.schema import SEVERITY_RANK, Drug, DrugProfile, Interaction, Rule

INDEXED = (
    "renal",
    "hepatic",
    "taper",
    "substitution",
    "drug_disease",
    "monitoring",
    "burden",
    "combination",
    "pharmacogenomics",
    "hold",
)


@dataclass(frozen=True, slots=True)
class ConditionPriority:
    """How much leaving a condition untreated costs (0-4) and its short label."""

    untreated: float
    short: str


def load_condition_priorities() -> dict[str, ConditionPriority]:
    """Simulation weights of `condition_priority.csv`, by condition id."""
    table = resources.files("polyguard_env.knowledge") / "tables" / "condition_priority.csv"
    with table.open(encoding="utf-8") as handle:
        return {
            row["condition_id"]: ConditionPriority(float(row["untreated"]), row["short"])
            for row in csv.DictReader(handle)
        }


@dataclass(frozen=True, slots=True)
class Hyperedge:
    """A combination of `sides` drugs, and one of its rule rows."""

    rule: Rule
    sides: int


def terms(cell: str) -> set[str]:
    """Names in a `;` list of `class:`, `drug:` or `condition:` terms."""
    return {part.split(":")[-1].strip() for part in cell.split(";") if part.strip()}


class RuleIndex:
    """Read-only look-ups over one knowledge base.

    Attributes:
        knowledge: the knowledge base indexed.
        priorities: untreated weights by condition.
        duplicates: rules on duplicate therapy by drug and rule id, the most severe first, and of equals the one that
            reaches fewest drugs.
    """

    def __init__(self, knowledge: KnowledgeBase) -> None:
        self.knowledge = knowledge
        self.priorities = load_condition_priorities()
        self._by_drug: dict[str, dict[str, list[Rule]]] = {}
        for kind in INDEXED:
            table: dict[str, list[Rule]] = defaultdict(list)
            for rule in knowledge.rules(kind):
                table[rule.drug_id].append(rule)
            self._by_drug[kind] = dict(table)
        self.combinations = _hyperedges(knowledge.rules("combination"))
        self.omissions: tuple[Rule, ...] = tuple(knowledge.rules("omission"))
        self._omissions_at: dict[str, list[int]] = defaultdict(list)
        for place, rule in enumerate(self.omissions):
            if rule.drug_id == (rule.fields.get("preferred") or rule.drug_id):
                self._omissions_at[rule.fields["condition"]].append(place)
        self.duplicates: dict[str, dict[str, Rule]] = defaultdict(dict)
        duplicates = knowledge.rules("duplicate_therapy")
        reached = Counter(rule.rule_id for rule in duplicates)
        for rule in sorted(duplicates, key=lambda r: (-SEVERITY_RANK[r.severity], reached[r.rule_id], r.rule_id)):
            self.duplicates[rule.drug_id][rule.rule_id] = rule
        self._interactions: dict[tuple[str, str], Interaction | None] = {}

    def rules(self, kind: str, drug_id: str) -> list[Rule]:
        """Rules of one kind for one drug; empty when there are none."""
        return self._by_drug[kind].get(drug_id, [])

    def omissions_for(self, conditions: Iterable[str]) -> list[Rule]:
        """Rules on what someone with these conditions lacks, in table order, each by its preferred drug."""
        places = [place for name in {*conditions, "", "*"} for place in self._omissions_at.get(name, ())]
        return [self.omissions[place] for place in sorted(places)]

    def interaction(self, a: str, b: str) -> Interaction | None:
        """The graded edge between two drugs, in either order, or None."""
        key = (a, b) if a < b else (b, a)
        if key not in self._interactions:
            self._interactions[key] = self.knowledge.interaction(*key)
        return self._interactions[key]

    def drug(self, drug_id: str) -> Drug:
        return self.knowledge.drugs[drug_id]

    def profile(self, drug_id: str) -> DrugProfile | None:
        drug = self.knowledge.drugs.get(drug_id)
        return drug.profile if drug else None

    def priority(self, condition: str) -> float:
        """Untreated weight of a condition; 1.0 when the table has none."""
        known = self.priorities.get(condition)
        return known.untreated if known else 1.0

    def short(self, condition: str) -> str:
        """Short label of a condition for compact text."""
        known = self.priorities.get(condition)
        return known.short if known else condition.replace("_", " ")


def _hyperedges(rules: Sequence[Rule]) -> dict[str, Hyperedge]:
    sides: dict[str, set[str]] = defaultdict(set)
    for rule in rules:
        sides[rule.rule_id].add(rule.fields["side"])
    return {rule.rule_id: Hyperedge(rule, len(sides[rule.rule_id])) for rule in rules}
