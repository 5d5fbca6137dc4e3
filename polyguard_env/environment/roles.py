"""A drug's own facts as the agent sees them: role codes with fact ids.

Interactions are never shown; two drugs' roles are what an agent reasons from. Codes are short
because a compact observation has to stay under 200 tokens.
"""

from __future__ import annotations

from dataclasses import dataclass

from polyguard_env.knowledge.schema import DrugProfile

GRADED: tuple[tuple[str, str, int], ...] = (
    ("bleeding", "bleed", 1),
    ("serotonergic", "sero", 1),
    ("hyperkalaemia", "K+", 1),
    ("hypoglycaemia", "gluc-", 1),
    ("bradycardia", "HR-", 1),
    ("hypotension", "BP-", 1),
    ("hyponatraemia", "Na-", 1),
    ("nephrotoxic", "nephro", 1),
    ("seizure_threshold", "seiz", 1),
)
ROLE_WORD = {"substrate": "sub", "inhibitor": "inh", "inducer": "ind"}


@dataclass(frozen=True, slots=True)
class Role:
    """One fact about a drug.

    Attributes:
        fact_id: id to cite as evidence, for example "warfarin#bleeding".
        code: compact code, for example "bleed3".
        text: the fact in words.
    """

    fact_id: str
    code: str
    text: str


def roles_of(drug_id: str, profile: DrugProfile) -> tuple[Role, ...]:
    """All role facts of a drug, most safety-relevant first."""
    roles: list[Role] = []

    def add(name: str, code: str, text: str) -> None:
        roles.append(Role(f"{drug_id}#{name}", code, text))

    if profile.qt != "none":
        add("qt", "QT" if profile.qt == "known" else "qt", f"QT prolongation: {profile.qt} risk")
    for name, code, least in GRADED:
        grade = int(getattr(profile, name))
        if grade >= least:
            add(name, f"{code}{grade}", f"{name.replace('_', ' ')}, grade {grade}")
    if profile.cns_active or profile.sedation >= 2:
        add("cns", "CNS", "acts on the central nervous system")
    if profile.acb >= 1:
        add("acb", f"ACB{profile.acb}", f"anticholinergic, ACB score {profile.acb}")
    for entry in profile.cyp:
        code = f"{entry.enzyme}{ROLE_WORD[entry.role]}"
        if entry.strength in ("strong", "sensitive"):
            code = code + "!"
        add(
            f"{entry.enzyme}-{entry.role}",
            code,
            f"{_enzyme_name(entry.enzyme)} {entry.role}, {entry.strength}",
        )
    if profile.fall_risk >= 2:
        add("fall_risk", "falls", "raises fall risk")
    if profile.renal_fraction >= 0.6:
        add("renal", "renal", f"{profile.renal_fraction:.0%} excreted unchanged by the kidney")
    if profile.taper_class:
        add("taper", "taper", "needs a taper before stopping")
    if profile.narrow_index:
        add("narrow_index", "NTI", "narrow therapeutic index")
    return tuple(roles)


def _enzyme_name(enzyme: str) -> str:
    return f"CYP{enzyme}" if enzyme[0].isdigit() else enzyme


def roles_explain(mechanism: str, a: DrugProfile, b: DrugProfile) -> tuple[str, ...]:
    """Names of the roles of `a` and `b` that together explain an interaction's mechanism.

    Returns:
        Role names as in the fact ids after "#" (both drugs'), or an empty tuple when the roles
        shown to an agent do not explain the interaction.
    """
    both = {
        "bleeding": ("bleeding", 1),
        "serotonin_syndrome": ("serotonergic", 1),
        "hyperkalaemia": ("hyperkalaemia", 1),
        "hypoglycaemia": ("hypoglycaemia", 1),
        "bradycardia": ("bradycardia", 1),
        "hypotension": ("hypotension", 1),
        "hyponatraemia": ("hyponatraemia", 1),
        "nephrotoxicity": ("nephrotoxic", 1),
        "seizure": ("seizure_threshold", 1),
        "anticholinergic": ("acb", 2),
    }
    if mechanism in both:
        name, least = both[mechanism]
        return (name,) if min(getattr(a, name), getattr(b, name)) >= least else ()
    if mechanism == "qt_prolongation":
        return ("qt",) if a.qt != "none" and b.qt != "none" else ()
    if mechanism == "cns_depression":
        active = all(p.cns_active or p.sedation >= 2 for p in (a, b))
        return ("cns",) if active else ()
    if mechanism == "cyp_induction":
        return _enzyme_match(a, b, "inducer", None)
    prefix, _, kind = mechanism.partition("_")
    if kind in ("inhibition", "induction") and (prefix.startswith("cyp") or prefix == "pgp"):
        enzyme = "P-gp" if prefix == "pgp" else prefix[3:].upper()
        return _enzyme_match(a, b, "inhibitor" if kind == "inhibition" else "inducer", enzyme)
    return ()


def _enzyme_match(a: DrugProfile, b: DrugProfile, perpetrator: str, enzyme: str | None) -> tuple[str, ...]:
    for one, other in ((a, b), (b, a)):
        doers = {c.enzyme for c in one.cyp if c.role == perpetrator}
        victims = {c.enzyme for c in other.cyp if c.role == "substrate"}
        shared = sorted((doers & victims) if enzyme is None else (doers & victims & {enzyme}))
        if shared:
            return (f"{shared[0]}-{perpetrator}", f"{shared[0]}-substrate")
    return ()
