"""Joining supplied pairs, effects and gene pairs to the vocabulary, with provenance."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from itertools import product
from typing import Any

import pandas as pd

from polyguard_env.knowledge.schema import SEVERITY_RANK
from polyguard_env.sources.catalogue import described
from polyguard_env.sources.resolve import Resolver

INTERACTIONS = (
    "drug_a", "drug_b", "severity", "effects", "source", "year", "name_a", "name_b", "record", "resolved",
)  # fmt: skip
EFFECTS = ("drug_id", "effect", "labels", "source", "year", "name", "resolved")
GENES = ("drug_id", "gene", "level", "guideline", "source", "year", "name", "resolved")


def supplied_interactions(ddinter: pd.DataFrame, twosides: pd.DataFrame, resolver: Resolver) -> pd.DataFrame:
    """Supplied pairs as drug ids, `drug_a` < `drug_b`; a name of several ingredients makes several pairs.

    Pairs that do not resolve stay, with empty ids and `resolved` False. TWOSIDES has no grade (severity "").
    """
    rows: list[tuple[Any, ...]] = []
    for name_a, name_b, severity, record in zip(
        ddinter["name_a"], ddinter["name_b"], ddinter["severity"], ddinter["source_id"], strict=True
    ):
        pairs = _pairs(resolver.resolve_all(name_a), resolver.resolve_all(name_b))
        rows += _rows(pairs, severity, [], "ddinter", name_a, name_b, record)
    columns = (twosides[name] for name in ("name_a", "rxcui_a", "name_b", "rxcui_b", "effects"))
    for name_a, rxcui_a, name_b, rxcui_b, effects in zip(*columns, strict=True):
        pairs = _pairs(resolver.resolve_all(name_a, rxcui_a), resolver.resolve_all(name_b, rxcui_b))
        rows += _rows(pairs, "", list(effects), "twosides", name_a, name_b, f"{rxcui_a}+{rxcui_b}")
    return pd.DataFrame(rows, columns=list(INTERACTIONS))


def _pairs(a: tuple[str, ...], b: tuple[str, ...]) -> list[tuple[str, str]]:
    return sorted({(min(pair), max(pair)) for pair in product(a, b) if pair[0] != pair[1]})


def _rows(
    pairs: list[tuple[str, str]], severity: str, effects: list[str], source: str, name_a: str, name_b: str, record: str
) -> list[tuple[Any, ...]]:
    year = described(source).year
    return [(a, b, severity, effects, source, year, name_a, name_b, record, bool(a)) for a, b in pairs or [("", "")]]


def agreement(edges: pd.DataFrame, supplied: pd.DataFrame) -> dict[str, Any]:
    """How supplied grades stand to the graph's: counts, and the worst pairs that only the supply has.

    Returns:
        By source: pairs, resolved, graded, in_graph, same_grade, graph_higher, graph_lower, only_supplied (by
        grade) and only_supplied_major (up to 20 pairs).
    """
    graph = dict(zip(zip(edges["drug_a"], edges["drug_b"], strict=True), edges["severity"], strict=True))
    report: dict[str, Any] = {}
    for source, frame in supplied.groupby("source"):
        resolved = frame[frame["resolved"].astype(bool)]
        counts: Counter[str] = Counter()
        only: Counter[str] = Counter()
        worst: list[str] = []
        for a, b, severity in zip(resolved["drug_a"], resolved["drug_b"], resolved["severity"], strict=True):
            ours = graph.get((a, b))
            if ours is None:
                only[severity or "ungraded"] += 1
                worst += [f"{a}+{b}"] if severity == "major" else []
                continue
            counts["in_graph"] += 1
            if severity:
                # A source without "contraindicated" calls its worst pairs major.
                rank = min(SEVERITY_RANK[ours], SEVERITY_RANK["major"])
                difference = rank - SEVERITY_RANK[severity]
                counts["same_grade" if difference == 0 else "graph_higher" if difference > 0 else "graph_lower"] += 1
        report[str(source)] = {
            "pairs": len(frame),
            "resolved": len(resolved),
            "graded": int((resolved["severity"] != "").sum()),
            **{name: counts[name] for name in ("in_graph", "same_grade", "graph_higher", "graph_lower")},
            "only_supplied": dict(sorted(only.items())),
            "only_supplied_major": sorted(worst)[:20],
        }
    return report


MANAGEMENT = {"contraindicated": "avoid", "major": "avoid", "moderate": "monitor", "minor": "none"}


def with_supplied(edges: pd.DataFrame, supplied: pd.DataFrame) -> pd.DataFrame:
    """The interaction graph joined with supplied grades, in the graph's columns and order.

    A pair the graph has keeps its grade, gains the source, and disagrees where the grades differ ("major" is the
    worst grade a supplied source has). A pair it lacks takes the worst supplied grade. Ungraded signals add nothing.
    """
    graded = supplied[supplied["resolved"].astype(bool) & (supplied["severity"] != "")]
    if graded.empty:
        return edges
    rows: dict[tuple[str, str], dict[str, Any]] = {
        (str(row["drug_a"]), str(row["drug_b"])): {str(name): value for name, value in row.items()}
        for row in edges.to_dict("records")
    }
    added: set[tuple[str, str]] = set()
    names = zip(*(graded[name] for name in ("drug_a", "drug_b", "severity", "source", "year")), strict=True)
    for a, b, severity, source, year in names:
        row = rows.get((a, b))
        if row is None:
            added.add((a, b))
            row = rows[a, b] = {
                "drug_a": a, "drug_b": b, "severity": severity, "mechanism": "other",
                "effect": f"graded {severity} by {source}, which names no mechanism",
                "management": MANAGEMENT[severity], "sources": source, "years": str(year), "disagree": False,
            }  # fmt: skip
        elif (a, b) in added and SEVERITY_RANK[severity] > SEVERITY_RANK[row["severity"]]:
            row |= {"severity": severity, "management": MANAGEMENT[severity], "disagree": True}
        dated = dict(zip(row["sources"].split(";"), row["years"].split(";"), strict=True)) | {source: str(year)}
        ours = min(SEVERITY_RANK[row["severity"]], SEVERITY_RANK["major"])
        row |= {
            "sources": ";".join(sorted(dated)),
            "years": ";".join(dated[name] for name in sorted(dated)),
            "disagree": bool(row["disagree"]) or min(SEVERITY_RANK[severity], SEVERITY_RANK["major"]) != ours,
        }
    return pd.DataFrame([rows[pair] for pair in sorted(rows)], columns=list(edges.columns))


def supplied_effects(onsides: pd.DataFrame, resolver: Resolver) -> pd.DataFrame:
    """Label adverse effects of drug ids; a combination's effects are kept out (which part causes it is unknown)."""
    rows: list[tuple[Any, ...]] = []
    year = described("onsides").year
    columns = (onsides[name] for name in ("name", "rxcui", "effect", "labels"))
    for name, rxcui, effect, labels in zip(*columns, strict=True):
        found = resolver.resolve_all(name, rxcui)
        drug_id = found[0] if len(found) == 1 else ""
        rows.append((drug_id, effect, labels, "onsides", year, name, bool(drug_id)))
    return pd.DataFrame(rows, columns=list(EFFECTS))


