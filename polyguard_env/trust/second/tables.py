"""The raw tables, read with the standard library and pyarrow alone. Imports nothing of the project."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

KNOWLEDGE = Path(__file__).resolve().parents[2] / "knowledge"
RANK = {"minor": 1, "moderate": 2, "major": 3, "contraindicated": 4}
Row = dict[str, str]


def rows_of(pattern: str) -> list[Row]:
    """All rows of the CSV files that match, below the tables folder."""
    found: list[Row] = []
    for path in sorted((KNOWLEDGE / "tables").glob(pattern)):
        with path.open(encoding="utf-8", newline="") as handle:
            found += [{key: value.strip() for key, value in row.items()} for row in csv.DictReader(handle)]
    return found


def table(stem: str) -> list[Row]:
    """A table with its fragments: `stem.csv` and `stem_*.csv`."""
    return rows_of(f"{stem}.csv") + rows_of(f"{stem}_*.csv")


def cells(cell: str) -> list[str]:
    return [part.strip() for part in cell.split(";") if part.strip()]


class Facts:
    """Everything the second checker knows, as plain dicts.

    Args:
        snapshot: folder of the interaction and vocabulary Parquet files; the packaged snapshot when None.

    Attributes:
        profiles: drug id to its formulary row, all text.
        classes: drug id to the names of its classes and their ancestors.
        enzymes: drug id to `enzyme:role:strength` entries. qt: drug id to QT risk.
        first_class: drug id to the class that says how it treats; the drug itself where it has none.
        pairs: sorted drug pair to severity.
        mechanisms, managements: sorted drug pair to what happens and what to do about it.
        priorities: condition to what it weighs untreated.
        groups: group id to the target that selects its members.
        rules: kind to rows.
    """

    def __init__(self, snapshot: Path | None = None) -> None:
        folder = snapshot or KNOWLEDGE / "snapshot"
        self.profiles: dict[str, Row] = {row["drug_id"]: row for row in rows_of("formulary/*.csv")}
        parents = {row["class_id"]: row["parent_id"] for row in table("classes")}
        vocabulary: dict[str, list[Any]] = pq.read_table(
            folder / "vocabulary.parquet", columns=["drug_id", "class_ids"]
        ).to_pydict()
        self.classes: dict[str, set[str]] = {}
        self.first_class = {
            drug: next(iter(cells(leaves)), drug)
            for drug, leaves in zip(vocabulary["drug_id"], vocabulary["class_ids"])
        }
        for drug, leaves in zip(vocabulary["drug_id"], vocabulary["class_ids"]):
            held: set[str] = set()
            for name in cells(leaves):
                while name:
                    held.add(name)
                    name = parents[name]
            self.classes[drug] = held
        self.enzymes = {drug: set(cells(row["cyp"])) for drug, row in self.profiles.items()}
        self.qt = {drug: row["qt"] for drug, row in self.profiles.items()}
        for row in table("roles"):
            if row["drug_id"] in self.classes and row["drug_id"] not in self.profiles:
                self.enzymes[row["drug_id"]] = set(cells(row["cyp"]))
                self.qt[row["drug_id"]] = row["qt"]
        # A salt, ester or prodrug acts as what it carries.
        carried: dict[str, set[str]] = {}
        for row in table("moieties"):
            carried.setdefault(row["drug_id"], set()).add(row["moiety_id"])
        for drug, parts in carried.items():
            acting = next((part for part in sorted(parts) if part in self.qt), "")
            if acting and drug in self.classes and drug not in self.qt:
                self.enzymes[drug], self.qt[drug] = self.enzymes[acting], self.qt[acting]
        columns = ["drug_a", "drug_b", "severity", "mechanism", "management"]
        edges = pq.read_table(folder / "interactions.parquet", columns=columns).to_pydict()
        ends = [tuple(sorted(pair)) for pair in zip(edges["drug_a"], edges["drug_b"])]
        self.pairs: dict[tuple[str, ...], str] = dict(zip(ends, edges["severity"]))
        self.mechanisms: dict[tuple[str, ...], str] = dict(zip(ends, edges["mechanism"]))
        self.managements: dict[tuple[str, ...], str] = dict(zip(ends, edges["management"]))
        self.priorities = {row["condition_id"]: float(row["untreated"]) for row in table("condition_priority")}
        kinds = ("renal", "hepatic", "drug_disease", "monitoring", "burden", "combination", "duplicate_therapy",
                 "omission", "pharmacogenomics", "taper", "substitution", "hold")  # fmt: skip
        self.groups = {row["group_id"]: row["members"] for row in table("groups")}
        self.rules: dict[str, list[Row]] = {kind: table(f"rules/{kind}") for kind in kinds}
        self._matching: dict[tuple[str, str], list[Row]] = {}
        self._selected: dict[str, set[str]] = {}
        self._terms: dict[str, set[str]] = {}

    def number(self, drug: str, column: str) -> float:
        """A formulary number; 0 where the drug has no profile or the cell is empty."""
        cell = self.profiles[drug][column] if drug in self.profiles else ""
        return float(cell) if cell else 0.0

    def meets(self, drug: str, expression: str) -> bool:
        """Whether a drug is selected by a rule's target: a union (;) of intersections (&) of terms."""
        if expression not in self._selected:
            drugs: set[str] = set()
            for part in cells(expression):
                terms = [term.strip() for term in part.split("&")]
                drugs |= {name for name in self._of_term(terms[0]) if all(name in self._of_term(t) for t in terms[1:])}
            self._selected[expression] = drugs
        return drug in self._selected[expression]

    def _of_term(self, term: str) -> set[str]:
        """The drugs of one term, by looking at each drug in turn."""
        if term not in self._terms:
            kind, _, name = term.partition(":")
            self._terms[term] = {drug for drug in self.classes if self._fits(drug, kind, name)}
        return self._terms[term]

    def _fits(self, drug: str, kind: str, name: str) -> bool:
        if kind == "*":
            return True
        if kind == "drug":
            return drug == name
        if kind == "class":
            return name in self.classes[drug]
        if kind == "group":
            return self.meets(drug, self.groups[name])
        if kind == "qt":
            return self.qt.get(drug) == name
        if kind == "role":
            return name in self.enzymes.get(drug, ())
        if kind == "flag":
            column, _, least = name.partition(">=")
            value = self.number(drug, column)
            return drug in self.profiles and (value >= float(least) if least else value > 0)
        raise ValueError(f"unknown term {kind}:{name}")

    def rules_for(self, kind: str, drug: str) -> list[Row]:
        """The rules of a kind whose target selects a drug."""
        key = (kind, drug)
        if key not in self._matching:
            self._matching[key] = [row for row in self.rules[kind] if self.meets(drug, row["target"])]
        return self._matching[key]
