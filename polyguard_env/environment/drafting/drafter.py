"""`Drafter`: a scenario of an id, drawn by the compiled generators and put in words."""

from __future__ import annotations

from itertools import islice
from random import Random

import numpy as np

from polyguard_env.engine import layout as at
from polyguard_env.engine import operations
from polyguard_env.engine.call import Call, rooms
from polyguard_env.engine.engine import Engine
from polyguard_env.engine.packing import key_of
from polyguard_env.environment.drafting import layout as lay
from polyguard_env.environment.drafting.names import invented_name
from polyguard_env.environment.drafting.people import ALLERGEN_NAMES, People
from polyguard_env.environment.drafting.tables import draft_tables
from polyguard_env.environment.episode import Product, Scenario
from polyguard_env.environment.pool import DrugPool
from polyguard_env.environment.splits import SPLITS, UNSEEN_MECHANISMS
from polyguard_env.environment.subenvironments import SubEnvironment
from polyguard_env.errors import PolyGuardError
from polyguard_env.patients.model import Patient, RegimenItem

GRADES = ("", "A", "B", "C")
HEAD = len(lay.TOLD)
ROOM = HEAD + 3 * at.SLOTS + lay.MOST_INGREDIENTS + at.COMBINATIONS + 63 * at.CONDITION_WORDS
# Allergies of a person by their bits.
ALLERGIES = tuple(
    tuple(name for place, name in enumerate(ALLERGEN_NAMES) if bits >> place & 1)
    for bits in range(1 << len(ALLERGEN_NAMES))
)


class DraftTables:
    """What drafts read, shared by all threads: the pool's arrays and the people.

    Args:
        pool: the drugs scenarios draw from. engine: the compiled rules over the same knowledge base.
    """

    def __init__(self, pool: DrugPool, engine: Engine) -> None:
        self.pool, self.engine = pool, engine
        self.people = People(pool.index, engine.table)
        self.arrays = draft_tables(pool, engine.table) | {"people": self.people.rows}


