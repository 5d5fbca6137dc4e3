"""One episode over the compiled rules, and what of it those around it read."""

from __future__ import annotations

from typing import Any

import numpy as np

from polyguard_env.engine import layout as at
from polyguard_env.engine import operations
from polyguard_env.engine.call import OneCall
from polyguard_env.engine.engine import Engine
from polyguard_env.engine.naming import Named, Naming, Words
from polyguard_env.environment.episode import Scenario, Taken
from polyguard_env.environment.observed import CHART, Shown

COMBINATION = 1_000_000
NAN = float("nan")
# Single fields of a state that are read at every step.
NOW = ("finished", "step", "n", "candidates", "day", "known", "chart_known", "tested", "withdrawals", "course")
OF_WHOLE = {operations.OF_LOAD: ("load:regimen", "burden"), operations.OF_UNKNOWN: ("unknown:record", "unknown")}

# What of a state an agent may be shown lies between these fields; the days a drug was taken lie between the spans.
STANDING = (slice(at.byte_of("n"), at.byte_of("days")), slice(at.byte_of("tapering"), at.byte_of("w_severity")))

# A harm event before it is put in words: day, what it is about, whether it is severe, its finding, drugs of the slots.
Happened = tuple[int, int, int, bytes, list[int]]
# Of a candidate: its kind, what it is about, and a dose.
Row = tuple[int, int, int, float]


class Offers:
    """The candidates of a step, put in words when they are first asked for, whatever the episode has done since.

    Attributes:
        numbers: of each candidate's id.

    Args:
        rows: kind, a, b and value of each.
        group: number of the product that a drug still belongs to, for scenarios with products.
        known: words of this scenario's candidates without products, added to.
    """

    __slots__ = ("_group", "_known", "_naming", "_rows", "_scenario", "_words", "numbers")

    def __init__(
        self, numbers: list[int], rows: list[Row], group: dict[int, int], scenario: Scenario, naming: Naming,
        known: dict[Row, Words],
    ) -> None:  # fmt: skip
        self.numbers, self._rows, self._group = numbers, rows, group
        self._scenario, self._naming, self._known = scenario, naming, known
        self._words: list[Words] | None = None

    @property
    def ids(self) -> list[str]:
        """The candidates' ids."""
        return [f"c{number}" for number in self.numbers]

    @property
    def words(self) -> list[Words]:
        """Each candidate in words."""
        if self._words is None:
            scenario, naming, known = self._scenario, self._naming, self._known
            if scenario.products:
                group = self._group
                words = [naming.candidate(scenario, *row, group.get(row[1], 0)) for row in self._rows]
            else:
                words = []
                for row in self._rows:
                    found = known.get(row)
                    if found is None:
                        found = known[row] = naming.candidate(scenario, *row, 0)
                    words.append(found)
            self._words = words
        return self._words


