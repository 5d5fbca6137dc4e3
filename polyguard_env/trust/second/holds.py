"""Withholding a drug for a time, worked out again. Imports nothing of the project but `tables.py`."""

from __future__ import annotations

from collections.abc import Collection

from polyguard_env.trust.second.tables import Facts, Row, cells

LOST = 0.1
DAYS = 28


def rule_of(drug: str, role: str, about: str, facts: Facts) -> Row | None:
    """The first rule of a role on a drug that names an indication (for a sick day a condition), or names none."""
    column = "condition" if role == "sick_day" else "indication"
    fitting = (
        row
        for row in facts.rules_for("hold", drug)
        if row["role"] == role and (not row[column] or about in cells(row[column]))
    )
    return next(fitting, None)


def is_course(drug: str, indication: str, days: int, facts: Facts) -> bool:
    """True for a drug taken for something that a short course treats, and not for longer than one lasts."""
    rule = rule_of(drug, "course", indication, facts)
    return rule is not None and days <= float(rule["most_days"])


def adds_up(name: str, category: str, together: Collection[str]) -> bool:
    """True for what several drugs do together, which goes on while one of them is held."""
    return len(together) > 1 and (category == "burden" or name.startswith("combination:"))


def ends_with_pause(
    name: str,
    category: str,
    drug: str,
    indication: str,
    together: Collection[str],
    courses: Collection[str],
    facts: Facts,
) -> bool:
    """True when a finding about a drug lasts no longer than a pause of it.

    Args:
        together: the drugs the finding is about.
        courses: of these, those taken for a short course.
    """
    if adds_up(name, category, together):
        return False
    if drug in courses:
        return True
    if category == "drug_disease":
        return rule_of(drug, "sick_day", name.partition("+")[2], facts) is not None
    return bool(courses) and rule_of(drug, "pausable", indication, facts) is not None
