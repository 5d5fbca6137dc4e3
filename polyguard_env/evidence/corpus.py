"""Passages: one per interaction of formulary drugs, per rule row, per drug profile, and per piece of a label.

A passage about a class names the class, not its drugs, so that reading it tells of no pair; `drugs` lists them.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pandas as pd

from polyguard_env.environment.splits import pair_split
from polyguard_env.evidence.names import NameFinder
from polyguard_env.evidence.sentences import interaction_text, profile_text, rule_text
from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.knowledge.rules import Selector
from polyguard_env.knowledge.schema import RULE_KINDS, Interaction, Rule
from polyguard_env.knowledge.tabular import read_fragments
from polyguard_env.risk.index import RuleIndex

COLUMNS = ("passage_id", "kind", "source", "year", "date", "drugs", "pairs", "split", "text")
BODY_SUBSTANCES = Path(__file__).with_name("body_substances.csv")
SPLIT_ORDER = ("", "train", "validation", "holdout")


@dataclass(frozen=True, slots=True)
class Passage:
    """One passage.

    Attributes:
        passage_id: stable id, quoted as evidence.
        kind: "interaction", "profile", "label" or a rule kind.
        source: source keys, separated by semicolons. year: the latest one's year.
        date: the year, or the label's effective date (YYYY-MM-DD).
        drugs: ids of the drugs it is about.
        pairs: interacting pairs ("a+b") whose two drugs the text names.
        split: the strictest split of those pairs; "" when it names none.
        text: what a person or a model reads.
    """

    passage_id: str
    kind: str
    source: str
    year: int
    date: str
    drugs: tuple[str, ...]
    pairs: tuple[str, ...]
    split: str
    text: str


class CorpusBuilder:
    """Makes passages of one knowledge base."""

    def __init__(self, knowledge: KnowledgeBase) -> None:
        self.knowledge = knowledge
        self.index = RuleIndex(knowledge)
        self.selector = Selector(knowledge.drugs)
        self.finder = table_finder(knowledge)
        self.formulary = sorted(drug_id for drug_id, drug in knowledge.drugs.items() if drug.profile)

    def passage(
        self, passage_id: str, kind: str, source: str, year: int, drugs: Iterable[str], named: Iterable[str], text: str,
        date: str = "",
    ) -> Passage:  # fmt: skip
        """A passage; `named` are drugs its text names, beside those found in it."""
        pairs, split = self.pairs_of({*named, *self.finder.find(text)})
        return Passage(passage_id, kind, source, year, date or str(year), tuple(drugs), pairs, split, text)

    def pairs_of(self, named: Iterable[str]) -> tuple[tuple[str, ...], str]:
        """Interacting pairs among the drugs, and the strictest split any of them is in."""
        names = sorted(set(named))
        splits = {
            f"{a}+{b}": split
            for place, a in enumerate(names)
            for b in names[place + 1 :]
            if (split := pair_split(a, b, self.index)) is not None
        }
        return tuple(splits), max(splits.values(), key=SPLIT_ORDER.index, default="")

    def from_tables(self) -> list[Passage]:
        """Every passage the knowledge gives, in a fixed order."""
        return [*self._interactions(), *self._rules(), *self._profiles()]

    def _interactions(self) -> Iterator[Passage]:
        known = set(self.formulary)
        edges = self.knowledge.interactions()
        kept = edges[edges["drug_a"].isin(known) & edges["drug_b"].isin(known)]
        for a, b in sorted(zip(kept["drug_a"], kept["drug_b"], strict=True)):
            edge = self.knowledge.interaction(a, b)
            assert edge is not None
            yield self._interaction(edge)

    def _interaction(self, edge: Interaction) -> Passage:
        drugs = (edge.drug_a, edge.drug_b)
        text = interaction_text(edge, *(self.knowledge.drugs[drug].name for drug in drugs))
        key = f"interaction:{edge.drug_a}+{edge.drug_b}"
        return self.passage(key, "interaction", ";".join(edge.sources), max(edge.years), drugs, drugs, text)

    def _rules(self) -> Iterator[Passage]:
        for kind in RULE_KINDS:
            rows: dict[str, Rule] = {}
            for rule in self.knowledge.rules(kind):
                rows.setdefault(rule.rule_id, rule)
            for rule in rows.values():
                yield from self._rule(rule)

    def _rule(self, rule: Rule) -> Iterator[Passage]:
        terms = [term.strip() for term in rule.fields["target"].split(";") if term.strip()]
        for number, term in enumerate(terms, start=1):
            kind, _, name = term.partition(":")
            members = sorted(self.selector.select(term, rule.rule_id))
            if not members:
                continue
            named = [name] if kind == "drug" else []
            who = self.knowledge.drugs[name].name if kind == "drug" else class_words(kind, name)
            replacement = rule.fields.get("replacement") or rule.fields.get("preferred", "")
            named += [replacement] if replacement in self.knowledge.drugs else []
            text = rule_text(rule, who, self.knowledge)
            # A rule about every drug is about none in particular.
            about = dict.fromkeys([*(members if term != "*" else ()), *named])
            key = f"{rule.rule_id}.{number}" if len(terms) > 1 else rule.rule_id
            yield self.passage(key, rule.kind, rule.source, rule.year, about, named, text)

    def _profiles(self) -> Iterator[Passage]:
        for drug_id in self.formulary:
            drug = self.knowledge.drugs[drug_id]
            assert drug.profile is not None
            source, year = ";".join(drug.profile.sources), drug.profile.year
            text = profile_text(drug, drug.profile, [class_words("class", name) for name in drug.classes])
            yield self.passage(f"profile:{drug_id}", "profile", source, year, [drug_id], [drug_id], text)


def table_finder(knowledge: KnowledgeBase) -> NameFinder:
    """Finds drugs in sentences of tables, where "potassium" or "serotonin" is what the body has, not a drug."""
    with BODY_SUBSTANCES.open(encoding="utf-8", newline="") as handle:
        body = {row["drug_id"] for row in csv.DictReader(handle)}
    return NameFinder(knowledge, set(knowledge.drugs) - body)


@cache
def class_names() -> dict[str, str]:
    """Class id to its display name."""
    return {row["class_id"]: row["name"] for row in read_fragments("classes")}


def class_words(kind: str, name: str) -> str:
    """How a sentence calls a set of drugs."""
    if kind == "class":
        return class_names().get(name, name.replace("_", " "))
    if kind == "qt":
        return f"Drugs with {name} QT risk"
    if kind == "flag":
        return f"Drugs with {name.replace('_', ' ')}"
    if kind == "role":
        enzyme, role, strength = name.split(":")
        return f"{enzyme} {role}s ({strength})"
    return "Every regimen"


def frame_of(passages: Iterable[Passage]) -> pd.DataFrame:
    """One row per passage."""
    rows = [
        (p.passage_id, p.kind, p.source, p.year, p.date, list(p.drugs), list(p.pairs), p.split, p.text)
        for p in passages
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(COLUMNS))


def named_in(passage_kind: str, drugs: Iterable[str], text: str, tables: NameFinder, labels: NameFinder) -> set[str]:
    """Drugs a passage's text names, found afresh (for checks): in a label also what it is about."""
    return {*drugs, *labels.find(text)} if passage_kind == "label" else set(tables.find(text))


def training_passages(corpus: pd.DataFrame) -> pd.DataFrame:
    """The passages a training corpus may use: none that names both drugs of a validation or holdout pair."""
    return corpus[corpus["split"].isin(("", "train"))].reset_index(drop=True)
