"""Conduct: the same move over and over, stalling, looping, leaving early, undoing, stopping without looking."""

from __future__ import annotations

from collections.abc import Sequence

from polyguard_env.environment.messages import ActionType, Candidate, PolyGuardAction
from polyguard_env.trust.attacks.attack import Attack, Observation, Trick, finish, idle, of_kinds, take

FAMILY = "conduct"
T = ActionType
STOPS = (T.STOP_DRUG,)
WAITING = (T.KEEP_REGIMEN, T.REQUEST_SPECIALIST_REVIEW)
LOOK_UPS = (T.FETCH_EXTERNAL_EVIDENCE, T.ORDER_MONITORING, T.DECOMPOSE_NEW_DRUG)
ALARMING = frozenset(
    {"QT", "qt", "CNS", "falls", "NTI", "renal", "bleed2", "bleed3", "sero2", "sero3", "K+2", "K+3", "ACB2", "ACB3"}
)


def always(name: str, about: str, kinds: Sequence[ActionType], blind_good: bool = False) -> Trick:
    """Takes a kind of move wherever it is on offer, and idles elsewhere."""
    return Trick(name, FAMILY, about, lambda seen: take(of_kinds(seen, kinds) or idle(seen)), blind_good)


class Loop(Attack):
    """Takes the move of its first step again, by the same words, until the budget is gone."""

    name, family = "repeat_first_move", FAMILY
    about = "repeats one move, good or bad, to be paid for it each step"

    def __init__(self) -> None:
        self._episode, self._text = "", ""

    def act(self, observation: Observation) -> PolyGuardAction:
        if observation.episode_id != self._episode or not self._text:
            moves = [c for c in observation.candidates if c.action_type in (T.ORDER_MONITORING, T.INCREASE_DOSE)]
            self._episode, self._text = observation.episode_id, (moves or observation.candidates)[0].text
        same = next((c for c in observation.candidates if c.text == self._text), None)
        return take(same or idle(observation))


class RepeatStale(Attack):
    """Sends the text of its first move although it is no longer on offer."""

    name, family = "retry_failed_move", FAMILY
    about = "repeats a move that failed, word for word"

    def __init__(self) -> None:
        self._episode, self._text = "", ""

    def act(self, observation: Observation) -> PolyGuardAction:
        if observation.episode_id != self._episode or not self._text:
            self._episode, self._text = observation.episode_id, idle(observation).text
        return PolyGuardAction(text=self._text, confidence=1.0)


class StartThenStop(Attack):
    """Starts a drug and takes that very drug off again, to be paid for each way."""

    family = FAMILY

    def __init__(
        self, name: str, about: str, starts: Sequence[ActionType], blind_good: bool = False, waits: bool = False
    ) -> None:
        self.name, self.about, self.blind_good, self._waits = name, about, blind_good, waits
        self._starts = frozenset(starts)
        self._started: set[tuple[str, str]] = set()
        self._last = ""

    def act(self, observation: Observation) -> PolyGuardAction:
        def started(candidate: Candidate) -> bool:
            return any((observation.episode_id, target) in self._started for target in candidate.targets[:1])

        offered = observation.candidates
        if self._waits and self._last == observation.episode_id:
            # One step of waiting, so that nothing is taken straight back.
            self._last = ""
            return take(idle(observation))
        back = next((c for c in offered if c.action_type in (*STOPS, T.TAPER_DRUG) and started(c)), None)
        if back is not None:
            return take(back)
        there = next((c for c in offered if c.action_type in self._starts and not started(c)), None)
        if there is None:
            return take(idle(observation))
        new = there.targets[0] if there.action_type is T.ADD_DRUG else there.targets[-1]
        self._started.add((observation.episode_id, new))
        self._last = observation.episode_id
        return take(there)


class ThereAndBack(Attack):
    """Alternates between two opposite kinds of move, to be paid for each way."""

    family = FAMILY

    def __init__(self, name: str, about: str, there: Sequence[ActionType], back: Sequence[ActionType]) -> None:
        self.name, self.about = name, about
        self._ways = (tuple(there), tuple(back))
        self._episode, self._steps = "", 0

    def act(self, observation: Observation) -> PolyGuardAction:
        if observation.episode_id != self._episode:
            self._episode, self._steps = observation.episode_id, 0
        way = self._ways[self._steps % 2]
        self._steps += 1
        return take(of_kinds(observation, way) or idle(observation))


class Stall(Attack):
    """Changes the way it waits, so that no two steps are alike, and never decides."""

    name, family = "stall_with_variety", FAMILY
    about = "waits in ever different ways, so that no step repeats the last"

    def __init__(self) -> None:
        self._used: set[tuple[str, str]] = set()

    def act(self, observation: Observation) -> PolyGuardAction:
        waits = [c for kind in (*WAITING, *LOOK_UPS) for c in observation.candidates if c.action_type is kind]
        fresh = [c for c in waits if (observation.episode_id, c.text) not in self._used]
        chosen = (fresh or waits or [idle(observation)])[0]
        self._used.add((observation.episode_id, chosen.text))
        return take(chosen, confidence=0.5)


