"""Rule tables: class-level rows expanded to drugs.

A side or target is a `;` union of `class:<id>`, `drug:<id>`, `group:<id>` (a side of `groups.csv`),
`role:<enzyme>:<role>:<strength>`, `qt:<risk>`, `flag:<profile field>`, `flag:<profile field>>=<number>` or `*`;
`&` between terms intersects them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from polyguard_env.errors import PolyGuardError
from polyguard_env.knowledge.roles import moieties, roles_by_drug
from polyguard_env.knowledge.schema import RULE_KINDS, SEVERITY_RANK, CypRole, Drug, DrugProfile, Rule
from polyguard_env.knowledge.tabular import read_fragments

COMMON = ("rule_id", "target", "severity", "strength", "source", "year")


class Selector:
    """Selects drugs by side expressions."""

    def __init__(self, drugs: Mapping[str, Drug]) -> None:
        self.drugs = drugs
        self._roles = roles_by_drug(drugs)
        self._groups = {row["group_id"]: row["members"] for row in read_fragments("groups")}
        self._classes: dict[str, set[str]] = {}
        for drug in drugs.values():
            for name in drug.classes:
                self._classes.setdefault(name, set()).add(drug.drug_id)

    def select(self, side: str, where: str) -> set[str]:
        """Drug ids of a side expression.

        Raises:
            PolyGuardError: an unknown kind of term (`where` names table and row).
        """
        found: set[str] = set()
        for part in filter(None, (part.strip() for part in side.split(";"))):
            found |= set.intersection(*(self._term(term.strip(), where) for term in part.split("&")))
        return found

    def _term(self, term: str, where: str) -> set[str]:
        kind, _, name = term.partition(":")
        if term == "*":
            return set(self.drugs)
        if kind == "class":
            return self._classes.get(name, set())
        if kind == "drug":
            return {name} & set(self.drugs)
        if kind == "group" and name in self._groups:
            return self.select(self._groups[name], where)
        if kind == "qt":
            return {drug_id for drug_id, roles in self._roles.items() if roles.qt == name}
        if kind == "flag":
            field, _, least = name.partition(">=")
            return {d.drug_id for d in self.drugs.values() if d.profile and self._reaches(d.profile, field, least)}
        if kind == "role":
            enzyme, role, strength = name.split(":")
            wanted = CypRole(enzyme, role, strength)
            return {drug_id for drug_id, roles in self._roles.items() if wanted in roles.cyp}
        raise PolyGuardError(where, term, "use class:, drug:, group:, role:, qt:, flag: or *")

    @staticmethod
    def _reaches(profile: DrugProfile, field: str, least: str) -> bool:
        value = getattr(profile, field)
        return value is not None and value >= float(least) if least else bool(value)


def spoken(drug: Drug) -> str:
    """A drug's name inside a sentence."""
    return drug.name.lower()


def interaction_rows(selector: Selector) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Pairs (a < b) with the curated rule that grades them; a rule on a moiety holds for the drugs that carry it.

    `{a}` and `{b}` in a rule's effect become the names of the drugs of its sides.
    """
    carriers: dict[str, set[str]] = {}
    for drug_id, held in moieties().items():
        for moiety in held & set(selector.drugs):
            carriers.setdefault(moiety, set()).update({drug_id} & set(selector.drugs))

    def carried(side: set[str]) -> set[str]:
        return side.union(*(carriers[drug_id] for drug_id in side & set(carriers)))

    for row in read_fragments("rules/interactions"):
        where = f"interactions.csv {row['rule_id']}"
        if row["severity"] not in SEVERITY_RANK:
            raise PolyGuardError(f"{where} severity", row["severity"], f"use one of {', '.join(SEVERITY_RANK)}")
        side_a = carried(selector.select(row["side_a"], where)) - set(row["except_a"].split(";"))
        side_b = carried(selector.select(row["side_b"], where)) - set(row["except_b"].split(";"))
        seen: set[tuple[str, str]] = set()
        for a in sorted(side_a):
            for b in sorted(side_b):
                pair = (a, b) if a < b else (b, a)
                if a != b and pair not in seen:
                    seen.add(pair)
                    names = {"a": spoken(selector.drugs[a]), "b": spoken(selector.drugs[b])}
                    yield (*pair, row | {"effect": row["effect"].format(**names)})


def ceilings(selector: Selector) -> dict[tuple[str, str], str]:
    """Pairs (a < b) with the highest grade that a class-wide source may give them: "none", "minor" or "moderate"."""
    found: dict[tuple[str, str], str] = {}
    for number, row in enumerate(read_fragments("ceilings"), start=2):
        where = f"ceilings.csv row {number}"
        if row["most"] not in ("none", "minor", "moderate"):
            raise PolyGuardError(f"{where} most", row["most"], "use none, minor or moderate")
        side_a, side_b = selector.select(row["side_a"], where), selector.select(row["side_b"], where)
        for a in side_a:
            for b in side_b - {a}:
                pair = (a, b) if a < b else (b, a)
                held = found.get(pair, row["most"])
                found[pair] = min(held, row["most"], key=lambda grade: SEVERITY_RANK.get(grade, 0))
    return found


def expand_rules(selector: Selector) -> Iterator[Rule]:
    """Every rule of every kind, one per drug it applies to."""
    for kind in RULE_KINDS:
        for row in read_fragments(f"rules/{kind}"):
            where = f"{kind}.csv {row['rule_id']}"
            if row["severity"] not in SEVERITY_RANK:
                raise PolyGuardError(f"{where} severity", row["severity"], f"use one of {', '.join(SEVERITY_RANK)}")
            fields = {name: value for name, value in row.items() if name not in COMMON or name == "target"}
            targets = selector.select(row["target"], where)
            if kind == "omission":
                targets &= {row["preferred"]}
                targets = targets or ({row["preferred"]} & set(selector.drugs))
            for drug_id in sorted(targets):
                yield Rule(
                    row["rule_id"], kind, drug_id, row["severity"], fields,  # type: ignore[arg-type]
                    row["strength"], row["source"], int(row["year"]),
                )  # fmt: skip
