"""The compact text of an observation has fewer than 200 tokens, at any step, and leaves out no option."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest

from polyguard_env.environment.codes import codes_of, partners, strength
from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.environment.messages import ActionType, PolyGuardObservation
from polyguard_env.environment.observed import drug_word, known_patient
from polyguard_env.environment.person_line import PersonLine
from polyguard_env.environment.pieces import BITS, COUNT, counted_tokens, estimated_tokens, joined, size
from polyguard_env.environment.pool_text import pool_forms
from polyguard_env.environment.render import MOST_TOKENS
from polyguard_env.environment.scenarios import DIFFICULTIES, SUB_ENVIRONMENTS, make_id

SEEDS = 15


def played(env: PolyGuardEnv, split: str, name: str, difficulty: str) -> Iterator[PolyGuardObservation]:
    """Every observation of some episodes in which legal candidates are chosen at random until the budget is spent."""
    rng = Random(11)
    for number in range(SEEDS):
        seen = env.reset(seed=number, scenario_id=make_id(split, name, difficulty, number))
        yield seen
        while not seen.done:
            legal = set(env.legal_candidate_ids())
            places = [
                place
                for place, one in enumerate(seen.candidates)
                if one.candidate_id in legal and one.action_type is not ActionType.FINISH
            ]
            env.advance(rng.choice(places or [0]))
            seen = env.observe()
            yield seen


@pytest.mark.parametrize("name", SUB_ENVIRONMENTS)
@pytest.mark.parametrize("difficulty", DIFFICULTIES)
def test_every_text_is_under_200_tokens_and_has_every_option(env: PolyGuardEnv, name: str, difficulty: str) -> None:
    steps = 0
    for split in ("train", "holdout"):
        for seen in played(env, split, name, difficulty):
            steps += seen.reward is not None
            assert counted_tokens(seen.text) < MOST_TOKENS == 200, seen.text
            assert seen.text.endswith(
                f"\nOptions: {'; '.join(candidate.text for candidate in seen.candidates) or 'none'}"
            )
            assert len(seen.text.split("\n")) == len(seen.text.splitlines()) and "  " not in seen.text
    assert steps >= 2 * SEEDS


def test_a_long_pool_leaves_out_its_weakest_roles_first_and_counts_what_it_leaves_out(env: PolyGuardEnv) -> None:
    results = ["a + b: dangerous", "c + d: no danger found"]
    left_out = 0
    for number in range(SEEDS):
        scenario = env.factory.find(make_id("train", "BANDIT_MINING", "hard", number))
        env.reset(seed=number, scenario_id=scenario.scenario_id)
        shown = env._episode.shown()
        person = PersonLine(known_patient(shown, scenario), shown, scenario, env.index)
        drugs = [(drug_id, drug_word(drug_id), True) for drug_id in shown.regimen]
        forms = list(pool_forms(person, drugs, results, 5, env.index))
        told = [counted_tokens("\n".join(form)) for form in forms]
        assert told[-1] == min(told) < 60 and told[0] > told[-1]
        for form in forms:
            named = {name: codes for name, _, codes in (line.partition(": ") for line in form[1:])}
            kept = [name for name in named if name in {word for _, word, _ in drugs}]
            assert len(kept) == len(drugs) or named["Also"] == f"+{len(drugs) - len(kept)} more"
            assert named["Evidence"] == f"+{5 - sum(result in form for result in results)} more"
            weights = [max(map(strength, named[name].split())) for name in kept]
            for name in {word for _, word, _ in drugs} - set(kept):
                met = roles_met(env, name, [word for _, word, _ in drugs])
                assert not met or max(map(strength, met)) <= min(weights, default=3)
                left_out += bool(met)
    assert left_out > SEEDS


def roles_met(env: PolyGuardEnv, name: str, pool: list[str]) -> list[str]:
    """Codes of a drug of a pool that make something of a code of another."""
    of = {word: codes_of(word.replace(" ", "_"), env.index) for word in pool}
    sought = {stem for other, codes in of.items() if other != name for code in codes for stem in partners(code)}
    return [code for code in of[name] if code.rstrip("!0123456789").lower() in sought]


@pytest.mark.parametrize(
    ("code", "weight"), [("QT", 3), ("qt", 1), ("3A4inh!", 3), ("3A4inh", 2), ("K+1", 1), ("CNS", 2)]
)
def test_a_role_weighs_what_its_grade_says(code: str, weight: int) -> None:
    assert strength(code) == weight


def test_sizes_add_up_to_those_of_the_whole() -> None:
    pieces = ["isosorbide mononitrate", " 60mg", " (angina)", " in zaesquo", ": BP-2 3A4sub! taper"]
    text, found = joined(pieces)
    assert text == "".join(pieces) and found == sum(map(size, pieces))
    assert found & COUNT == counted_tokens(text) and found >> BITS == estimated_tokens(text)
    assert counted_tokens("zaesquo") > estimated_tokens("zaesquo")


@pytest.mark.parametrize("name", SUB_ENVIRONMENTS)
def test_the_full_text_leaves_nothing_out(env: PolyGuardEnv, name: str) -> None:
    for seen in played(env, "train", name, "hard"):
        text = env.full_text()
        for entry in seen.regimen:
            assert entry["name"] in text and all(fact["text"] in text for fact in entry["facts"])
        assert all(condition.replace("_", " ") in text for condition in seen.patient["conditions"])
        assert all(item["text"] in text for item in seen.evidence)
        assert [line[8:] for line in text.split("\n") if line.startswith("Option: ")] == [
            candidate.text for candidate in seen.candidates
        ]
