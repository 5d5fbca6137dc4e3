"""Withholding a drug for a time: right where the reason passes, wrong where it lasts, and never without a price."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from polyguard_env.agents.choosers import PolicyChooser
from polyguard_env.agents.modes import MODES, decide
from polyguard_env.engine.parameters import DEFAULTS
from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.environment.episode import Scenario
from polyguard_env.environment.messages import ActionType, Candidate, PolyGuardAction, PolyGuardObservation
from polyguard_env.environment.observed import facts_of
from polyguard_env.environment.scenarios import make_id
from polyguard_env.errors import PolyGuardError
from polyguard_env.patients.model import Patient, RegimenItem
from polyguard_env.policies.rule_based import RuleBased
from polyguard_env.trust.second.agreement import packaged_facts
from polyguard_env.trust.second.episodes import Walked, walk
from polyguard_env.trust.second.holds import rule_of
from tests.trust.posed import Posed

T = ActionType
LABS = {"creatinine": 0.9, "potassium": 4.2, "sodium": 139.0, "alt": 22.0, "ck": 90.0, "qtc": 410.0}
LASTING = ("stop simvastatin", "switch simvastatin")
STATIN = RegimenItem("simvastatin", 20.0, "dyslipidaemia", 900)


def posed(
    env: PolyGuardEnv, *regimen: RegimenItem, sub: str = "DDI", conditions: tuple[str, ...] = (), number: int = 1
) -> tuple[PolyGuardEnv, PolyGuardObservation]:
    """An environment at the start of an episode with this regimen."""
    held = tuple(dict.fromkeys([*conditions, *(item.indication for item in regimen if item.indication)]))
    patient = Patient("p1", 78, "M", 80.0, 175.0, held, LABS, 3, 0, (), {}, "", regimen)
    days = 14 if sub != "PRECISION_DOSING" else 7
    scenario = Scenario(
        f"train-{sub}-medium-{900_000 + number}",
        "train",
        sub,
        "medium",
        patient,
        frozenset(),
        (),
        "own",
        False,
        6,
        days,
    )
    own = PolyGuardEnv(env.knowledge)
    own.factory = Posed(scenario)  # type: ignore[assignment]
    return own, own.reset(seed=number, scenario_id=scenario.scenario_id)


def offering(env: PolyGuardEnv, drug_id: str, *regimen: RegimenItem, **how: object) -> tuple[PolyGuardEnv, Candidate]:
    """The first of many draws of the candidates that offers to hold a drug."""
    for number in range(200):
        own, observation = posed(env, *regimen, number=number, **how)  # type: ignore[arg-type]
        found = hold_of(observation, drug_id)
        if found is not None:
            return own, found
    raise AssertionError(f"no draw offers to hold {drug_id}")


def hold_of(observation: PolyGuardObservation, drug_id: str) -> Candidate | None:
    return next((c for c in observation.candidates if c.action_type is T.HOLD_DOSE and c.targets == [drug_id]), None)


def row_of(env: PolyGuardEnv, candidate: Candidate) -> np.void:
    """The candidate as the engine holds it."""
    place = next(at for at, told in enumerate(env._offered()[1]) if told.text == candidate.text)
    row: np.void = env._episode.state["candidate"][place]
    return row


def take(env: PolyGuardEnv, candidate: Candidate) -> PolyGuardObservation:
    return env.step(PolyGuardAction(candidate_id=candidate.candidate_id))


def risk(env: PolyGuardEnv) -> dict[str, float]:
    state = env._episode.state
    return {name: float(state[name]) for name in ("safety", "dosing", "burden", "disease")}


def macrolide(days: int) -> RegimenItem:
    return RegimenItem("clarithromycin", 1000.0, "infection_bacterial", days)


def entry_of(observation: PolyGuardObservation, drug_id: str) -> dict[str, object]:
    return next(entry for entry in observation.regimen if entry["drug_id"] == drug_id)


def test_a_statin_is_held_during_a_course(env: PolyGuardEnv) -> None:
    """The pair's risk passes with the course; a tenth of the statin's treatment is lost; nothing is lasting."""
    own, hold = offering(env, "simvastatin", STATIN, macrolide(3))
    before, prices = risk(own), own.price()
    assert prices[hold.candidate_id] == max(prices.values())
    after = take(own, hold)
    assert before["safety"] - risk(own)["safety"] == pytest.approx(6.0)
    assert risk(own)["disease"] - before["disease"] == pytest.approx(0.1 * env.index.priority("dyslipidaemia"))
    assert after.info["reasons"] == []
    assert entry_of(after, "simvastatin")["held"] and entry_of(after, "clarithromycin")["course"]
    assert "simvastatin 20mg (lipids) held" in after.text and "(infection) course" in after.text


def test_a_hidden_purpose_hides_that_a_drug_is_a_course(env: PolyGuardEnv) -> None:
    own, _ = posed(env, STATIN, macrolide(3))
    hidden = replace(own.scenario, hidden=frozenset({"indication:clarithromycin"}))
    own.factory = Posed(hidden)  # type: ignore[assignment]
    observation = own.reset(seed=1, scenario_id=hidden.scenario_id)
    entry = entry_of(observation, "clarithromycin")
    assert entry["indication"] is None and not entry["course"] and "course" not in observation.text
    opened = next(c for c in observation.candidates if c.action_type is T.FETCH_EXTERNAL_EVIDENCE)
    assert entry_of(take(own, opened), "clarithromycin")["course"]


@pytest.mark.parametrize(
    ("drug_id", "fact", "words"),
    [
        ("colchicine", "pausable", "while a short course of another drug lasts where it is taken for gout"),
        ("simvastatin", "pausable", "may be withheld for days while a short course of another drug lasts"),
        ("lamotrigine", "harmful", "a pause of days harms where it is taken for epilepsy"),
        ("apixaban", "harmful", "a pause of days harms"),
        ("metformin", "sick_day", "withheld in acute illness with dehydration or kidney injury"),
    ],
)
def test_facts_tell_for_which_purpose_a_pause_helps_or_harms(
    env: PolyGuardEnv, drug_id: str, fact: str, words: str
) -> None:
    told = {one["fact_id"]: one["text"] for one in facts_of(drug_id, env.index)[1]}
    assert told[f"{drug_id}#{fact}"].endswith(words)


def test_a_hold_is_no_answer_to_what_lasts(env: PolyGuardEnv) -> None:
    """The same two drugs, the macrolide taken for months: nine tenths of the pair's risk stay."""
    own, hold = offering(env, "simvastatin", STATIN, macrolide(400))
    before, prices = risk(own), own.price()
    assert prices[hold.candidate_id] < 0.6 * max(prices.values())
    after = take(own, hold)
    assert before["safety"] - risk(own)["safety"] == pytest.approx(0.6)
    assert not entry_of(after, "clarithromycin")["course"]