class Drafter:
    """Draws scenarios; holds the room for one draft, so that each thread needs its own."""

    def __init__(self, tables: DraftTables) -> None:
        self._engine, self._people, self._real = tables.engine, tables.people, tables.pool.products
        self._table = table = tables.engine.table
        self._conditions, self._mechanisms = table.conditions, table.mechanisms
        self._genes, self._phenotypes = table.gene_names, table.phenotype_names
        self._record = np.zeros(1, dtype=at.SCENARIO)
        self._bytes = self._record.view(np.uint8)
        states = np.zeros(1, dtype=at.STATE)
        room = rooms(1, len(tables.engine.facts.weights))
        room |= {"scenarios": self._record, "states": states, "starts": states}
        self._call = Call(table, room)
        self._room = {
            "draft": np.zeros(1, dtype=lay.DRAFT),
            "mask": np.zeros((lay.MASKS, len(tables.pool.drugs)), dtype=np.int8),
            "held": np.zeros((2, len(table.conditions)), dtype=np.int8),
            "asked": np.zeros(len(lay.ASKED), dtype=np.int64),
            "told": np.zeros(
                HEAD + 3 * at.SLOTS + lay.MOST_INGREDIENTS + at.COMBINATIONS + lay.MOST_HELD, dtype=np.int64
            ),
            "doses": np.zeros(1 + at.SLOTS),
            "facts": table.block,
            "call": self._call.table,
        }
        self._block = lay.DRAFTING.table()
        for name, array in (tables.arrays | self._room).items():
            lay.DRAFTING.put(self._block, name, array)
        self._address, self._tables = self._block.ctypes.data, tables
        self._asked, self._told, self._doses = self._room["asked"], self._room["told"], self._room["doses"]

    def draw(self, scenario_id: str, spec: SubEnvironment, split: str, difficulty: str, control: bool) -> Scenario:
        """The scenario of an id; its record is kept by the engine.

        Raises:
            PolyGuardError: no scenario worth posing came out of many draws.
        """
        code, level, budget = SPLITS.index(split), at.DIFFICULTY[difficulty], spec.budgets[difficulty]
        self._people.fill(code)
        key = key_of(scenario_id)
        self._asked[:] = key, code, at.SUB[spec.name], level, control, budget, spec.step_days
        self._call.run(operations.DRAFT, self._address)
        told: list[int] = self._told.tolist()
        (
            attempts, n, problem, person, male, frailty, falls, child, allergens, allergy, gene, phenotype,
            targets, unknown, hidden_purposes, hide_kidneys, hide_allergies, explicit, ingredients, product,
            combinations, held,
        ) = told[:HEAD]  # fmt: skip
        if not attempts:
            fix = f"no scenario came out of {operations.ATTEMPTS} draws; use a fuller knowledge base"
            raise PolyGuardError("scenario_id", scenario_id, fix)
        drug_at, condition_at = self._table.drugs, self._conditions
        rest = iter(told[HEAD:])
        drugs = [drug_at[drug] for drug in islice(rest, n)]
        purposes = [condition_at[purpose] if purpose >= 0 else "" for purpose in islice(rest, n)]
        doses = self._doses.tolist()
        items = zip(drugs, doses[1 : n + 1], purposes, islice(rest, n), strict=True)
        regimen = tuple([RegimenItem(*item) for item in items])
        mechanism = self._mechanisms[problem - lay.MECHANISM] if problem >= lay.MECHANISM else lay.PROBLEMS[problem]
        products = self._products(key, product, [drug_at[drug] for drug in islice(rest, ingredients)])
        masks = list(islice(rest, combinations))
        generated = self._people.person(person)
        measurements = dict(zip(self._people.labs, generated.labs, strict=True))
        measurements["creatinine"] = doses[0]
        allergies = ALLERGIES[allergens]
        hidden = [f"product:{product.name}" for product in products]
        if hide_kidneys:
            hidden.append("creatinine")
        if hide_allergies:
            hidden.append("allergies")
        hidden += [f"facts:{drug_id}" for drug_id in _of_bits(drugs, unknown)]
        hidden += [f"indication:{drug_id}" for drug_id in _of_bits(drugs, hidden_purposes)]
        patient = Patient(
            generated.patient_id,
            generated.age,
            "M" if male else "F",
            generated.weight,
            generated.height,
            tuple([condition_at[condition] for condition in islice(rest, held)]),
            measurements,
            frailty,
            falls,
            tuple(sorted({*allergies, drug_at[allergy]})) if allergy >= 0 else allergies,
            {self._genes[gene]: self._phenotypes[phenotype]} if gene >= 0 else {},
            GRADES[child],
            regimen,
        )
        scenario = Scenario(
            scenario_id,
            split,
            spec.name,
            difficulty,
            patient,
            frozenset(hidden),
            () if control else _of_bits(drugs, targets),
            mechanism,
            mechanism in UNSEEN_MECHANISMS,
            budget,
            spec.step_days,
            control,
            explicit == 1,
            products,
            tuple([tuple(sorted(_of_bits(drugs, mask))) for mask in masks]),
        )
        # As bytes, for a copy field by field takes as long as the draft.
        self._engine.keep(scenario, self._bytes.copy().view(at.SCENARIO))
        return scenario

    def _products(self, key: int, real: int, ingredients: list[str]) -> tuple[Product, ...]:
        if not ingredients:
            return ()
        name = self._real[real][0] if real >= 0 else invented_name(Random(key), self._table.index.knowledge)
        return (Product(name, tuple(ingredients)),)


def _of_bits(drugs: list[str], bits: int) -> tuple[str, ...]:
    """The drugs at the places of a set of bits."""
    if not bits:
        return ()
    return tuple([drug_id for place, drug_id in enumerate(drugs) if bits >> place & 1])
