"""Questions whose answer is a known passage, worded unlike the passages, to measure retrieval."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from polyguard_env.evidence.search import EvidenceIndex
from polyguard_env.evidence.sentences import condition_names, measurement_names, words
from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.knowledge.formulary import formulary_rows
from polyguard_env.knowledge.tabular import read_fragments

TEMPLATES = Path(__file__).with_name("questions.csv")
LAY = Path(__file__).with_name("lay_conditions.csv")
# Kinds with a question template; burden rules hold for every drug, so no question leads to one of them.
OTHER_NAME_SHARE, LAY_SHARE = 0.4, 0.5


@dataclass(frozen=True, slots=True)
class Question:
    """A question and the passages that answer it: those of its kind about the drugs and facts it names."""

    text: str
    answers: frozenset[str]
    kind: str
    other_name: bool


@cache
def _templates() -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = defaultdict(list)
    with TEMPLATES.open(encoding="utf-8", newline="") as handle:
        for row in csv.DictReader(handle):
            found[row["kind"]].append(row["template"])
    return {kind: tuple(templates) for kind, templates in found.items()}


@cache
def _lay_conditions() -> dict[str, str]:
    with LAY.open(encoding="utf-8", newline="") as handle:
        return {row["condition_id"]: row["phrase"] for row in csv.DictReader(handle)}


@cache
def other_names() -> dict[str, tuple[str, ...]]:
    """Drug id to brands and curated synonyms."""
    found: dict[str, list[str]] = defaultdict(list)
    for row in formulary_rows():
        found[row["drug_id"]] += [name for name in (*row["brands"].split(";"), *row["synonyms"].split(";")) if name]
    for row in read_fragments("synonyms"):
        found[row["drug_id"]].append(row["name"])
    return {drug: tuple(names) for drug, names in found.items()}


def make_questions(corpus: pd.DataFrame, knowledge: KnowledgeBase, per_kind: int, seed: int) -> list[Question]:
    """Questions on a seeded sample of passages of every kind.

    Args:
        per_kind: at most this many for each kind of passage.
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    rules = {rule.rule_id: rule.fields for kind in _templates() if kind not in ("interaction", "profile")
             for rule in knowledge.rules(kind)}  # fmt: skip
    questions = []
    for kind, templates in _templates().items():
        rows = corpus[corpus["kind"] == kind]
        about: dict[str, set[str]] = defaultdict(set)
        for passage_id, drugs in zip(rows["passage_id"], rows["drugs"], strict=True):
            for drug in ("", *drugs):
                about[drug].add(passage_id)
        places = rng.permutation(len(rows))[:per_kind]
        for place in sorted(places):
            row = rows.iloc[int(place)]
            fields = rules.get(row["passage_id"].partition(".")[0], {})
            questions.append(_question(row, kind, templates, fields, knowledge, rng, about, rules))
    return questions


def _question(
    row: pd.Series, kind: str, templates: Sequence[str], fields: dict[str, str], knowledge: KnowledgeBase,
    rng: np.random.Generator, about: dict[str, set[str]], rules: dict[str, dict[str, str]],
) -> Question:  # fmt: skip
    drugs = _asked_drugs(row, fields, knowledge, kind, rng)
    named = [_name(drug, knowledge, rng) for drug in drugs]
    parts = {
        "a": named[0][0] if named else "",
        "b": named[1][0] if len(named) > 1 else "",
        "condition": _condition(fields.get("condition") or fields.get("indication", ""), rng),
        "measurement": measurement_names().get(fields.get("measurement", ""), words(fields.get("measurement", ""))),
        "gene": fields.get("gene", ""),
        "phenotype": words(fields.get("phenotype", "")),
    }
    fitting = [t for t in templates if all(value or f"{{{name}}}" not in t for name, value in parts.items())]
    template = fitting[int(rng.integers(len(fitting)))]
    asked = set(drugs) if "{a}" in template else set()
    facts = {name: fields[name] for name in _facts(template) if name in fields}
    answers = frozenset(
        passage_id
        for passage_id in set.intersection(*(about[drug] for drug in asked or {""}))
        if facts.items() <= rules.get(passage_id.partition(".")[0], facts).items()
    )
    return Question(template.format(**parts), answers, kind, any(other for _, other in named))


def _facts(template: str) -> list[str]:
    """The rule fields a template asks by."""
    names = {"condition": ["condition", "indication"], "measurement": ["measurement"], "gene": ["gene"]}
    return [field for name, fields in names.items() if f"{{{name}}}" in template for field in fields]


def _asked_drugs(
    row: pd.Series, fields: dict[str, str], knowledge: KnowledgeBase, kind: str, rng: np.random.Generator
) -> list[str]:
    """The drugs the question names: both of a pair, one of a class (from the formulary where it has one)."""
    drugs = list(row["drugs"])
    if kind == "interaction":
        return [drugs[i] for i in rng.permutation(2)]
    subject = [drug for drug in drugs if drug != fields.get("replacement")]
    common = [drug for drug in subject if knowledge.drugs[drug].profile] or subject
    return [common[int(rng.integers(len(common)))]] if common else []


def _name(drug_id: str, knowledge: KnowledgeBase, rng: np.random.Generator) -> tuple[str, bool]:
    """A name for a drug: in a share of cases a brand or synonym (only one that means this drug alone)."""
    others = [name for name in other_names().get(drug_id, ()) if knowledge.resolve(name) == drug_id]
    if others and rng.random() < OTHER_NAME_SHARE:
        return others[int(rng.integers(len(others)))], True
    return knowledge.drugs[drug_id].name, False


def _condition(condition: str, rng: np.random.Generator) -> str:
    lay = _lay_conditions().get(condition, "")
    return lay if lay and rng.random() < LAY_SHARE else condition_names().get(condition, words(condition)).lower()


def recall(
    index: EvidenceIndex, questions: Sequence[Question], most: int = 5
) -> tuple[dict[str, float], list[Question]]:
    """Share of each question's answers (of `most`, when it has more) among the first `most` hits.

    Returns:
        Means by kind, by how drugs are named and over "all"; and the questions without full recall.
    """
    found: dict[str, list[float]] = defaultdict(list)
    missed = []
    for question in questions:
        hits = {hit.passage_id for hit in index.search(question.text, most)}
        hit = len(hits & question.answers) / min(most, len(question.answers))
        found["all"].append(hit)
        found[question.kind].append(hit)
        found["other names" if question.other_name else "plain names"].append(hit)
        missed += [question] if hit < 1 else []
    return {name: sum(hits) / len(hits) for name, hits in found.items()}, missed
