"""The compact text of a long pool: the roles that meet, whole results, and counts of what is left out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from polyguard_env.environment.codes import codes_of, partners, stem, strength
from polyguard_env.environment.person_line import PersonLine
from polyguard_env.risk.index import RuleIndex

# Form by form: roles of a drug; results of tests; whether the person's line is whole; and up to which strength of its
# roles a drug may be left out.
FORMS = ((3, 2, True, 0), (2, 2, True, 0), (2, 2, False, 0), (1, 2, False, 0), (1, 1, False, 1), (1, 0, False, 3))

# Strength of the strongest role that meets another drug's, and the line.
Line = tuple[int, str]


def pool_forms(
    person: PersonLine, drugs: Sequence[tuple[str, str, bool]], results: Sequence[str], count: int, index: RuleIndex
) -> Iterator[list[str]]:
    """Lines above the options, ever shorter.

    Args:
        drugs: id, name, and whether its facts are known.
        results: of the newest tests, of `count` in all.
    """
    for roles, shown, whole, weakest in FORMS:
        lines = pool_lines(drugs, roles, index)
        head, _ = person.naming(0) if whole else person.counting()
        kept = results[-shown:] if shown else ()
        tail = [*kept]
        if count > len(kept):
            tail.append(f"Evidence: +{count - len(kept)} more")
        while True:
            left = [f"Also: +{len(drugs) - len(lines)} more"] if len(lines) < len(drugs) else []
            yield [head, *[line for _, line in lines], *left, *tail]
            least = min([weight for weight, _ in lines], default=weakest + 1)
            if least > weakest:
                break
            lines.pop(max(place for place, (weight, _) in enumerate(lines) if weight == least))


def pool_lines(drugs: Sequence[tuple[str, str, bool]], most: int, index: RuleIndex) -> list[Line]:
    """The drugs of a pool whose roles meet another's: these tell which combinations may be dangerous.

    Args:
        drugs: as in `pool_forms`.
        most: roles of a drug that are shown, the strongest first.
    """
    codes = [codes_of(drug_id, index) if known else () for drug_id, _, known in drugs]
    sought = [{other for code in own for other in partners(code)} for own in codes]
    lines = []
    for place, (_, name, known) in enumerate(drugs):
        meeting = set().union(*sought[:place], *sought[place + 1 :])
        met = sorted([code for code in codes[place] if stem(code) in meeting], key=strength, reverse=True)
        if met:
            lines.append((strength(met[0]), f"{name}: {' '.join(met[:most])}"))
        elif not known:
            lines.append((3, f"{name}: facts unknown"))
    return lines
