"""Interactions derived from mechanisms: two drugs' own roles, by the thresholds of one table.

Derivation never outranks a curated rule or the thesaurus; it fills in what they do not name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

from polyguard_env.knowledge.roles import Roles
from polyguard_env.knowledge.schema import SEVERITY_RANK, CypRole
from polyguard_env.knowledge.tabular import read_table

# Strengths as in the FDA's table (`fda_cyp`, 2023); ranks and the severities made of them are this project's (2026).
INHIBITOR_RANK = {"weak": 1, "moderate": 2, "strong": 3}
SUBSTRATE_RANK = {"moderate": 1, "prodrug": 2, "sensitive": 2}
TRANSPORTERS = {"P-gp": "pgp", "OATP1B1": "oatp1b1", "BCRP": "bcrp"}
KINETIC_SOURCE, KINETIC_YEAR = "fda_cyp", 2023
MANAGEMENT = {"contraindicated": "avoid", "major": "substitute", "moderate": "monitor", "minor": "none"}


@dataclass(frozen=True, slots=True)
class Derived:
    """One mechanism by which a pair interacts, with the source of the threshold that says so.

    Attributes:
        victim: the drug whose level changes; empty for a mechanism of both.
        effect: what happens to the victim, `{x}` for its name.
    """

    severity: str
    mechanism: str
    source: str
    year: int
    victim: str = ""
    effect: str = ""

    @property
    def management(self) -> str:
        """The management term of this severity."""
        return MANAGEMENT[self.severity]


@dataclass(frozen=True, slots=True)
class Threshold:
    """Two drugs with at least these grades on one role interact: one row of `derivation.csv`."""

    role: str
    least_low: int
    least_high: int
    outcome: Derived


def derive_pairs(drugs: dict[str, Roles]) -> Iterator[tuple[str, str, Derived]]:
    """Every mechanism of every pair of drugs with roles (drug_a < drug_b), the strictest threshold of each role."""
    thresholds = [
        Threshold(
            row["role"], int(row["least_low"]), int(row["least_high"]),
            Derived(row["severity"], row["mechanism"], row["source"], int(row["year"])),
        )
        for row in read_table("derivation.csv")
    ]  # fmt: skip
    for a, b in combinations(sorted(drugs), 2):
        for found in (*graded(drugs[a], drugs[b], thresholds), *metabolic(drugs, a, b)):
            yield a, b, found


def graded(a: Roles, b: Roles, thresholds: list[Threshold]) -> Iterator[Derived]:
    """Pharmacodynamic mechanisms: both drugs carry a role at the table's grades, one outcome per role."""
    best: dict[str, Derived] = {}
    for row in thresholds:
        low, high = sorted((a.grade(row.role), b.grade(row.role)))
        if low >= row.least_low and high >= row.least_high:
            held = best.get(row.role)
            if held is None or SEVERITY_RANK[row.outcome.severity] > SEVERITY_RANK[held.severity]:
                best[row.role] = row.outcome
    yield from best.values()


def metabolic(drugs: dict[str, Roles], a: str, b: str) -> Iterator[Derived]:
    """Kinetic mechanisms: one drug inhibits or induces what the other needs."""
    for doer, drug_id, victim in ((drugs[a], b, drugs[b]), (drugs[b], a, drugs[a])):
        if not doer.systemic or not victim.systemic:
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
                effect = kinetic_effect(kind, needs[role.enzyme])
                yield Derived(severity, mechanism, KINETIC_SOURCE, KINETIC_YEAR, drug_id, effect)


def kinetic_effect(kind: str, victim: CypRole) -> str:
    """What inhibition or induction does to the victim, `{x}` for its name."""
    if victim.strength == "prodrug":
        return "{x} is activated less" if kind == "inhibition" else "{x} levels or those of its active form change"
    return "{x} levels rise" if kind == "inhibition" else "{x} levels fall and its effect is lost"


def kinetic_severity(doer: CypRole, victim: CypRole, narrow_index: bool) -> str | None:
    """Severity from the perpetrator's strength, the victim's sensitivity and its therapeutic index."""
    power = INHIBITOR_RANK[doer.strength] + SUBSTRATE_RANK[victim.strength] + int(narrow_index)
    if INHIBITOR_RANK[doer.strength] < 2:
        return None
    return "major" if power >= 5 else "moderate" if power >= 4 else None