def test_a_lasting_change_costs_where_a_pause_would_do(env: PolyGuardEnv) -> None:
    worths = []
    for days in (3, 400):
        own, _ = offering(env, "simvastatin", STATIN, macrolide(days))
        rows = own._episode.state["candidate"][: own._episode.offered]
        offers, values = own._offered()[1], rows["worth"].tolist()
        worths.append({o.text: value for o, value in zip(offers, values, strict=True)})
    shared = [text for text in worths[0].keys() & worths[1].keys() if text.startswith(LASTING)]
    assert shared
    for text in shared:
        assert worths[1][text] - worths[0][text] == pytest.approx(0.5), text


def test_a_drug_that_may_not_be_paused_is_harmed_by_it(env: PolyGuardEnv) -> None:
    """An anticoagulant: the pause brings harm of its own, and answers nothing of the interaction but for its time."""
    warfarin = RegimenItem("warfarin", 4.0, "atrial_fibrillation", 900)
    own, hold = offering(env, "warfarin", warfarin, RegimenItem("metronidazole", 1500.0, "infection_bacterial", 3))
    before = risk(own)
    after = take(own, hold)
    assert "needless_change" in after.info["reasons"]
    assert risk(own)["safety"] > before["safety"] + 4.0
    assert entry_of(after, "warfarin")["withdrawal"]


