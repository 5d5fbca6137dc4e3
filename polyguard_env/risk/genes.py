"""Drugs that a patient's known genotype makes unsuitable or calls for another dose of."""

from __future__ import annotations

from collections.abc import Sequence

from polyguard_env.knowledge.schema import SEVERITY_RANK
from polyguard_env.patients.model import Patient, RegimenItem
from polyguard_env.risk.findings import Finding
from polyguard_env.risk.index import RuleIndex


def gene_findings(patient: Patient, regimen: Sequence[RegimenItem], index: RuleIndex) -> list[Finding]:
    """One finding per drug and gene whose phenotype the patient is known to have, the worst rule of each."""
    findings: dict[str, Finding] = {}
    for item in regimen if patient.genotype else ():
        for rule in index.rules("pharmacogenomics", item.drug_id):
            gene, phenotype, note = rule.fields["gene"], rule.fields["phenotype"], rule.fields["note"]
            if patient.genotype.get(gene) != phenotype:
                continue
            finding = Finding(
                finding_id=f"drug_disease:{item.drug_id}+{gene}",
                category="drug_disease",
                severity=rule.severity,
                drugs=(item.drug_id,),
                mechanism=f"{gene} {phenotype}",
                management=f"{rule.fields['action']}: {note}" if note else rule.fields["action"],
                evidence_ids=(rule.rule_id, rule.source),
            )
            held = findings.get(finding.finding_id)
            if held is None or SEVERITY_RANK[finding.severity] > SEVERITY_RANK[held.severity]:
                findings[finding.finding_id] = finding
    return list(findings.values())
