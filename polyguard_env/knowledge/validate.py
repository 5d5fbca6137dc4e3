"""Checks of the packaged tables: every row sourced and dated, every reference known, every number a number.

An error names the file, the row and the column.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

from polyguard_env.errors import PolyGuardError
from polyguard_env.knowledge.formulary import split
from polyguard_env.knowledge.roles import QT_GRADES
from polyguard_env.knowledge.schema import SEVERITY_RANK, Drug, DrugProfile
from polyguard_env.knowledge.tabular import read_fragments, tables_folder

MANAGEMENT_TERMS = frozenset({"avoid", "substitute", "reduce_dose", "monitor", "separate_doses", "none"})
STRENGTHS = frozenset({"strong", "moderate", "weak"})
ROLE_STRENGTHS = frozenset({"strong", "moderate", "weak", "sensitive", "prodrug"})
QT_RISKS = frozenset(QT_GRADES) - {"none"}
# Tables beside the rules whose targets select drugs.
SELECTING = (
    "ceilings",
    "critical_levels",
    "dosed_pairs",
    "local_use",
    "review_drug_disease",
    "same_ingredient",
    "stop_",
)
TERM_KINDS = frozenset({"class", "drug", "group", "flag", "role", "qt"})
CROSS_GRADES = frozenset({"likely", "probable", "possible", "unlikely", "none"})
FIRST_YEAR, LAST_YEAR = 1950, 2026
PROFILE_FIELDS = frozenset(DrugProfile.__slots__)
# The tables that say what a source is; every other table names one of them in every row.
SOURCES = "sources"
NUMBERS = frozenset(
    """dose_min dose_usual dose_max doses_per_day half_life_h renal_fraction acb dbi_delta sedation fall_risk bleeding
    hyperkalaemia hyponatraemia hypoglycaemia hypotension bradycardia serotonergic cns_active nephrotoxic
    seizure_threshold narrow_index use_weight threshold floor max_dose replacement_dose interval_days step_days
    long_use_days step_fraction max_fraction_per_step min_days_on_drug least_low least_high preferred_dose every_days
    step_ml equals_prednisone_5 above cut longest_days low high lower_reference upper_reference
    most_days""".split()  # noqa: SIM905
)

RANGES = {
    "renal_fraction": (0, 1), "acb": (0, 3), "narrow_index": (0, 1), "step_fraction": (0, 1), "use_weight": (0, 1000),
    "max_fraction_per_step": (0, 1),
    **dict.fromkeys(
        ("sedation", "fall_risk", "bleeding", "hyperkalaemia", "hyponatraemia", "hypoglycaemia", "hypotension",
         "bradycardia", "serotonergic", "cns_active", "nephrotoxic", "seizure_threshold"),
        (0, 3),
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Known:
    """What cells may refer to."""

    sources: frozenset[str]
    classes: frozenset[str]
    conditions: frozenset[str]
    measurements: frozenset[str]
    mechanisms: frozenset[str]
    drugs: frozenset[str]
    groups: frozenset[str]
    allergens: frozenset[str]


def known_references(drugs: Mapping[str, Drug]) -> Known:
    """The identifiers of the packaged tables and the vocabulary."""

    def column(table: str, name: str) -> frozenset[str]:
        return frozenset(row[name] for row in read_fragments(table))

    return Known(
        column("sources", "source"), column("classes", "class_id"),
        column("conditions", "condition_id") | column("review_conditions", "condition_id"),
        column("measurements", "measurement_id"), column("mechanisms", "term"), frozenset(drugs),
        column("groups", "group_id"), column("allergens", "allergen_id") - {""},
    )  # fmt: skip


def validate_tables(drugs: Mapping[str, Drug], folder: Path | None = None) -> int:
    """Check every table.

    Args:
        drugs: the vocabulary that drug references must name.
        folder: the tables; the packaged ones by default.

    Returns:
        The number of rows checked.

    Raises:
        PolyGuardError: the first bad cell; the field is "file, row N, column".
    """
    base = folder or tables_folder()
    known, count = known_references(drugs), 0
    rule_ids: dict[str, str] = {}
    described: dict[str, str] = {}
    for path in sorted(base.rglob("*.csv")):
        for line, row in rows_of(path):
            count += 1
            where = f"{path.relative_to(base).as_posix()}, row {line}"
            for column, value, fix in problems(path, row, known):
                raise PolyGuardError(f"{where}, {column}", value, fix)
            if path.stem.startswith(SOURCES):
                held = described.setdefault(row["source"], where)
                if held != where:
                    raise PolyGuardError(f"{where}, source", row["source"], f"use a key of its own ({held} has it)")
            # The sides of a combination share its id; everywhere else an id is one rule.
            if "rule_id" in row and path.stem != "combination":
                held = rule_ids.setdefault(row["rule_id"], where)
                if held != where:
                    raise PolyGuardError(f"{where}, rule_id", row["rule_id"], f"use an id of its own ({held} has it)")
    return count


def rows_of(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Rows with their line numbers."""
    with path.open(encoding="utf-8", newline="") as handle:
        reader = csv.DictReader(handle)
        for row in reader:
            if None in row or None in row.values():
                raise PolyGuardError(f"{path.name}, row {reader.line_num}", len(row), "give every column one value")
            yield reader.line_num, row


def problems(path: Path, row: dict[str, str], known: Known) -> Iterator[tuple[str, str, str]]:
    """Bad cells of a row: column, value, fix."""
    yield from undescribed(row) if path.stem.startswith(SOURCES) else unsourced(row, known)
    for column, value in row.items():
        for part, allowed, fix in references(path, column, value, known):
            if part not in allowed:
                yield column, part, fix
        if value and column in NUMBERS and not is_number(value):
            yield column, value, "write a number"
        elif value and column in RANGES and not RANGES[column][0] <= float(value) <= RANGES[column][1]:
            yield column, value, f"write a number from {RANGES[column][0]} to {RANGES[column][1]}"


