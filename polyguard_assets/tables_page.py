"""Writes docs/tables.md: every knowledge table with its sources and coverage, and the cohort beside published figures.

`python -m polyguard_assets.tables_page`; every figure is counted from the tables, none is typed.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import pandas as pd

from polyguard_assets.paths import project_root
from polyguard_env.environment.messages import DISCLAIMER
from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.knowledge.schema import RULE_KINDS, SEVERITIES
from polyguard_env.knowledge.tabular import read_fragments, tables_folder
from polyguard_env.knowledge.validate import SOURCES, rows_of
from polyguard_env.patients.generate import PERSON_SEED, PatientGenerator
from polyguard_env.patients.realism import Comparison, compare
from polyguard_env.risk.review import rule_index

COHORT = 20_000


def main() -> int:
    """Write the page."""
    knowledge = KnowledgeBase.default()
    index = rule_index(knowledge)
    people = PatientGenerator(index, PERSON_SEED).frame(0, COHORT)
    page = project_root() / "docs" / "tables.md"
    page.write_text(render(knowledge, compare(people, index)), encoding="utf-8")
    print("wrote docs/tables.md")
    return 0


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """A Markdown table."""
    lines = [f"| {' | '.join(header)} |", f"| {' | '.join('---' for _ in header)} |"]
    return [*lines, *(f"| {' | '.join(str(cell) for cell in row)} |" for row in rows), ""]


def render(knowledge: KnowledgeBase, comparison: Sequence[Comparison]) -> str:
    """The page as Markdown."""
    lines = [
        "# Tables, sources and coverage",
        "",
        f"Knowledge `{knowledge.fingerprint}`. Written by `python -m polyguard_assets.tables_page`. {DISCLAIMER}",
        "",
        "## Vocabulary and formulary",
        "",
        *table(("what", "count"), vocabulary_rows(knowledge)),
        "## Interaction graph",
        "",
        *table(("severity", "edges", "between formulary drugs"), severity_rows(knowledge)),
        *table(("source", "edges it grades or supports"), source_counts(knowledge.tables["interactions"]["sources"])),
        f"Edges on whose grade two sources disagree: {int(knowledge.tables['interactions']['disagree'].sum())}.",
        "",
        "## Rule tables",
        "",
        *table(("table", "rules", "drugs", "rows after expansion", "sources"), rule_rows(knowledge)),
        "## Every table",
        "",
        "The rows of each table, its fragments together, and the sources they name; no row is built without a source "
        "and its year. Limits of what a measurement may be are this project's own (`polyguard_limits`).",
        "",
        *table(("table", "rows", "sources"), table_rows()),
        "## Synthetic cohort beside published figures",
        "",
        f"The first {COHORT:,} patients; exposures on the first 4,000 of them.",
        "",
        *table(
            ("patients who, or figure", "found", "published", "accepted", "source"),
            (
                (
                    r.meaning,
                    f"{r.found:.3f}",
                    f"{r.published:.3f}",
                    f"{r.low:.3f} to {r.high:.3f}",
                    f"{r.source} {r.year}",
                )
                for r in comparison
            ),
        ),
        "## Sources",
        "",
        *table(
            ("key", "title", "publisher", "year", "licence"),
            (
                (row["source"], row["title"], row["publisher"], row["year"], row["licence"])
                for row in sorted(read_fragments("sources"), key=lambda row: row["source"])
            ),
        ),
    ]
    return "\n".join(lines).rstrip() + "\n"


def vocabulary_rows(knowledge: KnowledgeBase) -> list[tuple[str, object]]:
    vocabulary = knowledge.tables["vocabulary"]
    profiles = [drug.profile for drug in knowledge.drugs.values() if drug.profile]
    complete = sum(1 for p in profiles if p.half_life_h is not None and p.hepatic and p.doses_per_day is not None)
    return [
        ("ingredients that resolve by name", f"{len(vocabulary):,}"),
        ("names, brands, salts and synonyms", f"{int(vocabulary['names'].map(len).sum()):,}"),
        ("combination products", f"{len(read_fragments('combinations')):,}"),
        ("with a DrugBank id", f"{int((vocabulary['drugbank_id'] != '').sum()):,}"),
        ("with an RxCUI", f"{int((vocabulary['rxcui'] != '').sum()):,}"),
        ("in the class tree", f"{knowledge.tables['classes']['drug_id'].nunique():,}"),
        ("formulary profiles", len(profiles)),
        ("profiles with half-life, hepatic share and doses a day as well", complete),
        ("profiles with an enzyme or transporter role", sum(1 for p in profiles if p.cyp)),
    ]


def severity_rows(knowledge: KnowledgeBase) -> list[tuple[str, str, str]]:
    edges = knowledge.tables["interactions"]
    profiled = {drug.drug_id for drug in knowledge.drugs.values() if drug.profile}
    inside = edges["drug_a"].isin(profiled) & edges["drug_b"].isin(profiled)
    rows = [
        (name, f"{int((edges['severity'] == name).sum()):,}", f"{int(((edges['severity'] == name) & inside).sum()):,}")
        for name in reversed(SEVERITIES)
    ]
    return [*rows, ("all", f"{len(edges):,}", f"{int(inside.sum()):,}")]


def source_counts(cells: pd.Series) -> list[tuple[str, str]]:
    counts = Counter(source for cell in cells for source in str(cell).split(";"))
    return [(source, f"{count:,}") for source, count in counts.most_common()]


def rule_rows(knowledge: KnowledgeBase) -> list[tuple[object, ...]]:
    rules = knowledge.tables["rules"]
    rows: list[tuple[object, ...]] = []
    for kind in RULE_KINDS:
        own = rules[rules["kind"] == kind]
        sources: Mapping[str, int] = Counter(own.drop_duplicates("rule_id")["source"])
        named = ", ".join(f"{source} {count}" for source, count in sorted(sources.items(), key=lambda p: -p[1]))
        label = kind.replace("_", " ")
        rows.append((label, own["rule_id"].nunique(), own["drug_id"].nunique(), f"{len(own):,}", named))
    return rows


def table_rows() -> list[tuple[str, str, str]]:
    """Every table but the list of sources: its name, its rows, and how many rows name each source."""
    base = tables_folder()
    held: dict[str, list[dict[str, str]]] = {}
    for path in sorted(base.rglob("*.csv")):
        if path.stem.startswith(SOURCES):
            continue
        parts = path.stem.split("_")
        stems = ["_".join(parts[:n]) for n in range(1, len(parts) + 1)]
        whole = next((stem for stem in stems if (path.parent / f"{stem}.csv").is_file()), path.stem)
        name = (
            path.parent.name if path.parent.name == "formulary" else (path.parent / whole).relative_to(base).as_posix()
        )
        held.setdefault(name, []).extend(row for _, row in rows_of(path))
    return [
        (name, f"{len(rows):,}", ", ".join(f"{s} {n}" for s, n in Counter(named(rows)).most_common()))
        for name, rows in sorted(held.items())
    ]


def named(rows: Iterable[Mapping[str, str]]) -> Iterator[str]:
    """The sources of rows, one by one."""
    for row in rows:
        yield from row["sources" if "sources" in row else "source"].split(";")


if __name__ == "__main__":
    sys.exit(main())
