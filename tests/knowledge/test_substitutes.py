"""What a substitution offers to an older adult is nothing that the Beers criteria or STOPP say to avoid."""

from __future__ import annotations

from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.knowledge.rules import Selector
from polyguard_env.knowledge.tabular import read_fragments

LEAST_ROWS = 400


def test_no_substitute_is_itself_to_be_avoided() -> None:
    """Unless the drug it replaces falls under the same criterion, or the indication is one the criterion spares."""
    select = Selector(KnowledgeBase.default().drugs).select
    avoid = [
        (row, select(row["target"], row["rule_id"])) for row in read_fragments("rules/burden") if row["kind"] == "avoid"
    ]
    rows = read_fragments("rules/substitution")
    assert len(rows) >= LEAST_ROWS and avoid
    wrong = [
        (row["rule_id"], criterion["rule_id"])
        for row in rows
        for criterion, named in avoid
        if row["replacement"] in named
        and criterion["indication"] in ("", row["indication"])
        and row["indication"] not in criterion["unless"].split(";")
        and not select(row["target"], row["rule_id"]) <= named
    ]
    assert not wrong


def test_reasons_of_a_substitution_cite_what_can_say_so() -> None:
    """A label does not compare drugs by outcome or rank them by choice."""
    comparing = ("evidence", "more effective", "fewer deaths")
    for row in read_fragments("rules/substitution"):
        if any(word in row["reason"] for word in comparing):
            assert row["source"] != "fda_label", row["rule_id"]
