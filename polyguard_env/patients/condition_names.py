"""Conditions as people write them: an id, a name, an abbreviation, a lay name or an ICD-10 code.

What has several meanings, or a condition narrower than the words, is taken by nobody: the error gives the choices.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from pathlib import Path

from polyguard_env.errors import PolyGuardError
from polyguard_env.knowledge.tabular import read_fragments, read_table
from polyguard_env.patients.kidney_stages import stage_named

ICD10 = re.compile(r"^[A-Z]\d[0-9A-Z](\.?[0-9A-Z]{1,4})?$")
LAY = Path(__file__).parents[1] / "evidence"
# A choice of this project (2026): a shorter name within other words is mostly an abbreviation of something else.
LEAST_WITHIN = 4
ARTICLE = re.compile(r"^(a|an|the) ")


def folded(name: str) -> str:
    """A name as it is compared: small letters, no apostrophes, signs as spaces, American spelling of ae and oe."""
    plain = re.sub(r"['’]", "", name.lower()).replace("ae", "e").replace("oe", "e")
    return ARTICLE.sub("", " ".join(re.findall(r"[a-z0-9]+", plain)))


@cache
def condition_rows() -> tuple[dict[str, str], ...]:
    """Rows of `conditions*.csv` and `review_conditions.csv`: condition_id, name, icd10."""
    return (*read_fragments("conditions"), *read_fragments("review_conditions"))


@cache
def condition_ids() -> frozenset[str]:
    """Every condition id."""
    return frozenset(row["condition_id"] for row in condition_rows())


@cache
def reviewed_only() -> frozenset[str]:
    """Conditions that the review knows and the environment does not: no episode can hold them."""
    return frozenset(row["condition_id"] for row in read_fragments("review_conditions"))


@cache
def _listed() -> Mapping[str, tuple[tuple[str, ...], str]]:
    """Folded name or plain ICD-10 code of `condition_names.csv` to its conditions and why they are asked for."""
    return {
        folded(row["name"]).replace(" ", "") if ICD10.match(row["name"]) else folded(row["name"]): (
            tuple(row["condition_ids"].split(";")),
            row["note"],
        )
        for row in read_fragments("condition_names")
    }


@cache
def _named() -> Mapping[str, str]:
    """Folded id, name and lay phrase to the condition."""
    found = {folded(row["phrase"]): row["condition_id"] for row in read_table("lay_conditions.csv", LAY)}
    for row in condition_rows():
        found[folded(row["name"])] = row["condition_id"]
        found[folded(row["condition_id"])] = row["condition_id"]
    return found


def condition_named(name: str, field: str) -> str:
    """The id of a condition.

    Args:
        name: an id, name, abbreviation, lay name or ICD-10 code (its longest known prefix counts).
        field: what an error calls it.

    Raises:
        PolyGuardError: unknown, with near names; or of several meanings, with the choices.
    """
    if name in condition_ids():
        return name
    told = _listed().get(folded(name))
    if told is None and folded(name) in _named():
        return _named()[folded(name)]
    if told is None and (stage := stage_named(folded(name))):
        return stage
    if told is None and ICD10.match(name.strip().upper()):
        told = _coded(name.strip().upper().replace(".", ""))
    if told is None:
        near = _near(folded(name))
        fix = "use an id, name or ICD-10 code of conditions.csv, or leave it out: no rule is on another"
        raise PolyGuardError(field, name, f"{fix}; near it: {', '.join(near)}" if near else fix)
    meant, why = told
    if len(meant) > 1 or why:
        raise PolyGuardError(field, name, f"write which is meant: {' or '.join(meant)} ({why})")
    return meant[0]


def _near(name: str) -> list[str]:
    """At most three known names near a folded one: spelt like it, else the longest that its words hold."""
    known = sorted(key for key in {*condition_ids(), *_named(), *_listed()} if not ICD10.match(key.upper()))
    if ICD10.match(name.replace(" ", "").upper()):
        return []
    within = (key for key in known if len(key) >= LEAST_WITHIN and f" {key} " in f" {name} ")
    spelt = get_close_matches(name, known, 3, 0.7)
    return list(dict.fromkeys((*spelt, *sorted(within, key=len, reverse=True))))[:3]


def _coded(code: str) -> tuple[tuple[str, ...], str] | None:
    """The conditions of an ICD-10 code without its point, by the longest prefix known."""
    from polyguard_env.sources.records import condition_codes

    codes = condition_codes()["icd10"]
    for length in range(len(code), 2, -1):
        prefix = code[:length]
        if prefix.lower() in _listed():
            return _listed()[prefix.lower()]
        if prefix in codes:
            return (codes[prefix],), ""
    return None
