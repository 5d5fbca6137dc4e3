"""Episode states as JSON and back, and the step a malformed answer wastes."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from polyguard_env.environment.episode import EpisodeState, Scenario, Taken, Withdrawal
from polyguard_env.errors import PolyGuardError

FIELDS = ("scenario_id", "seed", "episode_id", "events", "rewards", "episode", "knowledge_fingerprint")


def idle(state: EpisodeState, scenario: Scenario) -> EpisodeState:
    """The state after an answer that changed nothing: the step and its days are gone."""
    withdrawals = {
        drug_id: replace(entry, days_left=entry.days_left - scenario.step_days)
        for drug_id, entry in state.withdrawals.items()
        if entry.days_left > scenario.step_days
    }
    return replace(
        state, step=state.step + 1, day=state.day + scenario.step_days, withdrawals=withdrawals, last_action="idle"
    )


def dump(state: EpisodeState) -> dict[str, Any]:
    """A state as JSON-able data; drug order is kept."""
    data = {
        name: sorted(value) if isinstance(value, frozenset) else value
        for name, value in ((name, getattr(state, name)) for name in EpisodeState.__slots__)
    }
    data["regimen"] = [[drug_id, asdict(taken)] for drug_id, taken in state.regimen.items()]
    data["withdrawals"] = [[drug_id, asdict(entry)] for drug_id, entry in state.withdrawals.items()]
    data["evidence"] = list(state.evidence)
    return data


def load(data: dict[str, Any]) -> EpisodeState:
    """A state from `dump`'s output."""
    try:
        values = dict(data)
        values["regimen"] = {drug_id: Taken(**taken) for drug_id, taken in data["regimen"]}
        values["withdrawals"] = {drug_id: Withdrawal(**entry) for drug_id, entry in data["withdrawals"]}
        values["evidence"] = tuple(data["evidence"])
        for name in ("known", "monitored", "reduced", "tested"):
            values[name] = frozenset(data[name])
        return EpisodeState(**values)
    except (KeyError, TypeError, ValueError) as error:
        raise PolyGuardError("episode", str(error), "pass the unchanged result of get_state()") from error


def checked(saved: dict[str, Any], fingerprint: str) -> dict[str, Any]:
    """A checkpoint's fields, complete and from the same knowledge."""
    missing = [name for name in FIELDS if name not in saved]
    if missing:
        raise PolyGuardError("checkpoint", missing, "pass the unchanged result of get_state()")
    if saved["knowledge_fingerprint"] != fingerprint:
        raise PolyGuardError(
            "knowledge_fingerprint",
            saved["knowledge_fingerprint"],
            f"load the knowledge the checkpoint was made with (here it is {fingerprint})",
        )
    return saved
