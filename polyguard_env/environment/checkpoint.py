"""Checkpoints: an episode's state as JSON by name, and back, every field held against what the engine can take."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from polyguard_env.engine import layout as at
from polyguard_env.engine.episode import Episode
from polyguard_env.errors import PolyGuardError

FIX = "pass the unchanged result of get_state()"
COUNT = Field(ge=0, le=1_000_000, strict=True)
# A flag is true or false and a number a number: JSON tells them apart, and so does whoever reads it.
Flag = Annotated[bool, Field(strict=True)]
Whole = Annotated[int, Field(strict=True)]
Number = Annotated[float, Field(strict=True)]
LAST = Annotated[int, Field(ge=-2, le=1_000_000, strict=True)]
DOSE = Annotated[float, Field(ge=0.0, le=1e9, allow_inf_nan=False, strict=True)]
AMOUNT = Field(ge=0.0, le=1e9, allow_inf_nan=False, strict=True)


class Saved(BaseModel):
    """Base of what is saved: no field too many, none missing."""

    model_config = ConfigDict(extra="forbid")


class SavedDrug(Saved):
    """One slot of the regimen; `taken` is False once the drug has been ended, `held_days` are 0 unless it is held."""

    drug_id: str
    taken: Flag
    dose: float = AMOUNT
    initial_dose: float = AMOUNT
    indication: str
    days: int = COUNT
    tapering: Flag
    reduced: Flag
    held_days: int = Field(ge=0, le=127, strict=True)
    course: Flag
    product: int = Field(ge=0, le=at.SLOTS, strict=True)
    facts_known: Flag
    product_known: Flag


class SavedWithdrawal(Saved):
    """A withdrawal under way."""

    drug_id: str
    severity: int = Field(ge=at.MINOR, le=at.CONTRAINDICATED, strict=True)
    days_left: int = Field(ge=1, le=1000, strict=True)


class SavedState(Saved):
    """A state. The last action is (kind, targets) by place, -1 for none; its dose change (from, to) in daily doses.

    `debt` is the risk that the agent has added and that has not gone again, `harmed` the drugs it did so with.
    """

    seed: int = Field(ge=0, lt=2**63, strict=True)
    step: int = COUNT
    day: int = COUNT
    finished: Flag
    regimen: list[SavedDrug] = Field(max_length=at.SLOTS)
    known: list[str] = Field(max_length=64)
    monitored: list[str] = Field(max_length=64)
    chart_known: Flag
    tested: int = Field(ge=0, lt=1 << at.COMBINATIONS, strict=True)
    withdrawals: list[SavedWithdrawal] = Field(max_length=at.WITHDRAWALS)
    reviews: int = COUNT
    keeps: int = COUNT
    last_action: tuple[LAST, LAST, LAST]
    last_dose: tuple[DOSE, DOSE]
    debt: float = AMOUNT
    harmed: list[str] = Field(max_length=at.HARMED)
    harm: tuple[Whole, Whole]
    hazard: tuple[Number, Number]
    total: float = AMOUNT
    last_reward: float = AMOUNT


class SavedEvent(Saved):
    """A harm event that has happened."""

    day: int = COUNT
    finding_id: str = Field(max_length=400)
    category: str = Field(max_length=40)
    severe: Flag


class SavedEpisode(Saved):
    """A checkpoint: scenario, seed, state and what the episode has brought so far."""

    scenario_id: str
    seed: int = Field(ge=0, lt=2**63, strict=True)
    episode_id: str = Field(max_length=400)
    events: list[SavedEvent] = Field(max_length=10_000)
    rewards: list[Number] = Field(max_length=10_000)
    fetched: list[str] = Field(max_length=1000)
    state: SavedState
    knowledge_fingerprint: str


def dump(episode: Episode) -> dict[str, Any]:
    """The state of an episode as JSON-able data."""
    state, table = episode.state, episode.engine.table
    n, withdrawals = int(state["n"]), int(state["withdrawals"])
    return {
        "seed": int(state["seed"]),
        "step": int(state["step"]),
        "day": int(state["day"]),
        "finished": bool(state["finished"]),
        "regimen": [
            {
                "drug_id": table.drugs[state["drug"][k]],
                "taken": bool(state["alive"][k]),
                "dose": float(state["dose"][k]),
                "initial_dose": float(state["initial"][k]),
                "indication": table.conditions[state["indication"][k]] if state["indication"][k] >= 0 else "",
                "days": int(state["days"][k]),
                "tapering": bool(state["tapering"][k]),
                "reduced": bool(state["reduced"][k]),
                "held_days": int(state["held"][k]),
                "course": bool(int(state["course"]) >> k & 1),
                "product": int(state["group"][k]),
                "facts_known": bool(state["facts_known"][k]),
                "product_known": bool(state["product_known"][k]),
            }
            for k in range(n)
        ],
        "known": _names(int(state["known"]), table.measurements),
        "monitored": _names(int(state["monitored"]), table.measurements),
        "chart_known": bool(state["chart_known"]),
        "tested": int(state["tested"]),
        "withdrawals": [
            {
                "drug_id": table.drugs[state["w_drug"][k]],
                "severity": int(state["w_severity"][k]),
                "days_left": int(state["w_days"][k]),
            }
            for k in range(withdrawals)
        ],
        "reviews": int(state["reviews"]),
        "keeps": int(state["keeps"]),
        "last_action": [int(state[name]) for name in ("last_kind", "last_a", "last_b")],
        "last_dose": [float(state[name]) for name in ("last_from", "last_dose")],
        "debt": float(state["debt"]),
        "harmed": [table.drugs[place] for place in state["harmed"][: int(state["harms"])]],
        "harm": [int(state["harm"]), int(state["severe_harm"])],
        "hazard": [float(state["hazard"]), float(state["severe_hazard"])],
        "total": float(state["total"]),
        "last_reward": float(state["last_reward"]),
    }


def load(episode: Episode, saved: SavedState) -> None:
    """Write a state into an episode that stands at the start of its scenario, and fill what follows from it."""
    state, table, scenario = episode.state, episode.engine.table, episode.scenario
    products = len(scenario.products)
    for name in ("seed", "step", "day", "finished", "chart_known", "reviews", "keeps", "debt", "total", "last_reward"):
        state[name] = getattr(saved, name)
    state["n"] = len(saved.regimen)
    for k, drug in enumerate(saved.regimen):
        if drug.product > products:
            raise PolyGuardError("state.regimen.product", drug.product, FIX)
        if drug.held_days and (drug.tapering or not drug.taken):
            raise PolyGuardError("state.regimen.held_days", drug.held_days, f"{drug.drug_id} cannot be held; {FIX}")
        state["drug"][k] = _place(table.drug_at, drug.drug_id, "state.regimen.drug_id")
        state["indication"][k] = (
            _place(table.condition_at, drug.indication, "state.regimen.indication") if drug.indication else -1
        )
        for field, name in (
            ("alive", "taken"), ("dose", "dose"), ("initial", "initial_dose"), ("days", "days"),
            ("tapering", "tapering"), ("reduced", "reduced"), ("held", "held_days"),
            ("group", "product"), ("facts_known", "facts_known"), ("product_known", "product_known"),
        ):  # fmt: skip
            state[field][k] = getattr(drug, name)
    state["alive"][len(saved.regimen) :] = 0
    courses = sum(1 << k for k, drug in enumerate(saved.regimen) if drug.course)
    state["course"] = courses
    state["known"] = _bits(saved.known, table.measurement_at, "state.known")
    state["monitored"] = _bits(saved.monitored, table.measurement_at, "state.monitored")
    if saved.tested >> len(scenario.combinations):
        raise PolyGuardError("state.tested", saved.tested, FIX)
    state["tested"] = saved.tested
    state["withdrawals"] = len(saved.withdrawals)
    for k, entry in enumerate(saved.withdrawals):
        state["w_drug"][k] = _place(table.drug_at, entry.drug_id, "state.withdrawals.drug_id")
        state["w_severity"][k], state["w_days"][k] = entry.severity, entry.days_left
    for name, number in zip(("last_kind", "last_a", "last_b"), saved.last_action, strict=True):
        state[name] = number
    state["last_from"], state["last_dose"] = saved.last_dose
    if bool(saved.harmed) is not (saved.debt > 0.0):
        raise PolyGuardError(
            "state.harmed", saved.harmed, f"a debt is owed by changes of drugs, none is by none; {FIX}"
        )
    state["harms"] = len(saved.harmed)
    for k, drug_id in enumerate(saved.harmed):
        state["harmed"][k] = _place(table.drug_at, drug_id, "state.harmed")
    state["harm"], state["severe_harm"] = saved.harm
    state["hazard"], state["severe_hazard"] = saved.hazard
    episode.restore()
    for k, drug in enumerate(saved.regimen):
        if (int(state["course"]) ^ courses) >> k & 1:
            raise PolyGuardError("state.regimen.course", drug.course, f"{drug.drug_id} is none; {FIX}")


def checked(saved: object, fingerprint: str) -> SavedEpisode:
    """A checkpoint, complete and from the same knowledge.

    Raises:
        PolyGuardError: a field is missing, unknown or out of range, or the knowledge differs.
    """
    try:
        fields = SavedEpisode.model_validate(saved)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "checkpoint"
        raise PolyGuardError(where, first["msg"], FIX) from error
    if fields.knowledge_fingerprint != fingerprint:
        raise PolyGuardError(
            "knowledge_fingerprint",
            fields.knowledge_fingerprint,
            f"load the knowledge the checkpoint was made with (here it is {fingerprint})",
        )
    return fields


def _names(bits: int, names: list[str]) -> list[str]:
    return [name for place, name in enumerate(names) if bits >> place & 1]


def _bits(names: list[str], places: dict[str, int], field: str) -> np.int64:
    bits = np.int64(0)
    for name in names:
        bits |= np.int64(1 << _place(places, name, field))
    return bits


def _place(places: dict[str, int], name: str, field: str) -> int:
    if name not in places:
        raise PolyGuardError(field, name, FIX)
    return places[name]
