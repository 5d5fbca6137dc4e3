"""What each drug does and needs: the roles from which interactions are derived.

Formulary drugs carry their roles in the profile; drugs outside the formulary have theirs in `roles*.csv`, or those of
the moiety that acts (`moieties.csv`: a salt, an ester, a prodrug, an isomer).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from polyguard_env.errors import PolyGuardError
from polyguard_env.knowledge.formulary import cyp_roles
from polyguard_env.knowledge.schema import CypRole, Drug, DrugProfile
from polyguard_env.knowledge.tabular import read_fragments

SYSTEMIC = frozenset({"oral", "iv", "sc", "im", "transdermal", "rectal", "sublingual"})
# A conditional risk needs its condition (an overdose, low potassium): it makes no pair by itself.
QT_GRADES = {"none": 0, "conditional": 0, "possible": 1, "known": 2}


@dataclass(frozen=True, slots=True)
class Roles:
    """One drug's roles.

    Attributes:
        cyp: roles at enzymes and transporters.
        qt: QT risk, "none", "conditional", "possible" or "known".
        grades: grade by pharmacodynamic role (a column of `derivation.csv`); 0 where absent.
        narrow_index: True for a narrow therapeutic index.
        systemic: True when a route reaches the circulation.
    """

    cyp: tuple[CypRole, ...]
    qt: str
    grades: dict[str, int] = field(default_factory=dict)
    narrow_index: bool = False
    systemic: bool = True

    def grade(self, role: str) -> int:
        """The grade on one role; 0 for drugs of local use."""
        return self.grades.get(role, 0) if self.systemic else 0


PROFILE_ROLES = (
    "bleeding", "serotonergic", "hyperkalaemia", "hyponatraemia", "hypoglycaemia", "hypotension", "bradycardia",
    "nephrotoxic", "seizure_threshold", "acb",
)  # fmt: skip


def roles_of_profile(profile: DrugProfile) -> Roles:
    """The roles of a formulary drug."""
    grades = {role: int(getattr(profile, role)) for role in PROFILE_ROLES}
    grades["qt"] = QT_GRADES[profile.qt]
    sedating = profile.sedation >= 2
    grades["cns"] = 1 + int(sedating) if profile.cns_active or sedating else 0
    return Roles(profile.cyp, profile.qt, grades, profile.narrow_index, bool(SYSTEMIC & set(profile.routes)))


def roles_by_drug(drugs: Mapping[str, Drug]) -> dict[str, Roles]:
    """Roles of every drug that has any, formulary profiles first.

    Raises:
        PolyGuardError: `roles.csv` names a QT risk that does not exist.
    """
    found = {drug_id: roles_of_profile(drug.profile) for drug_id, drug in drugs.items() if drug.profile}
    for row in read_fragments("roles"):
        drug_id, qt = row["drug_id"], row["qt"] or "none"
        if qt not in QT_GRADES:
            raise PolyGuardError(f"roles.csv {drug_id} qt", qt, f"use one of {', '.join(QT_GRADES)}")
        if drug_id in drugs and drug_id not in found:
            narrow = row["narrow_index"] == "1"
            found[drug_id] = Roles(tuple(cyp_roles(row["cyp"], drug_id)), qt, {"qt": QT_GRADES[qt]}, narrow)
    for drug_id, held in moieties().items():
        for moiety in sorted(held):
            if drug_id in drugs and moiety in found:
                found.setdefault(drug_id, found[moiety])
    return found


def moieties() -> dict[str, set[str]]:
    """Moieties that act, by the drug that carries them (`moieties.csv`)."""
    held: dict[str, set[str]] = {}
    for row in read_fragments("moieties"):
        held.setdefault(row["drug_id"], set()).add(row["moiety_id"])
    return held
