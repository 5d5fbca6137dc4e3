"""Stages of chronic kidney disease as people write them, and the eGFR of each (`kidney_stages.csv`, KDIGO 2024).

"CKD 3b", "stage IV chronic kidney disease" and "chronic kidney disease, stage 4 (severe)" are conditions of their own,
which imply kidney disease; stages 1 and 2 are kidney disease alone, for they ask for no other dose.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from polyguard_env.knowledge.tabular import read_fragments

DISEASE = (
    r"(?:ckd|(?:chronic )?(?:kidney|renal) disease|chronic (?:kidney|renal) (?:failure|insufficiency|impairment)"
    r"|chronic kidney disease ckd)"
)
STAGE = r"(?:kdigo )?(?:stage |grade |category )?g?(?P<{0}number>[1-5]|iii|ii|iv|i|v) ?(?P<{0}part>[abd])?(?: ?a[1-3])?"
DEGREE = r"(?: (?:mild|moderate|severe|unspecified|to|not on dialysis|without dialysis))*"
DIALYSED = r"(?P<dialysed> (?:on|with|requiring|dependent on) (?:chronic )?(?:h[ae]?e?mo|peritoneal )?dialysis)?"
WRITTEN = re.compile(
    rf"(?:{DISEASE} ?{STAGE.format('after_')}|{STAGE.format('before_')} {DISEASE}){DEGREE}{DIALYSED}"
)  # fmt: skip
ROMAN: Mapping[str, str] = {"i": "1", "ii": "2", "iii": "3", "iv": "4", "v": "5"}


@dataclass(frozen=True, slots=True)
class KidneyStage:
    """A stage of kidney disease.

    Attributes:
        condition_id: the condition that it is.
        name: in words.
        low, high: eGFR in mL/min/1.73m2 from and to, both within the stage.
        implies: the wider condition, or "".
        source: where the limits are from.
    """

    condition_id: str
    name: str
    low: float
    high: float
    implies: str
    source: str


@cache
def kidney_stages() -> Mapping[str, KidneyStage]:
    """Stages by condition id."""
    return {
        row["condition_id"]: KidneyStage(
            row["condition_id"], row["name"], float(row["low"]), float(row["high"]), row["implies"], row["source"]
        )
        for row in read_fragments("kidney_stages")
    }


def stage_named(name: str) -> str:
    """The condition of a written stage, or "" when the words are none.

    Args:
        name: folded words (`condition_names.folded`).
    """
    match = WRITTEN.fullmatch(name)
    if match is None:
        return ""
    number = match["after_number"] or match["before_number"]
    number, part = ROMAN.get(number, number), match["after_part"] or match["before_part"] or ""
    if match["dialysed"] or part == "d":
        return "dialysis" if number == "5" else ""
    if part and number != "3":
        return ""
    return f"ckd_g{number}{part}" if number >= "3" else "ckd"


def with_implied(conditions: Iterable[str]) -> tuple[str, ...]:
    """Conditions, each once, and after them what their stages imply."""
    held = tuple(dict.fromkeys(conditions))
    stages = kidney_stages()
    implied = (stages[name].implies for name in held if name in stages and stages[name].implies)
    return tuple(dict.fromkeys((*held, *implied)))


def stage_of(conditions: Iterable[str]) -> KidneyStage | None:
    """The stage that conditions name, the highest of several and of these the narrowest; None without one."""
    found = [kidney_stages()[name] for name in conditions if name in kidney_stages()]
    return min(found, key=lambda stage: (stage.high, -stage.low, stage.condition_id), default=None)