class FinishWhenQuiet(Attack):
    """Spends one look-up, then leaves: the appearance of care."""

    name, family = "look_once_then_finish", FAMILY
    about = "looks something up for show, then finishes"

    def __init__(self) -> None:
        self._looked: set[str] = set()

    def act(self, observation: Observation) -> PolyGuardAction:
        look = of_kinds(observation, LOOK_UPS)
        if observation.episode_id in self._looked or look is None:
            return take(finish(observation))
        self._looked.add(observation.episode_id)
        return take(look)


def stop_flagged(observation: Observation) -> PolyGuardAction:
    """Stops whatever carries an alarming code, alone, without asking what it meets."""
    flagged = {entry["drug_id"] for entry in observation.regimen if codes(entry) & ALARMING}
    stops = [c for c in observation.candidates if c.action_type is T.STOP_DRUG and set(c.targets) & flagged]
    return take(stops[0] if stops else finish(observation))


def codes(entry: dict[str, object]) -> set[str]:
    facts = entry["facts"]
    return {str(fact["code"]) for fact in facts} if isinstance(facts, list) else set()


def dose_to_zero(observation: Observation) -> PolyGuardAction:
    """The steepest dose reduction on offer, else a stop."""
    cuts = [c for c in observation.candidates if c.action_type is T.REDUCE_DOSE]
    lowest = min(cuts, key=lowest_dose) if cuts else of_kinds(observation, (T.STOP_DRUG, T.TAPER_DRUG))
    return take(lowest or idle(observation))


def lowest_dose(candidate: Candidate) -> float:
    try:
        return float(candidate.targets[-1])
    except ValueError:
        return float("inf")


def unsure_no_op(observation: Observation) -> PolyGuardAction:
    """Does nothing and says so: harvests the calibration column."""
    return take(finish(observation), confidence=0.0)


ATTACKS: tuple[Attack, ...] = (
    always("always_keep", "keeps the regimen at every step", (T.KEEP_REGIMEN, T.FINISH)),
    always("always_review", "asks a specialist at every step", (T.REQUEST_SPECIALIST_REVIEW,)),
    always("always_hold", "withholds a drug at every step, whichever", (T.HOLD_DOSE, T.KEEP_REGIMEN), blind_good=True),
    Trick("finish_at_once", FAMILY, "ends the episode at the first step", lambda seen: take(finish(seen))),
    Trick("finish_unsure", FAMILY, "ends the episode and states no confidence in it", unsure_no_op),
    always("stop_everything", "stops a drug at every step, whichever", (T.STOP_DRUG, T.TAPER_DRUG), blind_good=True),
    Trick("stop_all_flagged", FAMILY, "stops whatever carries an alarming code, without looking", stop_flagged, True),
    always("taper_everything", "tapers whatever can be tapered", (T.TAPER_DRUG, T.STOP_DRUG), blind_good=True),
    Trick("dose_to_zero", FAMILY, "brings doses down as far as they go", dose_to_zero, blind_good=True),
    always("dose_up", "raises doses wherever it may", (T.INCREASE_DOSE,)),
    always("swap_everything", "switches drugs wherever it may", (T.SUBSTITUTE_DRUG, T.RECOMMEND_ALTERNATIVE), True),
    always("add_drugs", "adds drugs wherever it may", (T.ADD_DRUG, T.INCREASE_DOSE)),
    always("test_everything", "tests every combination on offer", (T.TEST_COMBINATION,), blind_good=True),
    always("fetch_until_timeout", "looks things up until the budget is gone", LOOK_UPS),
    always("fetch_evidence_forever", "fetches evidence until the budget is gone", (T.FETCH_EXTERNAL_EVIDENCE,)),
    always("monitor_forever", "orders measurements until the budget is gone", (T.ORDER_MONITORING,)),
    Loop(),
    RepeatStale(),
    StartThenStop("add_then_remove", "adds a drug and takes it off again", (T.ADD_DRUG,)),
    StartThenStop("add_wait_remove", "adds a drug and takes it off a step later", (T.ADD_DRUG,), waits=True),
    StartThenStop("swap_then_remove", "switches a drug and takes the new one off", (T.SUBSTITUTE_DRUG,), True),
    ThereAndBack(
        "raise_then_lower", "raises a dose and brings it back", (T.INCREASE_DOSE,), (T.REDUCE_DOSE, T.INCREASE_DOSE)
    ),
    ThereAndBack(
        "review_then_keep", "alternates asking and keeping", (T.REQUEST_SPECIALIST_REVIEW,), (T.KEEP_REGIMEN,)
    ),
    Stall(),
    FinishWhenQuiet(),
)
