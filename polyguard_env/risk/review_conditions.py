"""Drug-disease rules that only the review knows (`review_drug_disease.csv`), most on conditions that only it knows.

No person of the environment has a condition of `review_conditions.csv`, and its rules do not name them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from polyguard_env.errors import PolyGuardError
from polyguard_env.knowledge.rules import Selector
from polyguard_env.knowledge.tabular import read_fragments
from polyguard_env.patients.condition_names import condition_ids
from polyguard_env.patients.model import Patient, RegimenItem
from polyguard_env.risk.findings import Finding, keep_worst
from polyguard_env.risk.index import RuleIndex


@lru_cache(maxsize=4)
def condition_rules(index: RuleIndex) -> Mapping[str, tuple[dict[str, str], ...]]:
    """Rows of `review_drug_disease.csv` by drug id.

    Raises:
        PolyGuardError: a target without drugs, or an unknown condition.
    """
    selector, found = Selector(index.knowledge.drugs), dict[str, tuple[dict[str, str], ...]]()
    for row in read_fragments("review_drug_disease"):
        where = f"review_drug_disease.csv {row['rule_id']}"
        if row["condition"] not in condition_ids():
            raise PolyGuardError(f"{where} condition", row["condition"], "name a condition id")
        drugs = selector.select(row["target"], where)
        if not drugs:
            raise PolyGuardError(f"{where} target", row["target"], "name a drug or a class that has drugs")
        for drug_id in drugs:
            found[drug_id] = (*found.get(drug_id, ()), row)
    return found


def condition_findings(patient: Patient, regimen: Sequence[RegimenItem], index: RuleIndex) -> list[Finding]:
    """Drugs that such a condition makes unsuitable, the worst rule of each, unless it is what the drug is taken for.

    Args:
        regimen: what is taken; each drug once.
    """
    findings: dict[str, Finding] = {}
    for item in regimen:
        for row in condition_rules(index).get(item.drug_id, ()):
            condition = row["condition"]
            if condition in patient.conditions and condition != item.indication:
                finding = Finding(
                    finding_id=f"drug_disease:{item.drug_id}+{condition}",
                    category="drug_disease",
                    severity=row["severity"],  # type: ignore[arg-type]
                    drugs=(item.drug_id,),
                    mechanism=condition,
                    management=row["management"],
                    evidence_ids=(row["rule_id"], row["source"]),
                )
                keep_worst(findings, finding)
    return list(findings.values())