class Episode:
    """One episode: a state of the engine and its scenario.

    Args:
        engine: the compiled rules; its workspace is shared by all episodes of a thread.

    Attributes:
        state: the record, dtype STATE.
        scenario: what is played.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._call = OneCall(engine.table)
        room, states = self._call.memory, self._call.memory["states"]
        state = self.state = states[0]
        self._memory = view(states.view(np.uint8))
        # Reading through a memoryview takes a quarter of the time that numpy's own way takes.
        self._choice, self._noted, self._stated, self._cited, self._hits, self._seed, self._reward = (
            view(room[name][0]) for name in ("choices", "reasons", "confidence", "cited", "hits", "seeds", "rewards")
        )
        self._counts, self._columns = view(room["counts"][0]), room["columns"][0, 0]
        self._now = {name: view(states[name]) for name in NOW}
        self._finished, self._step, self._n, self._offered = (
            self._now[name] for name in ("finished", "step", "n", "candidates")
        )
        rows = state["candidate"]
        self._kind, self._a, self._b, self._value, self._reason, self._number = (
            view(rows[name]) for name in ("kind", "a", "b", "value", "reason", "number")
        )
        self._drug, self._dose, self._initial, self._indication, self._days, self._tapering, self._alive = (
            view(state[name]) for name in ("drug", "dose", "initial", "indication", "days", "tapering", "alive")
        )
        self._held = view(state["held"])
        self._group, self._facts_known, self._product_known, self._gone = (
            view(state[name]) for name in ("group", "facts_known", "product_known", "w_drug")
        )
        self.scenario: Scenario
        self._record: np.ndarray
        self._budget = 0
        # Words of this scenario's candidates.
        self._named: Scenario | None = None
        self._words: dict[Row, Words] = {}

    def begin(self, scenario: Scenario, seed: int) -> None:
        """Put the episode at the start of a scenario."""
        self._record = self.engine.pack(scenario)
        self.scenario, self._budget = scenario, scenario.budget
        if scenario is not self._named:
            self._named, self._words = scenario, {}
        self._call.put("scenarios", self._record)
        self._seed[0] = seed
        self._call.run(operations.BEGIN)

    def restore(self) -> None:
        """Fill what follows from a state whose plain fields were just written."""
        self._call.run(operations.RESTORE)

    def take(
        self, choice: int, reasons: int, confidence: float | None, cited: int, hits: int
    ) -> tuple[float, tuple[str, ...], bool, list[Happened]]:
        """Take one action.

        Args:
            choice: place of the candidate named, -1 for none.
            reasons: bits of the reasons found while reading the answer.
            cited, hits: facts cited, and how many of them support the action.

        Returns:
            Reward, named reasons, whether the action was legal, and the harm events of its days, for `told` to name.
        """
        self._choice[0], self._noted[0], self._cited[0], self._hits[0] = choice, reasons, cited, hits
        self._stated[0] = NAN if confidence is None else confidence
        space = self._call.run(operations.ADVANCE)
        bits, legal, happened = self._counts
        events = self._happened(space.work[0], happened) if happened else []
        return self._reward[0], named_reasons(bits), legal == 1, events

    @property
    def columns(self) -> list[float]:
        """The thirteen columns of the last step."""
        found: list[float] = self._columns.tolist()
        return found

    @property
    def raw_columns(self) -> bytes:
        """The same as the engine holds them, 64 bits each."""
        return self._columns.tobytes()

    @property
    def day(self) -> int:
        """Days since the start."""
        return int(self._now["day"][0])

    @property
    def steps(self) -> int:
        """Steps taken."""
        return int(self._step[0])

    @property
    def ended(self) -> bool:
        """True once the agent finished or the budget is spent."""
        return self._finished[0] != 0 or self._step[0] >= self._budget

    @property
    def offered(self) -> int:
        """Number of candidates of this step; 0 once the episode has ended."""
        return int(self._offered[0])

    def legal(self, choice: int) -> bool:
        """True when a candidate of this step is legal."""
        return self._reason[choice] == 0

    def on_offer(self) -> Offers:
        """The candidates of this step; none once the episode has ended."""
        n = 0 if self.ended else self._offered[0]
        rows = list(zip(
            self._kind[:n].tolist(), self._a[:n].tolist(), self._b[:n].tolist(), self._value[:n].tolist(), strict=True
        ))  # fmt: skip
        group: dict[int, int] = {}
        if self.scenario.products:
            # What a drug is called depends on whether it is still part of a product.
            group = {d: g for d, g, alive in zip(self._drug, self._group, self._alive, strict=True) if alive}
        return Offers(self._number[:n].tolist(), rows, group, self.scenario, self.engine.naming, self._words)

    def reasons(self) -> list[str]:
        """The reason against each candidate, "" for a legal one."""
        return [at.REASONS[reason] for reason in self._reason[: self._offered[0]]]

    def prices(self) -> list[float]:
        """The reward of each candidate, stated with certainty and citing nothing."""
        space = self._call.run(operations.PRICES)
        found: list[float] = space.work["prices"][0, : int(self._counts[0])].tolist()
        return found

    def price_unreadable(self) -> float:
        """The reward of an answer that names no candidate."""
        columns, reward = self._columns.copy(), self._reward[0]
        self._call.run(operations.UNREADABLE)
        price: float = self._reward[0]
        self._columns[:], self._reward[0] = columns, reward
        return price

    def taken(self) -> dict[str, Taken]:
        """The regimen: each drug as it stands, in the order it came."""
        n = self._n[0]
        drugs, conditions = self.engine.table.drugs, self.engine.table.conditions
        courses = self._now["course"][0]
        return {
            drugs[drug]: Taken(
                dose, initial, conditions[code] if code >= 0 else "", days, tapering == 1, held > 0,
                courses >> place & 1 == 1,
            )
            for place, (drug, dose, initial, code, days, tapering, held, alive) in enumerate(zip(
                self._drug[:n].tolist(), self._dose[:n].tolist(), self._initial[:n].tolist(),
                self._indication[:n].tolist(), self._days[:n].tolist(), self._tapering[:n].tolist(),
                self._held[:n].tolist(), self._alive[:n].tolist(), strict=True,
            ))
            if alive
        }  # fmt: skip

    def doses(self) -> dict[str, float]:
        """Daily dose of each drug taken."""
        n = self._n[0]
        drugs = self.engine.table.drugs
        rows = zip(self._drug[:n].tolist(), self._dose[:n].tolist(), self._alive[:n].tolist(), strict=True)
        return {drugs[drug]: dose for drug, dose, alive in rows if alive}

    def standing(self) -> tuple[bytes, ...]:
        """What `shown` follows from, as bytes; a little more is in it."""
        memory = self._memory
        return tuple([memory[span].tobytes() for span in STANDING])

    def shown(self) -> Shown:
        """What of the state the agent may see."""
        withdrawals = self._now["withdrawals"][0]
        drugs = self.engine.table.drugs
        gone = tuple(drugs[place] for place in self._gone[:withdrawals]) if withdrawals else ()
        return Shown(self.taken(), gone, self.hidden() if self.scenario.hidden else ())

    def hidden(self) -> tuple[str, ...]:
        """What of the scenario the agent has not been shown yet, sorted."""
        scenario, table = self.scenario, self.engine.table
        known, chart = self._now["known"][0], self._now["chart_known"][0] != 0
        n = self._n[0]
        facts = dict(zip(self._drug[:n].tolist(), self._facts_known[:n].tolist(), strict=True))
        products = dict(zip(self._group[:n].tolist(), self._product_known[:n].tolist(), strict=True))
        found = []
        for name in sorted(scenario.hidden):
            kind, _, rest = name.partition(":")
            if kind == "facts":
                shown = bool(facts.get(table.drug_at[rest], 1))
            elif kind == "product":
                number = next(place for place, product in enumerate(scenario.products, 1) if product.name == rest)
                shown = bool(products.get(number, 1))
            elif kind in ("indication", "allergies"):
                shown = chart
            else:
                shown = bool(known >> table.measurement_at[name] & 1)
            if not shown:
                found.append(name)
        return tuple(found)

    def tested(self) -> list[tuple[str, bool]]:
        """Combinations tested, by name, and whether each is dangerous."""
        bits = self._now["tested"][0]
        if not bits:
            return []
        danger = self._record["danger"][0]
        return [
            ("+".join(drugs), bool(danger[place] > 0))
            for place, drugs in enumerate(self.scenario.combinations)
            if bits >> place & 1
        ]

    def fetched(self, choice: int) -> str:
        """What a candidate looks up or takes apart; empty for other kinds."""
        kind, a = self._kind[choice], self._a[choice]
        if kind == at.FETCH:
            return CHART if a == at.CHART else self.engine.table.drugs[a]
        return self.scenario.products[a - 1].name if kind == at.DECOMPOSE else ""

    def compared(self, choice: int) -> tuple[list[Named], dict[str, float]]:
        """Findings of the state, and the weight of each finding after a legal candidate."""
        slots = [self.engine.table.drugs[place] for place in self._drug.tolist()]
        self._choice[0] = choice
        space = self._call.run(operations.LESSENED)
        m, n, _ = self._counts
        work, naming = space.work[0], self.engine.naming
        before = naming.findings(work["before"][:m].copy(), slots)
        later = [self.engine.table.drugs[place] for place in space.scratch["drug"][0].tolist()]
        after = {finding.finding_id: finding.weight for finding in naming.findings(work["after"][:n].copy(), later)}
        return before, after

    def _happened(self, work: np.void, count: int) -> list[Happened]:
        after, slots = work["after"], self._drug.tolist()
        return [
            (day, what, severe, b"" if what < 0 or what >= COMBINATION else after[what : what + 1].tobytes(), slots)
            for day, what, severe in work["events"][:count].tolist()
        ]

    def told(self, happened: Happened) -> dict[str, Any]:
        """A harm event of this scenario in words."""
        table = self.engine.table
        day, what, severe, row, slots = happened
        if what >= COMBINATION:
            drugs = self.scenario.combinations[what - COMBINATION]
            name, category = f"interaction:{'+'.join(drugs)}", "interaction"
        elif what in OF_WHOLE:
            name, category = OF_WHOLE[what]
        elif what < 0:
            condition = table.conditions[self._record["treated_condition"][0][-1 - what]]
            name, category = f"untreated:{condition}", "untreated"
        else:
            taken = [table.drugs[place] for place in slots]
            finding = self.engine.naming.findings(np.frombuffer(row, dtype=at.FINDING), taken)[0]
            name, category = finding.finding_id, finding.category
        return {"day": day, "finding_id": name, "category": category, "severe": bool(severe)}


def view(array: np.ndarray) -> Any:
    """An array as a memoryview of plain numbers."""
    return memoryview(array)  # type: ignore[arg-type]


def named_reasons(bits: int) -> tuple[str, ...]:
    """The reasons of a set of bits, by name."""
    return tuple(name for place, name in enumerate(at.REASONS) if place and bits >> place & 1) if bits else ()
