"""Legality of a move worked out again from the raw tables. Imports nothing of the project but `tables.py`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from polyguard_env.trust.second.tables import Facts

STARTS = ("SUBSTITUTE_DRUG", "RECOMMEND_ALTERNATIVE", "ADD_DRUG")
DOSES = ("REDUCE_DOSE", "INCREASE_DOSE")
HOLD = "HOLD_DOSE"
ENDS = ("STOP_DRUG", "TAPER_DRUG")
KIDNEY = frozenset({"creatinine", "crcl", "egfr"})
TOLERANCE = 1.001


def breach(
    action: str,
    targets: Sequence[str],
    taken: Mapping[str, float],
    allergies: Sequence[str],
    unknown: frozenset[str],
    facts: Facts,
    products: Mapping[str, Sequence[str]] | None = None,
    held: Collection[str] = (),
) -> str:
    """The first rule a move breaks, "" when it is legal; arguments as for `breaches`."""
    return next(iter(breaches(action, targets, taken, allergies, unknown, facts, products, held)), "")


def breaches(
    action: str,
    targets: Sequence[str],
    taken: Mapping[str, float],
    allergies: Sequence[str],
    unknown: frozenset[str],
    facts: Facts,
    products: Mapping[str, Sequence[str]] | None = None,
    held: Collection[str] = (),
) -> list[str]:
    """Every rule a move breaks.

    Args:
        action: the kind of move. targets: what it acts on, as candidates carry it.
        taken: drug id to daily dose. allergies: drug or class ids.
        unknown: what is hidden and not yet looked up: measurements, "allergies", "facts:<drug>", "product:<name>".
        products: product name to its drugs. held: drugs withheld for now.
    """
    products = products or {}
    changed = list(targets[:1]) if action in (*ENDS, *DOSES, HOLD, "SUBSTITUTE_DRUG", "RECOMMEND_ALTERNATIVE") else []
    drugs = [drug for name in changed for drug in products.get(name, [name])]
    absent = any(drug not in taken for drug in drugs)
    broken = ["drug_not_taken"] if absent else []
    if action in (*DOSES, HOLD, "TAPER_DRUG") and any(drug in held for drug in drugs):
        broken.append("drug_held")
    if action in STARTS:
        new = targets[0] if action == "ADD_DRUG" else targets[1]
        if new in taken:
            broken.append("already_taken")
        if {new, *facts.classes.get(new, ())} & set(allergies):
            broken.append("allergy")
    if action in DOSES:
        ceiling = facts.number(drugs[0], "dose_max")
        if action == "INCREASE_DOSE" and ceiling and float(targets[1]) > ceiling * TOLERANCE:
            broken.append("dose_above_maximum")
        if action == "REDUCE_DOSE" and not absent and float(targets[1]) >= taken[drugs[0]]:
            broken.append("not_a_reduction")
    hidden_products = {drug for name, held in products.items() if f"product:{name}" in unknown for drug in held}
    if any(f"facts:{drug}" in unknown or drug in hidden_products for drug in drugs):
        broken.append("acted_on_unknown")
    if action in DOSES and KIDNEY & unknown and facts.rules_for("renal", drugs[0]):
        broken.append("kidney_function_unknown")
    if action in STARTS and "allergies" in unknown:
        broken.append("allergies_unknown")
    return broken