@pytest.mark.parametrize(
    ("drug_id", "role", "about", "is_so"),
    [
        ("insulin_glargine", "harmful", "diabetes", True),
        ("sirolimus", "harmful", "kidney_transplant", True),
        ("azathioprine", "harmful", "rheumatoid_arthritis", False),
        ("entecavir", "harmful", "hepatitis_b", True),
        ("lamivudine", "harmful", "hiv", True),
        ("treprostinil", "harmful", "pulmonary_hypertension", True),
        ("hydrocortisone", "harmful", "adrenal_insufficiency", True),
        ("ruxolitinib", "pausable", "myelofibrosis", False),
        ("ruxolitinib", "harmful", "myelofibrosis", True),
        ("tofacitinib", "pausable", "rheumatoid_arthritis", True),
        ("ranolazine", "pausable", "angina", False),
        ("colchicine", "course", "gout", False),
        ("amiloride", "sick_day", "acute_kidney_injury", True),
        ("aliskiren", "sick_day", "acute_dehydration", True),
        ("glipizide", "sick_day", "acute_kidney_injury", True),
    ],
)
def test_what_may_be_paused(drug_id: str, role: str, about: str, is_so: bool) -> None:
    assert (rule_of(drug_id, role, about, packaged_facts()) is not None) is is_so


def test_a_hold_of_what_needs_a_taper_is_an_abrupt_stop(env: PolyGuardEnv) -> None:
    drug = RegimenItem("alprazolam", 0.75, "anxiety", 900)
    own, hold = offering(env, "alprazolam", drug, macrolide(3))
    after = take(own, hold)
    assert entry_of(after, "alprazolam")["withdrawal"]
    assert after.columns["process_fidelity_score"] < 0.5
    own, hold = offering(env, "alprazolam", RegimenItem("alprazolam", 0.75, "anxiety", 5), macrolide(3))
    assert not entry_of(take(own, hold), "alprazolam")["withdrawal"]


def test_a_course_that_is_held_is_as_good_as_stopped(env: PolyGuardEnv) -> None:
    """It treats nothing meanwhile, and costs what any lasting change costs where a pause of the other drug would do."""
    for days, lasting in ((3, 0.5), (400, 0.0)):
        own, hold = offering(env, "clarithromycin", STATIN, macrolide(days))
        before, row = risk(own), row_of(own, hold)
        relief = sum(float(row[name]) for name in before)
        assert relief - float(row["worth"]) == pytest.approx(DEFAULTS["cost_hold"] + lasting)
        take(own, hold)
        if lasting:
            assert risk(own)["disease"] - before["disease"] == pytest.approx(env.index.priority("infection_bacterial"))
            assert before["safety"] - risk(own)["safety"] == pytest.approx(6.0)


def test_after_a_right_hold_a_lasting_change_still_costs(env: PolyGuardEnv) -> None:
    """What the pause has answered counts as passing: the held drug need not be given up as well."""
    seen = 0
    for number in range(120):
        own, observation = posed(env, STATIN, macrolide(3), number=number)
        hold = hold_of(observation, "simvastatin")
        if hold is None:
            continue
        after = take(own, hold)
        for place, candidate in enumerate(after.candidates):
            if candidate.text.startswith(("stop simvastatin", "stop clarithromycin", "switch simvastatin")):
                row = own._episode.state["candidate"][place]
                if row["reason"]:
                    continue
                relief = sum(float(row[name]) for name in ("safety", "dosing", "burden", "disease"))
                cost = DEFAULTS["cost_stop" if candidate.text.startswith("stop") else "cost_substitute"]
                assert relief - float(row["worth"]) == pytest.approx(cost + DEFAULTS["cost_lasting"])
                seen += 1
    assert seen >= 10


def test_no_pause_answers_anything_over_weeks(env: PolyGuardEnv) -> None:
    """Steps of two weeks are as long as a course: a hold lifts a tenth, whatever the course and the illness."""
    sub = "LONGITUDINAL_DEPRESCRIBING"
    own, hold = offering(env, "simvastatin", STATIN, macrolide(3), sub=sub)
    before, prices = risk(own), own.price()
    assert prices[hold.candidate_id] < 0.6 * max(prices.values())
    after = take(own, hold)
    assert before["safety"] - risk(own)["safety"] == pytest.approx(0.6)
    assert not entry_of(after, "clarithromycin")["course"]
    metformin = RegimenItem("metformin", 1000.0, "diabetes", 900)
    own, hold = offering(env, "metformin", metformin, STATIN, sub=sub, conditions=("acute_kidney_injury",))
    before = risk(own)
    take(own, hold)
    assert before["safety"] - risk(own)["safety"] == pytest.approx(0.3)


