"""Opioids that only an opioid-tolerant person may take, in a list that shows no other opioid: a note of a review."""

from __future__ import annotations

import re
from functools import lru_cache

from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.knowledge.tabular import read_fragments
from polyguard_env.patients.model import Patient

INJECTED = re.compile(r"\b(inj|injection|iv|intravenous|epidural|infusion)\b", re.IGNORECASE)


@lru_cache(maxsize=1)
def _rows() -> tuple[dict[str, str], ...]:
    return tuple(read_fragments("opioid_tolerance"))


def tolerance_notes(patient: Patient, knowledge: KnowledgeBase) -> tuple[str, ...]:
    """One note for each opioid of `opioid_tolerance.csv` that is taken without another opioid.

    The list cannot tell what was taken before, so it is a note to check and no finding. An injected drug has none.
    """
    notes = []
    for row in _rows():
        taken = [
            item for item in patient.regimen if item.drug_id == row["drug_id"] and not INJECTED.search(item.entered)
        ]
        others = {item.drug_id for item in patient.regimen} - {row["drug_id"]}
        if taken and not others & knowledge.drugs_in_class("opioids"):
            name = knowledge.drugs[row["drug_id"]].name
            notes.append(
                f"{name}: {row['need']} ({row['source']} {row['year']}); no other opioid is in the list and what was "
                "taken before is not known: check the tolerance"
            )
    return tuple(notes)
