"""One instruction per drug: of several limits of a dose the strictest, of several grades the highest, and in the words
in which the drug is given.

The rules on kidneys, liver, maximum and several things at once are independent of each other, and each is right. A
person who reads "at most 5 mg" beside "at most 10 mg" is left to choose. Only a review settles; the environment grades
each rule.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.knowledge.schema import SEVERITY_RANK
from polyguard_env.patients.model import RegimenItem
from polyguard_env.risk.findings import Finding
from polyguard_env.risk.index import RuleIndex
from polyguard_env.risk.intervals import least_intervals
from polyguard_env.risk.organs import ORGANS

# A choice of this project (2026): below two days a dose is told by the day.
RARE_DAYS = 2.0
# From so many days on, an interval is told in months where it is a whole number of them.
MONTHS_FROM, DAYS_OF_A_MONTH = 60.0, 365.0 / 12.0
# A dose this near (as a share) to one of two figures is that one: what was divided by days is a product's dose again.
NEAT = 0.012
LEAST_SCORE = 1


def settled(findings: Iterable[Finding], regimen: Sequence[RegimenItem], index: RuleIndex) -> list[Finding]:
    """The findings of a review with one instruction on the dose of each drug.

    A finding on the interval stays and takes the place of the one on the maximum: what is given too often has first to
    be given as seldom as it should be.

    Args:
        findings: those of the rules; limits are daily doses.
        regimen: what is taken; each drug once, with its summed dose.
    """
    others: list[Finding] = []
    doses: dict[str, list[Finding]] = {}
    findings = list(findings)
    too_often = {found.drugs[0] for found in findings if found.mechanism == "interval"}
    for found in findings:
        if not _is_on_dose(found):
            others.append(_by_score(found, index))
        elif found.mechanism != "maximum" or found.drugs[0] not in too_often:
            doses.setdefault(found.drugs[0], []).append(found)
    items = {item.drug_id: item for item in regimen}
    return others + [_in_words(_strictest(made), items.get(drug_id), index) for drug_id, made in doses.items()]


def _is_on_dose(found: Finding) -> bool:
    action = found.management.partition(":")[0]
    return found.category == "organ_dosing" and found.mechanism != "interval" and action in ("avoid", "reduce")


def _strictest(findings: list[Finding]) -> Finding:
    """The strictest of the findings on one drug's dose, with the highest grade and the evidence of all."""
    if len(findings) == 1:
        return findings[0]
    first = min(findings, key=_laxity)
    worst = max(findings, key=lambda found: SEVERITY_RANK[found.severity])
    ordered = [first, *(found for found in findings if found is not first)]
    text = first.management
    for other in ordered[1:]:
        if other.mechanism in ORGANS:
            _, _, detail = other.management.partition(": ")
            more = detail if detail and other.limit is None else f"{ORGANS[other.mechanism]} limits it too"
            if more.rpartition("; ")[2] not in text:
                text += f"{'; ' if ':' in text else ': '}{more}"
    evidence = dict.fromkeys(name for found in ordered for name in found.evidence_ids)
    return replace(first, severity=worst.severity, management=text, evidence_ids=tuple(evidence))


def _laxity(found: Finding) -> tuple[bool, float, int]:
    limit = found.limit if found.limit is not None else float("inf")
    return not found.management.startswith("avoid"), limit, -SEVERITY_RANK[found.severity]


def _in_words(found: Finding, item: RegimenItem | None, index: RuleIndex) -> Finding:
    """A limit of a drug that is given more rarely than daily, by its interval; none beside a dose nobody knows."""
    if item is None or found.limit is None:
        return found
    if item.dose is None:  # its text says what to check
        return replace(found, limit=None)
    days = item.interval or max((float(row["days"]) for row in least_intervals().get(item.drug_id, ())), default=0.0)
    if days < RARE_DAYS:
        return found
    profile, (action, colon, detail) = index.profile(item.drug_id), found.management.partition(":")
    most = f"{neat(found.limit * days):g} {profile.dose_unit if profile else ''}".rstrip()
    return replace(found, management=f"{action} to at most {most} {every(days)}{colon}{detail}")


def neat(dose: float) -> float:
    """A dose of an interval as it is dispensed: two figures where that is the same dose, else three."""
    short = float(f"{dose:.2g}")
    return short if abs(short - dose) <= NEAT * dose else float(f"{dose:.3g}")


def every(days: float) -> str:
    """An interval in words: "every 7 days", "every 6 months"."""
    months = round(days / DAYS_OF_A_MONTH)
    if days >= MONTHS_FROM and abs(days - months * DAYS_OF_A_MONTH) <= 2.0:
        return f"every {months} months"
    return f"every {days:g} days"


def limit_in_words(found: Finding, knowledge: KnowledgeBase) -> str:
    """What to do, with the limit of the dose in the drug's unit: "reduce to at most 5 mg a day: ..."."""
    if found.limit is None or " at most " in found.management.partition(":")[0]:
        return found.management
    action, colon, detail = found.management.partition(":")
    profile = knowledge.drugs[found.drugs[0]].profile
    unit = profile.dose_unit if profile else ""
    return f"{action} to at most {f'{found.limit:g} {unit}'.rstrip()} a day{colon}{detail}"


def _by_score(found: Finding, index: RuleIndex) -> Finding:
    """The anticholinergic burden of drugs of score 1 alone: to be watched, since none of them has a clinical effect
    that the scale calls relevant."""
    if found.finding_id != "burden:acb":
        return found
    scores = {d: profile.acb for d in found.drugs if (profile := index.profile(d)) is not None}
    total = sum(scores.values())
    if max(scores.values(), default=0) > LEAST_SCORE:
        return found
    text = (
        f"monitor: anticholinergic burden (ACB) score {total:g}, made of drugs of score 1 alone, which are possible "
        f"anticholinergics; watch for constipation, dry mouth and confusion, and stop only what is not needed"
    )
    return replace(found, severity="minor", management=text)