@pytest.mark.parametrize("illness", ["acute_dehydration", "acute_kidney_injury"])
def test_sick_day_rules(env: PolyGuardEnv, illness: str) -> None:
    metformin = RegimenItem("metformin", 1000.0, "diabetes", 900)
    bystander = RegimenItem("amlodipine", 5.0, "hypertension", 900)
    how = {"sub": "PRECISION_DOSING", "conditions": (illness,)}
    own, hold = offering(env, "metformin", metformin, bystander, **how)
    before, prices = risk(own), own.price()
    assert prices[hold.candidate_id] == max(prices.values())
    take(own, hold)
    assert before["safety"] - risk(own)["safety"] == pytest.approx(3.0)
    own, hold = offering(env, "amlodipine", metformin, bystander, **how)
    assert own.price()[hold.candidate_id] < 0.6
    own, hold = offering(env, "metformin", metformin, bystander, sub="PRECISION_DOSING")
    assert "needless_change" in take(own, hold).info["reasons"]


def test_a_held_drug_comes_back_over_weeks_and_is_not_held_twice(env: PolyGuardEnv) -> None:
    own, hold = offering(env, "simvastatin", STATIN, macrolide(400), sub="LONGITUDINAL_DEPRESCRIBING")
    before = risk(own)
    told = take(own, hold)
    kept, prices = own.get_state(), own.price()
    assert [drug["held_days"] for drug in kept["state"]["regimen"]] == [14, 0]
    assert entry_of(told, "simvastatin")["held"]
    again = own.step(PolyGuardAction(text="nonsense"))
    assert not entry_of(again, "simvastatin")["held"] and risk(own) == pytest.approx(before)
    other = PolyGuardEnv(env.knowledge)
    other.factory = own.factory
    restored = other.set_state(kept)
    assert restored.text == told.text and other.price() == prices


def test_holding_again_is_refused_by_name(env: PolyGuardEnv) -> None:
    for number in range(400):
        bystander = RegimenItem("amlodipine", 5.0, "hypertension", 900)
        own, observation = posed(env, STATIN, macrolide(3), bystander, number=number)
        hold = hold_of(observation, "simvastatin")
        if hold is None:
            continue
        again = hold_of(take(own, hold), "simvastatin")
        if again is not None:
            assert again.candidate_id not in own.legal_candidate_ids()
            assert take(own, again).info["reasons"] == ["drug_held"]
            return
    raise AssertionError("no draw offers to hold a held drug again")


def test_the_second_checker_agrees_on_walks_through_holds(env: PolyGuardEnv) -> None:
    """Random walks of scenarios in which a pause is the best move first, so that holds are taken and lived through."""
    found = Walked()
    for name in ("DDI", "PRECISION_DOSING", "REGIMEN_RISK"):
        for number in range(40):
            scenario_id = make_id("train", name, "easy", number)
            observation = env.reset(seed=0, scenario_id=scenario_id)
            if any(c.action_type is T.HOLD_DOSE for c in observation.candidates):
                for seed in range(3):
                    walk(env, scenario_id, seed, packaged_facts(), found)
    assert found.differing == [] and "HOLD_DOSE" in found.moves


def test_holding_is_best_in_a_share_of_problems_and_never_in_a_control(env: PolyGuardEnv) -> None:
    for name, least, most in (("DDI", 12, 25), ("PRECISION_DOSING", 6, 20), ("REGIMEN_RISK", 10, 25)):
        best, lured = 0, {True: 0, False: 0}
        for number in range(150):
            observation = env.reset(seed=0, scenario_id=make_id("train", name, "easy", number))
            prices, control = env.price(), env.scenario.control
            top = max(observation.candidates, key=lambda c: prices[c.candidate_id])
            is_best = top.action_type is T.HOLD_DOSE
            assert not (is_best and control)
            best += is_best
            lured[control] += not is_best and any(c.action_type is T.HOLD_DOSE for c in observation.candidates)
        assert least <= best <= most and lured[True] >= 5 and lured[False] >= 10, (name, best, lured)


