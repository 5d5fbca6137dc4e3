"""Legality of a move worked out again from the raw tables. Imports nothing of the project but `tables.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from polyguard_env.trust.second.tables import Facts

STARTS = ("SUBSTITUTE_DRUG", "RECOMMEND_ALTERNATIVE", "ADD_DRUG")
DOSES = ("REDUCE_DOSE", "INCREASE_DOSE")
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
) -> str:
    """The rule a move breaks, "" when it is legal.

    Args:
        action: the kind of move. targets: what it acts on, as candidates carry it.
        taken: drug id to daily dose. allergies: drug or class ids.
        unknown: what is hidden and not yet looked up: measurements, "allergies", "facts:<drug>", "product:<name>".
        products: product name to its drugs, for products not yet taken apart.
    """
    products = products or {}
    changed = list(targets[:1]) if action in (*ENDS, *DOSES, "SUBSTITUTE_DRUG", "RECOMMEND_ALTERNATIVE") else []
    drugs = [drug for name in changed for drug in products.get(name, [name])]
    if any(drug not in taken for drug in drugs):
        return "drug_not_taken"
    if action in STARTS:
        new = targets[0] if action == "ADD_DRUG" else targets[1]
        if new in taken:
            return "already_taken"
        if {new, *facts.classes.get(new, ())} & set(allergies):
            return "allergy"
    if action in DOSES:
        ceiling = facts.number(drugs[0], "dose_max")
        if action == "INCREASE_DOSE" and ceiling and float(targets[1]) > ceiling * TOLERANCE:
            return "dose_above_maximum"
        if action == "REDUCE_DOSE" and float(targets[1]) >= taken[drugs[0]]:
            return "not_a_reduction"
    hidden_products = {drug for name, held in products.items() if f"product:{name}" in unknown for drug in held}
    if any(f"facts:{drug}" in unknown or drug in hidden_products for drug in drugs):
        return "acted_on_unknown"
    if action in DOSES and KIDNEY & unknown and facts.rules_for("renal", drugs[0]):
        return "kidney_function_unknown"
    if action in STARTS and "allergies" in unknown:
        return "allergies_unknown"
    return ""
