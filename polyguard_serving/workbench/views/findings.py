"""What is wrong with a regimen, and what that rests on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from html import escape

from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.knowledge.tabular import read_fragments
from polyguard_env.risk.findings import Finding
from polyguard_env.risk.settling import limit_in_words
from polyguard_serving.workbench.views.parts import EMPTY, severity, table
from polyguard_serving.workbench.views.words import CATEGORY_WORDS, inside, to_do, why, words

SHOWN_FINDINGS, SHOWN_EVIDENCE = 12, 3


FINDING_HEADS = ("Severity", "What", "Drugs", "Because", "What to do", "Evidence")


def findings_table(found: Sequence[Finding], knowledge: KnowledgeBase) -> str:
    """What is wrong, worst first, with what it rests on."""
    if not found:
        return EMPTY.format("No findings: nothing in the tables speaks against this regimen.")
    rows = [_finding_row(finding, knowledge) for finding in found]
    told = "1 finding" if len(found) == 1 else f"{len(found)} findings, worst first"
    shown = table(told, FINDING_HEADS, rows[:SHOWN_FINDINGS])
    rest = rows[SHOWN_FINDINGS:]
    if rest:
        inner = table("Further findings", FINDING_HEADS, rest)
        number = "1 further finding" if len(rest) == 1 else f"{len(rest)} further findings"
        shown += f"<details><summary>{number}</summary>{inner}</details>"
    return shown + _sources(found)


def _sources(found: Sequence[Finding]) -> str:
    """The works that the findings rest on."""
    named = sorted({name for finding in found for name in finding.evidence_ids[:SHOWN_EVIDENCE] if name in works()})
    items = "".join(
        f"<li><code>{escape(name)}</code> {escape(works()[name]['title'])}. {escape(works()[name]['publisher'])}, "
        f"{escape(works()[name]['year'])}.</li>"
        for name in named
    )
    return f"<details><summary>Sources named here ({len(named)})</summary><ul class='pg-notes'>{items}</ul></details>"


@cache
def works() -> dict[str, dict[str, str]]:
    """Title, publisher and year of each source, by its key."""
    return {row["source"]: row for row in read_fragments("sources")}


def _finding_row(finding: Finding, knowledge: KnowledgeBase) -> str:
    names = " + ".join(knowledge.drugs[d].name if d in knowledge.drugs else words(d) for d in finding.drugs)
    told = replace(finding, management=to_do(finding.category, finding.management))
    what_to_do = limit_in_words(told, knowledge)
    if finding.measurement and finding.category != "omission":
        checked = inside(finding.measurement)
        if finding.category == "monitoring":
            what_to_do = f"Check {checked}"
        elif checked.lower() not in what_to_do.lower():
            what_to_do += f"; check {checked}"
    evidence = " ".join(f"<code>{escape(name)}</code>" for name in finding.evidence_ids[:SHOWN_EVIDENCE])
    reason = why(finding.category, finding.mechanism)
    return (
        f"<tr class='pg-row-{finding.severity}'><td>{severity(finding.severity)}</td>"
        f"<td>{escape(CATEGORY_WORDS[finding.category])}</td><th scope='row'>{escape(names)}</th>"
        f"<td>{escape(reason)}</td><td>{escape(what_to_do)}</td><td>{evidence}</td></tr>"
    )