def unsourced(row: dict[str, str], known: Known) -> Iterator[tuple[str, str, str]]:
    """A missing or unknown source, an impossible year; limits of a measurement have a source and year of their own."""
    yield from _cited(row, "sources" if "sources" in row else "source", "year", known)
    if "limits_source" in row:
        yield from _cited(row, "limits_source", "limits_year", known)


def _cited(row: dict[str, str], source: str, year: str, known: Known) -> Iterator[tuple[str, str, str]]:
    keys = split(row.get(source, ""))
    if not keys:
        yield source, "", "name the source of this row (a key of sources.csv)"
    for key in keys:
        if key not in known.sources:
            yield source, key, "add the source to sources.csv"
    if not is_year(row.get(year, "")):
        yield year, row.get(year, ""), "write the publication year of the source"


def undescribed(row: dict[str, str]) -> Iterator[tuple[str, str, str]]:
    """What a source lacks: its key, title, publisher, year or licence."""
    for column in ("source", "title", "publisher", "licence"):
        if not row.get(column, "").strip():
            yield column, "", "describe the source in full: key, title, publisher, year, licence"
    if not is_year(row.get("year", "")):
        yield "year", row.get("year", ""), "write the publication year of the source"


def is_year(text: str) -> bool:
    """True for a year from `FIRST_YEAR` to `LAST_YEAR`."""
    return text.isdecimal() and FIRST_YEAR <= int(text) <= LAST_YEAR


def references(path: Path, column: str, value: str, known: Known) -> Iterator[tuple[str, frozenset[str], str]]:
    """What a cell refers to, part by part, and what it may be."""
    rules = path.parent.name == "rules"
    parts = split(value)
    if column in ("class_id", "other_classes") or (column == "parent_id" and value):
        yield from ((part, known.classes, "add the class to classes.csv") for part in parts)
    elif column in ("indications", "condition", "condition_id", "condition_ids", "indication") and value:
        yield from ((part, known.conditions, "add the condition to conditions.csv") for part in parts)
    elif column in ("monitoring", "measurement") and value:
        yield from ((part, known.measurements, "add the measurement to measurements.csv") for part in parts)
    elif column in ("absent_if", "unless", "wrong_if"):
        yield from conditional(parts, known)
    elif column in ("drug_ids", "except_a", "except_b", "replacement", "preferred") or (
        column in ("drug_id", "moiety_id")
        and path.stem.startswith(("brands", "identifiers", "moieties", "roles", "synonyms"))
    ):
        yield from ((part, known.drugs, "use an id of the vocabulary") for part in parts)
    elif (
        column == "members"
        or (column in ("target", "side_a", "side_b") and (rules or path.stem.startswith(SELECTING)))
        or (path.stem.startswith("cross_reactions") and column in ("allergy", "reaches", "spares"))
    ):
        yield from selected(parts, known)
    elif path.stem.startswith("cross_reactions") and column == "grade":
        yield value, CROSS_GRADES, f"use one of {', '.join(sorted(CROSS_GRADES))}"
    elif column == "severity" and value:
        yield value, frozenset(SEVERITY_RANK), f"use one of {', '.join(SEVERITY_RANK)}"
    elif column == "strength" and rules:
        yield value, STRENGTHS, f"use one of {', '.join(sorted(STRENGTHS))}"
    elif column == "mechanism":
        yield value, known.mechanisms, "add the mechanism to mechanisms.csv"
    elif column == "management" and (path.stem.startswith("interactions") or path.stem == "ansm_levels") and value:
        yield value.partition(":")[0], MANAGEMENT_TERMS, f"start with one of {', '.join(sorted(MANAGEMENT_TERMS))}"


def selected(parts: tuple[str, ...], known: Known) -> Iterator[tuple[str, frozenset[str], str]]:
    """Classes and drugs named by a side expression."""
    for part in parts:
        for term in part.split("&"):
            kind, _, name = term.strip().partition(":")
            if kind in ("class", "only"):
                yield name, known.classes, "add the class to classes.csv"
            elif kind == "drug":
                yield name, known.drugs, "use an id of the vocabulary"
            elif kind == "allergen":
                yield name, known.allergens, "use an allergen_id of allergens.csv"
            elif kind == "group":
                yield name, known.groups, "add the group to groups.csv"
            elif kind == "flag":
                yield name.partition(">=")[0], PROFILE_FIELDS, "use a field of DrugProfile"
            elif kind == "role":
                yield name.rpartition(":")[2], ROLE_STRENGTHS, f"use one of {', '.join(sorted(ROLE_STRENGTHS))}"
            elif kind == "qt":
                yield name, QT_RISKS, f"use one of {', '.join(sorted(QT_RISKS))}"
            elif part != "*":
                yield kind, TERM_KINDS, f"use one of {', '.join(sorted(TERM_KINDS))}"


def conditional(parts: tuple[str, ...], known: Known) -> Iterator[tuple[str, frozenset[str], str]]:
    """Conditions, classes and drugs that switch a rule off."""
    for part in parts:
        kind, _, name = part.rpartition(":")
        if kind in ("class", "drug"):
            yield from selected((part,), known)
        elif kind in ("", "condition"):
            yield name, known.conditions, "add the condition to conditions.csv"


def is_number(text: str) -> bool:
    """True when the text is a finite number."""
    try:
        return isfinite(float(text))
    except ValueError:
        return False