@pytest.mark.parametrize("mode", MODES)
def test_the_agents_forecast_a_pause(env: PolyGuardEnv, mode: str) -> None:
    """They choose it during a course, and know that it answers nothing of what lasts."""
    for days, resolved in ((3, ["interaction:clarithromycin+simvastatin"]), (400, [])):
        own, hold = offering(env, "simvastatin", STATIN, macrolide(days))
        decision = decide(own.observe(), own.knowledge, PolicyChooser(RuleBased()), mode)
        forecasts = next(note.details["forecasts"] for note in decision.trace if note.agent == "Candidate")
        told = next(f for f in forecasts if f["candidate_id"] == hold.candidate_id)
        assert told["resolved"] == resolved and told["objections"] == []
        assert (decision.candidate.candidate_id == hold.candidate_id) is bool(resolved)


def test_rules_hold_where_a_pause_answers(env: PolyGuardEnv) -> None:
    """A policy that reads the observation alone tells a pause that helps from one that does not."""
    policy, right, wrong = RuleBased(), 0, 0
    for number in range(150):
        observation = env.reset(seed=0, scenario_id=make_id("train", "DDI", "easy", number))
        prices = env.price()
        top = max(observation.candidates, key=lambda c: prices[c.candidate_id])
        chosen = policy.choose(env, observation).candidate_id
        taken = next(c for c in observation.candidates if c.candidate_id == chosen)
        right += taken.action_type is T.HOLD_DOSE is top.action_type
        wrong += taken.action_type is T.HOLD_DOSE is not top.action_type
    # At most one in ten: where the held drug has a trouble of its own, switching the course is better.
    assert right >= 10 and 10 * wrong <= right


@pytest.mark.parametrize("fourth", ["amiodarone", "ondansetron"])
def test_a_pause_lifts_no_more_of_a_combination_than_a_stop(env: PolyGuardEnv, fourth: str) -> None:
    """Three drugs that prolong QT, one of them a short course, beside a diuretic: the others go on without it."""
    regimen = (
        RegimenItem("citalopram", 20.0, "depression", 900),
        macrolide(3),
        RegimenItem(fourth, 200.0 if fourth == "amiodarone" else 8.0, "atrial_fibrillation", 900),
        RegimenItem("furosemide", 40.0, "hfref", 900),
    )
    left: dict[tuple[ActionType, str], float] = {}
    for number in range(120):
        _, observation = posed(env, *regimen, sub="REGIMEN_RISK", number=number)
        for candidate in observation.candidates:
            key = candidate.action_type, candidate.targets[0] if candidate.targets else ""
            if candidate.action_type in (T.HOLD_DOSE, T.STOP_DRUG) and key not in left:
                own, again = posed(env, *regimen, sub="REGIMEN_RISK", number=number)
                same = next(c for c in again.candidates if c.text == candidate.text)
                if same.candidate_id in own.legal_candidate_ids():
                    take(own, same)
                    left[key] = risk(own)["safety"]
    both = [drug for kind, drug in left if kind is T.HOLD_DOSE and (T.STOP_DRUG, drug) in left]
    assert len(both) >= 3
    assert all(left[T.HOLD_DOSE, drug] >= left[T.STOP_DRUG, drug] - 1e-9 for drug in both)


@pytest.mark.parametrize(
    ("place", "changes", "field"),
    [
        (0, {"held_days": 14, "tapering": True}, "held_days"),
        (0, {"held_days": 14, "taken": False}, "held_days"),
        (0, {"course": True}, "course"),
    ],
)
def test_a_checkpoint_with_a_hold_that_cannot_be_is_refused(
    env: PolyGuardEnv, place: int, changes: dict[str, object], field: str
) -> None:
    own, _ = posed(env, STATIN, macrolide(3))
    kept = own.get_state()
    kept["state"]["regimen"][place] |= changes
    with pytest.raises(PolyGuardError, match=f"regimen.{field}"):
        own.set_state(kept)
