"""The forms that other languages give a nonproprietary name, by one rule for all names.

`national_forms.csv` says how a language writes English endings and letters: German and the Scandinavian languages drop
the final e, Romance languages write their own endings, Latin ends in -um. A form is a language's ending with all
of that language's letters, so that "hidroxizina" is a form of hydroxyzine and "hydroxizine", half of one, is none.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from functools import lru_cache

from polyguard_env.knowledge.spelling import LEAST_LETTERS
from polyguard_env.knowledge.tabular import read_fragments

WORD = re.compile(rf"[a-z]{{{LEAST_LETTERS},}}")


@lru_cache(maxsize=1)
def languages() -> Mapping[str, Mapping[str, tuple[tuple[str, str], ...]]]:
    """Language to kind ("ending", "letters" or "start") to pairs of English and national spelling."""
    found: dict[str, dict[str, list[tuple[str, str]]]] = defaultdict(lambda: defaultdict(list))
    for row in read_fragments("national_forms"):
        found[row["language"]][row["kind"]].append((row["english"], row["national"]))
    return {
        language: {kind: tuple(pairs) for kind, pairs in kinds.items()} for language, kinds in sorted(found.items())
    }


def national_forms(name: str) -> frozenset[str]:
    """National forms of a nonproprietary name, without the name itself.

    Args:
        name: normalised; only a single word of at least six letters has forms.
    """
    if not WORD.fullmatch(name):
        return frozenset()
    forms = {form for kinds in languages().values() for form in _forms(name, kinds)}
    return frozenset(form for form in forms if form != name)


def _forms(name: str, kinds: Mapping[str, tuple[tuple[str, str], ...]]) -> list[str]:
    endings = [pair for pair in kinds.get("ending", ()) if name.endswith(pair[0])]
    longest = max((len(english) for english, _ in endings), default=0)
    stems = [
        (name.removesuffix(english), national) for english, national in endings if len(english) == longest
    ] or [(name, "")]  # fmt: skip
    return [_spelt(stem, kinds) + ending for stem, ending in stems]


def _spelt(stem: str, kinds: Mapping[str, tuple[tuple[str, str], ...]]) -> str:
    for english, national in kinds.get("start", ()):
        if stem.startswith(english):
            stem = national + stem.removeprefix(english)
            break
    for english, national in kinds.get("letters", ()):
        stem = stem.replace(english, national)
    return stem
