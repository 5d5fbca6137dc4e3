"""Interactions derived from mechanisms: two drugs' own roles, by the thresholds of one table.

Derivation never outranks a curated rule or the thesaurus; it fills in what they do not name.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from polyguard_env.knowledge.schema import SEVERITY_RANK, CypRole, DrugProfile
from polyguard_env.knowledge.tabular import read_table

Edge = tuple[str, str, str]
INHIBITOR_RANK = {"weak": 1, "moderate": 2, "strong": 3}
SUBSTRATE_RANK = {"moderate": 1, "prodrug": 2, "sensitive": 2}
TRANSPORTERS = {"P-gp": "pgp"}
MANAGEMENT = {"contraindicated": "avoid", "major": "substitute", "moderate": "monitor", "minor": "none"}


def derive_pairs(profiles: dict[str, DrugProfile]) -> Iterator[tuple[str, str, str, str, str]]:
    """Graded pairs (drug_a, drug_b, severity, mechanism, management) of all profiled drugs, a < b."""
    thresholds = [
        (row["role"], int(row["least_low"]), int(row["least_high"]), row["severity"], row["mechanism"])
        for row in read_table("derivation.csv")
    ]
    for a, b in combinations(sorted(profiles), 2):
        found = [*graded(profiles[a], profiles[b], thresholds), *metabolic(profiles[a], profiles[b])]
        if found:
            severity, mechanism = max(found, key=lambda pair: (SEVERITY_RANK[pair[0]], pair[1]))
            yield a, b, severity, mechanism, MANAGEMENT[severity]


def grade_of(profile: DrugProfile, role: str) -> int:
    """A profile's grade on one derivation role; systemic routes only."""
    if not {"oral", "iv", "sc", "im", "transdermal", "rectal", "sublingual"} & set(profile.routes):
        return 0
    if role == "qt":
        return {"none": 0, "conditional": 1, "possible": 1, "known": 2}[profile.qt]
    if role == "cns":
        return 1 + int(profile.sedation >= 2) if profile.cns_active or profile.sedation >= 2 else 0
    return int(getattr(profile, role))


def graded(
    a: DrugProfile, b: DrugProfile, thresholds: list[tuple[str, int, int, str, str]]
) -> Iterator[tuple[str, str]]:
    """Pharmacodynamic pairs: both drugs carry a role at the table's grades."""
    for role, low, high, severity, mechanism in thresholds:
        grades = sorted((grade_of(a, role), grade_of(b, role)))
        if grades[0] >= low and grades[1] >= high:
            yield severity, mechanism


def metabolic(a: DrugProfile, b: DrugProfile) -> Iterator[tuple[str, str]]:
    """Kinetic pairs: one drug inhibits or induces what the other needs."""
    for doer, victim in ((a, b), (b, a)):
        if not {"oral", "iv", "sc", "im", "transdermal", "rectal", "sublingual"} & set(doer.routes):
            continue
        needs = {role.enzyme: role for role in victim.cyp if role.role == "substrate"}
        for role in doer.cyp:
            if role.role == "substrate" or role.enzyme not in needs:
                continue
            severity = kinetic_severity(role, needs[role.enzyme], victim.narrow_index)
            if severity:
                enzyme = TRANSPORTERS.get(role.enzyme, f"cyp{role.enzyme.lower()}")
                kind = "inhibition" if role.role == "inhibitor" else "induction"
                mechanism = "cyp_induction" if kind == "induction" and enzyme != "pgp" else f"{enzyme}_{kind}"
                yield severity, mechanism


def kinetic_severity(doer: CypRole, victim: CypRole, narrow_index: bool) -> str | None:
    """Severity from the perpetrator's strength, the victim's sensitivity and its therapeutic index."""
    power = INHIBITOR_RANK[doer.strength] + SUBSTRATE_RANK[victim.strength] + int(narrow_index)
    if INHIBITOR_RANK[doer.strength] < 2:
        return None
    return "major" if power >= 5 else "moderate" if power >= 4 else "minor"
