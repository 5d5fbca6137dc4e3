"""The agents that look at the patient: MedRec, Evidence, GraphSafety and Dosing."""

from __future__ import annotations

from itertools import combinations

from polyguard_env.agents.board import Board, Note
from polyguard_env.agents.observed import is_known, patient_of
from polyguard_env.policies.alerts import pair_alert
from polyguard_env.risk.contradictions import kidney_function
from polyguard_env.risk.findings import Finding

MOST_QUESTIONS, PASSAGES_EACH = 4, 2
ROLE_ALERT = 1.0


def shown(finding: Finding) -> dict[str, object]:
    """A finding as traces show it."""
    return {
        "finding_id": finding.finding_id, "category": finding.category, "severity": finding.severity,
        "drugs": list(finding.drugs), "mechanism": finding.mechanism, "management": finding.management,
    }  # fmt: skip


def counted(number: int, one: str, many: str = "") -> str:
    """ "1 finding", "2 findings"."""
    return f"{number} {one if number == 1 else many or one + 's'}"


class MedRec:
    """Reconciles the regimen: what is taken, at which dose, for what, and what does not add up."""

    name = "MedRec"
    role = "reconciles the regimen list: doses, indications, two drugs of one class, tapers under way"

    def run(self, board: Board) -> Note:
        regimen = board.observation.regimen
        board.patient = patient_of(board.observation)
        board.findings = board.review(board.patient)
        unexplained = [e["drug_id"] for e in regimen if e["indication"] == "" and is_known(e)]
        unknown = [e["drug_id"] for e in regimen if e["indication"] is None]
        doubled = [list(f.drugs) for f in board.findings if f.category == "duplication"]
        details = {
            "drugs": len(regimen), "no_indication": unexplained, "indication_not_seen": unknown, "duplicates": doubled,
            "not_looked_up": [e["drug_id"] for e in regimen if not is_known(e)],
            "tapering": [e["drug_id"] for e in regimen if e["tapering"]],
            "held": [e["drug_id"] for e in regimen if e["held"]],
            "withdrawal": [e["drug_id"] for e in regimen if e["withdrawal"]],
            "to_check": list(board.observation.patient.get("to_check", ())),
        }  # fmt: skip
        says = f"{counted(len(regimen), 'drug')}; {len(unexplained)} without an indication, {len(doubled)} duplicated"
        return Note(self.name, says, details)


class Evidence:
    """Fetches passages on the worst findings."""

    name = "Evidence"
    role = "searches the evidence index for the worst findings"

    def run(self, board: Board) -> Note:
        if board.search is None:
            return Note(self.name, "no evidence index is at hand", {"passages": []})
        passages: dict[str, dict[str, object]] = {}
        for finding in board.findings[:MOST_QUESTIONS]:
            names = " ".join(board.knowledge.drug(drug).name for drug in finding.drugs)
            question = f"{names} {finding.mechanism.replace('_', ' ')}"
            for hit in board.search.search(question, PASSAGES_EACH):
                passages.setdefault(
                    hit.passage_id,
                    {"passage_id": hit.passage_id, "source": hit.source, "year": hit.year, "text": hit.text},
                )
        says = f"{counted(len(passages), 'passage')} on the worst {min(len(board.findings), MOST_QUESTIONS)} findings"
        return Note(self.name, says, {"passages": list(passages.values())}, tuple(passages))


class GraphSafety:
    """Looks every pair up in the interaction graph, and beside it adds up what the two drugs' roles alone tell."""

    name = "GraphSafety"
    role = "looks pairs and combinations up in the interaction graph and compares drugs' roles"

    def run(self, board: Board) -> Note:
        edges = [f for f in board.findings if f.category == "interaction"]
        known = {frozenset(f.drugs) for f in edges}
        alerts = [
            {"drugs": [a["drug_id"], b["drug_id"]], "weight": round(pair_alert(a, b), 2)}
            for a, b in combinations(board.observation.regimen, 2)
            if pair_alert(a, b) >= ROLE_ALERT and frozenset((a["drug_id"], b["drug_id"])) not in known
        ]
        worst = f"; worst: {edges[0].severity}, {' + '.join(edges[0].drugs)}" if edges else ""
        says = f"{counted(len(edges), 'interaction')} in the graph{worst}; {len(alerts)} more suggested by roles alone"
        evidence = tuple(dict.fromkeys(e for f in edges for e in f.evidence_ids[:1]))
        return Note(self.name, says, {"interactions": [shown(f) for f in edges], "role_alerts": alerts}, evidence)


class Dosing:
    """Holds doses against kidney, liver and the highest dose at this age."""

    name = "Dosing"
    role = "holds doses against kidney, liver and age"

    def run(self, board: Board) -> Note:
        broken = [f for f in board.findings if f.category == "organ_dosing"]
        kidney = kidney_function(board.person())
        details = {
            "kidney": {name: round(value, 1) for name, value in kidney.items()},
            "limits": [shown(f) | {"limit": f.limit} for f in broken],
        }
        known = f"CrCl {kidney['crcl']:.0f} mL/min" if "crcl" in kidney else "kidney function not known"
        says = f"{known}; {counted(len(broken), 'dose')} above a limit"
        return Note(self.name, says, details, tuple(dict.fromkeys(e for f in broken for e in f.evidence_ids[:1])))
