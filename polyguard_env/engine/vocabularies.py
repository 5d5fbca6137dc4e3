"""The names that a knowledge base gives numbers: conditions, measurements, and what rules ask for by name."""

from __future__ import annotations

from polyguard_env.engine import layout as at
from polyguard_env.errors import PolyGuardError
from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.knowledge.tabular import read_fragments
from polyguard_env.risk.index import terms
from polyguard_env.risk.review import MONITOR_FOR_MECHANISM

KIDNEY = ("egfr", "creatinine", "crcl")


def conditions_of(knowledge: KnowledgeBase) -> list[str]:
    """Every condition of the tables, in order."""
    names = {row["condition_id"] for row in read_fragments("conditions")}
    names |= {rule.fields["condition"] for rule in knowledge.rules("drug_disease")}
    names |= {c for drug in knowledge.drugs.values() if drug.profile for c in drug.profile.indications}
    names |= {rule.fields["condition"] for rule in knowledge.rules("omission")} - {"", "*"}
    if len(names) > 63 * at.CONDITION_WORDS:
        raise PolyGuardError("conditions", len(names), f"raise CONDITION_WORDS above {at.CONDITION_WORDS}")
    return sorted(names)


def measurements_of(knowledge: KnowledgeBase) -> list[str]:
    """The measurements that rules need, then others, 63 at most; the three names of kidney function as one."""
    names = {row["measurement_id"] for row in read_fragments("measurements")}
    needed = set(MONITOR_FOR_MECHANISM.values()) | {KIDNEY[0]}
    needed |= {rule.fields["measurement"] for rule in knowledge.rules("monitoring")}
    needed -= set(KIDNEY[1:])
    # The rarest of the table beyond what 63 bits hold are never hidden or ordered in an episode.
    kept = sorted(needed) + sorted(names - needed - set(KIDNEY))
    if len(needed) > 63:
        raise PolyGuardError("measurements", len(needed), "the rules need more measurements than the engine holds (63)")
    return kept[:63]


def tokens_of(knowledge: KnowledgeBase) -> list[str]:
    """Every name that some rule's list of terms asks for, all classes among them."""
    names: set[str] = set(knowledge.tables["classes"]["class_id"])
    for kind, fields in {
        "burden": ("unless",), "substitution": ("wrong_if",), "omission": ("target", "with_drug", "absent_if"),
    }.items():  # fmt: skip
        for rule in knowledge.rules(kind):
            for field in fields:
                names |= terms(rule.fields.get(field, ""))
    names |= {rule.drug_id for rule in knowledge.rules("omission")}
    for rule in knowledge.rules("duplicate_therapy"):
        for pair in filter(None, rule.fields.get("except_pairs", "").split(";")):
            names |= {part.split(":")[-1] for part in pair.split("+")}
    if len(names) > 63 * at.TOKEN_WORDS:
        raise PolyGuardError("rule terms", len(names), f"raise TOKEN_WORDS above {at.TOKEN_WORDS}")
    return sorted(names)
