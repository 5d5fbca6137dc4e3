"""What the stop of a drug risks, and the drugs that a source lets stop at once.

`stop_warnings.csv` holds the warnings (drug or class, context, risk, what to do, severity, boxed or not) and
`stop_plain.csv` the drugs whose source says that no taper is needed. A drug in neither is one of which nothing is known
here, which is no leave to stop it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from polyguard_env.knowledge.schema import SEVERITY_RANK, Drug
from polyguard_env.knowledge.tabular import read_fragments

NO_SCHEDULE = "no taper schedule here; this does not mean that it may be stopped at once"


@dataclass(frozen=True, slots=True)
class StopWarning:
    """One risk of stopping a drug.

    Attributes:
        stop_id: row of `stop_warnings.csv`.
        severity: "moderate", "major" or "contraindicated".
        boxed: True when a boxed warning of the US label is on the stop of a drug of the row.
        context: the person or use it holds for.
        risk: what happens.
        action: what to do.
        source: source key, with `year`.
        year: year of the source.
    """

    stop_id: str
    severity: str
    boxed: bool
    context: str
    risk: str
    action: str
    source: str
    year: int

    def __str__(self) -> str:
        box = ", boxed warning" if self.boxed else ""
        cited = f"{self.stop_id}, {self.source} {self.year}"
        return f"[{self.severity}{box}] {self.context}: {self.risk}. {self.action} ({cited})"


def stop_warnings(drug: Drug) -> tuple[StopWarning, ...]:
    """The warnings about stopping a drug, the most severe first; empty when the table has none."""
    found = [warning for target, warning in _warnings() if _reaches(target, drug)]
    return tuple(sorted(found, key=lambda warning: (-SEVERITY_RANK[warning.severity], not warning.boxed)))  # type: ignore[index]


def plain_stop(drug: Drug) -> str:
    """Why a source lets the drug stop at once, with the source and year; "" where no source says so."""
    for row in read_fragments("stop_plain"):
        if _reaches(row["target"], drug):
            return f"{row['reason']} ({row['plain_id']}, {row['source']} {row['year']})"
    return ""


@lru_cache(maxsize=1)
def _warnings() -> tuple[tuple[str, StopWarning], ...]:
    return tuple(
        (
            row["target"],
            StopWarning(
                row["stop_id"], row["severity"], row["boxed"] == "yes", row["context"], row["risk"], row["action"],
                row["source"], int(row["year"]),
            ),
        )
        for row in read_fragments("stop_warnings")
    )  # fmt: skip


def _reaches(target: str, drug: Drug) -> bool:
    terms = (term.partition(":") for term in target.split(";"))
    return any(name == drug.drug_id if kind == "drug" else name in drug.classes for kind, _, name in terms)
