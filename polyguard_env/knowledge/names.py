"""Names of drugs: normalising them, indexing them, resolving them exactly and suggesting near ones.

Resolution is exact after normalisation. A misspelling is never matched: look-alike names kill.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping

from polyguard_env.knowledge.suggestions import Suggestions
from polyguard_env.knowledge.tabular import read_fragments

WORDS = {
    kind: frozenset(row["word"] for row in read_fragments("name_words") if row["kind"] == kind)
    for kind in ("salt", "cation", "form", "direction", "numbered", "ordinary")
}
SALTS = WORDS["salt"]
# An inorganic cation without its anion is another product: "potassium phosphate" is not "potassium".
CATIONS = WORDS["cation"]
# What a line says of form, release, strength in words and time of day.
FORMS = re.compile(rf"\b(?:{'|'.join(sorted(WORDS['form'] | WORDS['direction'], key=len, reverse=True))})\b")
UNIT = (
    r"(?:mgs?|mcgs?|ug|g|gm|grams?|milligrams?|micrograms?|ml|l|meq|mmol|units?|unt|iu|hr|h|hour|days?|"
    r"actuation|actuat|act|puffs?|%)"
)
PER = r"(?:ml|l|hours?|hr|h|days?|actuation|actuat|act|inhalation|inh|spray|puff|dose|tablet|tab|mg|g)"
STRENGTH = re.compile(rf"\b(?:nda\d+ )?\d[\d.,:]* ?{UNIT}(?:[ /]*(?:per )?(?:\d[\d.]* ?)?{PER}\b)*(?![a-z0-9])")
NUMBER = re.compile(r"\d[\d.,]*(?:[/-]\d[\d.,]*)*%?")
# A strength in a line whose hyphens still stand: "20-12.5 mg", "160-4.5 mcg/act".
AMOUNT = re.compile(rf"(?<!\S){NUMBER.pattern}\s*(?:{UNIT}(?:-\d[\d.,]* ?{UNIT})?(?:/ ?[\d.]* ?{PER})?)?(?!\S)")
# After a letter, a number of so many digits is a strength ("vitamin c 500"), a shorter one the name's ("vitamin d 2").
STRENGTH_DIGITS = 3
# What normalising makes a space: a full stop is kept between digits only ("vit. D3", "0.5").
NO_LETTER = re.compile(r"[^a-z0-9/+,.% ]|\.(?!\d)|(?<!\d)\.")
BRACKETS = re.compile(r"\[[^\]]*\]|\([^)]*\)")
COMBINATION = re.compile(r"\s*(?:\bw/|/|\+|,|&|\band\b|\bwith\b)\s*")
SALT_PREFIX = re.compile(r"^(?:sodium|disodium|potassium|calcium|magnesium) (?!\w+ide$|chlorine$)(\w{6,})$")


def normalise(name: str) -> str:
    """Lower case, no accents, single spaces; punctuation but slash, plus, comma and decimal point becomes a space."""
    return " ".join(NO_LETTER.sub(" ", _unaccented(name)).split())


def slug(name: str) -> str:
    """A drug id from an English name: lower case, underscores."""
    return re.sub(r"[^a-z0-9]+", "_", normalise(name)).strip("_")


def is_latin(name: str) -> bool:
    """True when normalising keeps every letter (a Greek prefix makes a different substance)."""
    return all(not c.isalpha() or "a" <= c <= "z" for c in _unaccented(name))


def _unaccented(name: str) -> str:
    if name.isascii():
        return name.lower()
    return "".join(c for c in unicodedata.normalize("NFD", name.lower()) if unicodedata.category(c) != "Mn")


def without_salt(name: str) -> str:
    """A normalised name without trailing salt words (at least one word stays, and no bare cation)."""
    words = name.split()
    while len(words) > 1 and words[-1] in SALTS:
        words.pop()
    return name if len(words) == 1 and words[0] in CATIONS else " ".join(words)


def without_form(name: str) -> str:
    """A name without strengths, dose forms and bracketed brands, as in prescription lines, normalised."""
    plain = normalise(BRACKETS.sub(" ", name))
    return re.sub(r"\s+", " ", FORMS.sub(" ", STRENGTH.sub(" ", plain))).strip(" ,./+%")


def without_numbers(words: list[str]) -> Iterator[list[str]]:
    """Words less one, two, ... trailing numbers: strengths written without a unit ("Aspirin 81", "Norco 5/325").

    A short number after a single letter is part of a name ("vitamin d 2") and stays, and so does any number after a
    word that is numbered itself: a molecular weight ("polyethylene glycol 400") or an isotope ("iodine 131").
    """
    while len(words) > 1 and NUMBER.fullmatch(words[-1]) and words[-2] not in WORDS["numbered"]:
        letter = len(words[-2]) == 1 and words[-2].isalpha()
        if letter and len(words[-1]) < STRENGTH_DIGITS:
            return
        words = words[:-1]
        yield words


def undosed(text: str) -> str:
    """A name normalised, without strengths and trailing numbers, its form left ("cartia xt")."""
    words = re.sub(r"\s+", " ", STRENGTH.sub(" ", normalise(BRACKETS.sub(" ", text)))).strip(" ,./+%").split()
    return " ".join([words, *without_numbers(words)][-1])


def readings(text: str) -> list[str]:
    """A name normalised, then without strength, then without form and directions, then without trailing numbers."""
    bare = without_form(text)
    whole = (normalise(text), undosed(text), bare, *(" ".join(words) for words in without_numbers(bare.split())))
    return list(dict.fromkeys(whole))


class NameIndex:
    """Names to drug ids.

    Args:
        names: normalised name to drug id.
        combinations: normalised name of a combination product to its ingredients.
        ambiguous: normalised abbreviation to the drugs it is written for; it resolves to none of them.
        use: how much each formulary drug is used; of equally near names the more used one is suggested first.
    """

    def __init__(
        self,
        names: Mapping[str, str],
        combinations: Mapping[str, tuple[str, ...]] | None = None,
        ambiguous: Mapping[str, tuple[str, ...]] | None = None,
        use: Mapping[str, float] | None = None,
    ) -> None:
        self._names = dict(names)
        self._combinations = dict(combinations or {})
        self._ambiguous = dict(ambiguous or {})
        self._sold_together = {frozenset(drug_ids) for drug_ids in self._combinations.values()}
        self._use = dict(use or {})
        self._suggestions: Suggestions | None = None

    def resolve(self, name: str) -> str | None:
        """The drug of a single-ingredient name, or None."""
        if not is_latin(str(name)):
            return None
        for form in self._readings(str(name).replace("_", " ")):
            found = self._exact(form)
            if found or form in self._combinations:
                return found
        return None

    def _readings(self, text: str) -> list[str]:
        """A name as written, then ever less of what a prescription line adds; none from an ambiguous one on."""
        found = readings(text)
        doubtful = [place for place, form in enumerate(found) if form in self._ambiguous]
        return found[: doubtful[0]] if doubtful else found

    def _exact(self, plain: str) -> str | None:
        bare = without_salt(plain)
        prefixed = SALT_PREFIX.match(bare)
        for form in (plain, bare, prefixed.group(1) if prefixed else bare):
            if form in self._names:
                return self._names[form]
        return None

    def resolve_all(self, name: str) -> tuple[str, ...]:
        """The ingredients of a name; a combination's parts must all be known, else nothing is returned."""
        text = str(name).replace("_", " ").replace(" & ", " and ")
        single = self.resolve(text)
        if single is not None:
            return (single,)
        for form in self._readings(text):
            if form in self._combinations:
                return self._combinations[form]
        if self._ambiguous.keys() & set(readings(text)):
            return ()
        undosed = AMOUNT.sub(" ", FORMS.sub(" ", BRACKETS.sub(" ", text.lower())))
        for parts in (COMBINATION.split(readings(text)[-1]), re.split(r"\s*-\s*", undosed)):
            known = [self.resolve_all(part) for part in parts if part.strip()] if len(parts) > 1 else []
            if known and all(known):
                return tuple(dict.fromkeys(drug_id for ids in known for drug_id in ids))
        return ()

    def is_product(self, drug_ids: Collection[str], part: bool = False) -> bool:
        """True when these ingredients, and no others (`part`: perhaps with others), are sold as one product."""
        asked = frozenset(drug_ids)
        return len(asked) > 1 and (
            asked in self._sold_together or (part and any(asked < s for s in self._sold_together))
        )

    def suggest(self, name: str, most: int = 5) -> list[str]:
        """Known names that look like `name`, nearest first, or what an ambiguous abbreviation stands for."""
        forms = readings(str(name).replace("_", " "))
        for form in forms:
            if meant := self._ambiguous.get(form):
                return [drug_id.replace("_", " ") for drug_id in meant]
        if self._suggestions is None:
            single = {name: (drug_id,) for name, drug_id in self._names.items()}
            self._suggestions = Suggestions(self._combinations | single, self._use)
        found: list[str] = []
        for form in reversed(forms):
            found += self._suggestions.near(form, most)
        return list(dict.fromkeys(found))[:most]

    def __len__(self) -> int:
        return len(self._names)

    def items(self) -> Iterable[tuple[str, str]]:
        """Pairs of normalised name and drug id."""
        return self._names.items()

    def combinations(self) -> Iterable[tuple[str, tuple[str, ...]]]:
        """Pairs of normalised combination-product name and its ingredients."""
        return self._combinations.items()