def supplied_pharmacogenomics(cpic: pd.DataFrame, resolver: Resolver) -> pd.DataFrame:
    """Gene-drug pairs of drug ids, with CPIC's level."""
    rows: list[tuple[Any, ...]] = []
    year = described("cpic").year
    columns = (cpic[name] for name in ("drug", "rxcui", "gene", "level", "guideline"))
    for name, rxcui, gene, level, guideline in zip(*columns, strict=True):
        found = resolver.resolve_all(name, rxcui)
        rows += [(drug, gene, level, guideline, "cpic", year, name, bool(drug)) for drug in found or ("",)]
    return pd.DataFrame(rows, columns=list(GENES))


TEXTS = ("source", "year", "record", "date", "drugs", "names", "section", "text", "url", "resolved")


def supplied_texts(labels: Mapping[str, pd.DataFrame], resolver: Resolver) -> pd.DataFrame:
    """Label sections with the drugs they are about.

    Args:
        labels: source key to its label table (`labels.COLUMNS`).
    """
    rows: list[tuple[Any, ...]] = []
    for source, frame in labels.items():
        columns = (frame[name] for name in ("record", "date", "names", "rxcuis", "section", "text", "url"))
        for record, date, names, rxcuis, section, text, url in zip(*columns, strict=True):
            found = dict.fromkeys(drug for name in names for drug in resolver.resolve_all(name))
            found = found or dict.fromkeys(drug for rxcui in rxcuis for drug in resolver.resolve_all("", rxcui))
            year = int(date[:4]) if date else described(source).year
            rows.append(
                (source, year, record, date or str(year), list(found), list(names), section, text, url, bool(found))
            )
    return pd.DataFrame(rows, columns=list(TEXTS))


def genes_without_rule(pairs: pd.DataFrame, rules: pd.DataFrame) -> list[str]:
    """Level A pairs ("GENE drug_id") that no pharmacogenomics rule covers, sorted."""
    ruled = {
        (drug_id, json.loads(fields)["gene"]) for drug_id, fields in zip(rules["drug_id"], rules["fields"], strict=True)
    }
    best = pairs[(pairs["level"] == "A") & pairs["resolved"].astype(bool)]
    wanted = zip(best["drug_id"], best["gene"], strict=True)
    return sorted({f"{gene} {drug_id}" for drug_id, gene in wanted if (drug_id, gene) not in ruled})


def unresolved_names(frame: pd.DataFrame, columns: tuple[str, ...], resolver: Resolver, most: int = 50) -> list[str]:
    """Names that do not resolve, sorted, at most `most`."""
    lost = frame[~frame["resolved"].astype(bool)]
    names = {name for column in columns for name in lost[column].unique()}
    return sorted(name for name in names if not resolver.resolve_all(name))[:most]
