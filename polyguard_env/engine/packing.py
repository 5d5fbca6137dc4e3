"""A scenario as one record of the engine."""

from __future__ import annotations

from collections.abc import Iterable, Sized
from hashlib import blake2b
from typing import NoReturn

import numpy as np

from polyguard_env.engine import layout as at
from polyguard_env.engine.facts import FactTable
from polyguard_env.engine.parameters import PLACE
from polyguard_env.engine.vocabularies import KIDNEY
from polyguard_env.environment.episode import Scenario
from polyguard_env.errors import PolyGuardError
from polyguard_env.knowledge.schema import SEVERITY_RANK
from polyguard_env.patients.model import Patient, RegimenItem
from polyguard_env.risk.contradictions import kidney_function
from polyguard_env.risk.danger import dangerous
from polyguard_env.risk.organs import CHILD_PUGH_RANK

ROOM = 4
WORD = (1 << 63) - 1
WEIGHT = PLACE["weight_minor"] - 1


def pack(scenario: Scenario, table: FactTable) -> np.ndarray:
    """The record of a scenario, shape (1,), dtype SCENARIO.

    Raises:
        PolyGuardError: more drugs or combinations than a record holds, or an unknown name.
    """
    records = np.zeros(1, dtype=at.SCENARIO)
    record = records[0]
    record["key"] = key_of(scenario.scenario_id)
    record["sub"] = at.SUB[scenario.sub_environment]
    record["difficulty"] = at.DIFFICULTY[scenario.difficulty]
    record["split"] = at.SPLIT[scenario.split]
    record["control"] = scenario.control
    record["budget"], record["step_days"] = scenario.budget, scenario.step_days
    pack_patient(record, scenario.patient, scenario.patient.regimen, table)
    _pack_hidden(record, scenario, table)
    _pack_products(record, scenario, table)
    _pack_combinations(record, scenario, table)
    return records


def key_of(scenario_id: str) -> int:
    """What all draws of a scenario and its episodes follow from, a signed 64-bit number."""
    return int.from_bytes(blake2b(scenario_id.encode(), digest_size=8, person=b"engine").digest(), "big", signed=True)


def pack_patient(record: np.void, patient: Patient, regimen: Iterable[RegimenItem], table: FactTable) -> None:
    """Write a person and a regimen into a record."""
    items = list(regimen)
    if len(items) > at.SLOTS - ROOM:
        raise PolyGuardError("regimen", len(items), f"give at most {at.SLOTS - ROOM} drugs")
    record["falls"], record["child_pugh"] = patient.falls, CHILD_PUGH_RANK[patient.child_pugh]
    kidney = kidney_function(patient)
    record["crcl"], record["egfr"] = kidney.get("crcl", np.nan), kidney.get("egfr", np.nan)
    known = [
        (table.genes[g], table.phenotypes.get(p, -1)) for g, p in sorted(patient.genotype.items()) if g in table.genes
    ]
    record["genes"] = _fits("genotype", known, at.GENES)
    for place, (gene, phenotype) in enumerate(known):
        record["gene"][place], record["phenotype"][place] = gene, phenotype
    held = 0
    for name in patient.conditions:
        held |= table.condition_bits[name] if name in table.condition_bits else _unknown("conditions", name)
    record["condition"] = [(held >> 63 * word) & WORD for word in range(at.CONDITION_WORDS)]
    record["tokens"] = table.token_words(patient.conditions)
    record["allergy_tokens"] = table.token_words(patient.allergies)
    spoken = [table.drug_at[name] for name in patient.allergies if name in table.drug_at]
    record["allergies"] = _fits("allergies", spoken, at.ALLERGIES)
    record["allergy_drug"][: len(spoken)] = spoken
    record["n"] = len(items)
    drugs = [_place(table.drug_at, item.drug_id, "regimen.drug_id") for item in items]
    indications = [
        _place(table.condition_at, item.indication, "regimen.indication") if item.indication else -1 for item in items
    ]
    n = len(items)
    record["drug"][:n], record["indication"][:n] = drugs, indications
    record["days"][:n] = [item.days for item in items]
    record["dose"][:n] = [
        table.usual[drug] if item.dose is None else item.dose for drug, item in zip(drugs, items, strict=True)
    ]
    groups: dict[int, set[int]] = {}
    for drug, indication in zip(drugs, indications, strict=True):
        if indication >= 0:
            groups.setdefault(indication, set()).add(table.treatment[drug])
    treated = sorted(groups, key=lambda code: table.conditions[code])
    record["treated"] = len(treated)
    record["treated_condition"][: len(treated)] = treated
    record["treatments"][: len(treated)] = [len(groups[condition]) for condition in treated]
    bits = 0
    for name in patient.measurements:
        if name in table.measurement_at:
            bits |= 1 << table.measurement_at[name]
    record["measured"] = bits
    rows = [place for name in {*patient.conditions, "", "*"} for place in table.omissions_at.get(name, ())]
    # What the person rules out for good is left out here, what other drugs rule out wherever the rules are read.
    person, masks = record["tokens"], table.facts.mask
    rows = [row for row in rows if not (masks[table.facts.omission["absent_if"][row]] & person).any()]
    for row in rows:
        record["omission"][row // 63] |= 1 << row % 63


def _pack_hidden(record: np.void, scenario: Scenario, table: FactTable) -> None:
    places = {item.drug_id: place for place, item in enumerate(scenario.patient.regimen)}
    for name in scenario.hidden:
        kind, _, rest = name.partition(":")
        if kind == "indication":
            record["hidden_indication"][_place(places, rest, "hidden")] = 1
            record["chart_hidden"] = 1
        elif kind == "facts":
            record["hidden_facts"][_place(places, rest, "hidden")] = 1
        elif name == "allergies":
            record["allergies_hidden"] = 1
        elif kind != "product":
            bit = np.int64(1 << _place(table.measurement_at, name, "hidden"))
            record["hidden"] |= bit
            if name in KIDNEY:
                record["kidney_hidden"] |= bit


def _pack_products(record: np.void, scenario: Scenario, table: FactTable) -> None:
    places = {item.drug_id: place for place, item in enumerate(scenario.patient.regimen)}
    for number, product in enumerate(scenario.products, start=1):
        for drug_id in product.drug_ids:
            place = _place(places, drug_id, f"products.{product.name}")
            record["group"][place] = number
            record["hidden_product"][place] = f"product:{product.name}" in scenario.hidden


def _pack_combinations(record: np.void, scenario: Scenario, table: FactTable) -> None:
    places = {item.drug_id: place for place, item in enumerate(scenario.patient.regimen)}
    record["combinations"] = _fits("combinations", scenario.combinations, at.COMBINATIONS)
    weights = table.facts.parameters[WEIGHT + 1 :]
    danger = {
        finding.drugs: weights[SEVERITY_RANK[finding.severity] - 1]
        for finding in dangerous(scenario.combinations, table.index)
    }
    for number, drugs in enumerate(scenario.combinations):
        record["combination"][number] = sum(1 << _place(places, drug, "combinations") for drug in drugs)
        record["danger"][number] = danger.get(drugs, 0.0)


def _fits(field: str, values: Sized, most: int) -> int:
    """The number of values, when a record holds them."""
    if len(values) > most:
        raise PolyGuardError(field, len(values), f"give at most {most}")
    return len(values)


def _unknown(field: str, name: str) -> NoReturn:
    raise PolyGuardError(field, name, "use a name the knowledge base has")


def _place(places: dict[str, int], name: str, field: str) -> int:
    place = places.get(name)
    return _unknown(field, name) if place is None else place
