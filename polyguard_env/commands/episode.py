"""`python -m polyguard_env episode`: one episode, annotated step by step."""

from __future__ import annotations

import argparse

from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.environment.scenarios import make_id, parse_id
from polyguard_env.errors import PolyGuardError
from polyguard_env.policies import POLICIES
from polyguard_env.policies.policy import Policy
from polyguard_env.trust.attacks import NAMES, attack
from polyguard_env.trust.episodes import annotated


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("--sub-environment", default="DDI", help="for example DDI (the default)")
    parser.add_argument("--difficulty", default="easy", help="easy (the default), medium or hard")
    parser.add_argument("--split", default="train", help="train (the default), validation or holdout")
    parser.add_argument("--number", type=int, default=0, help="which scenario, from 0")
    parser.add_argument("--scenario-id", help="a scenario by its id, in place of the four above")
    parser.add_argument("--policy", default="oracle", help="oracle (the default), rule_based, ... or an attack's name")
    parser.add_argument("--seed", type=int, default=0, help="of candidate order, ids and harm (0)")


def run(arguments: argparse.Namespace) -> int:
    """Print the episode."""
    scenario_id = arguments.scenario_id or make_id(
        arguments.split, arguments.sub_environment, arguments.difficulty, arguments.number
    )
    parse_id(scenario_id)
    print(annotated(PolyGuardEnv(), policy_named(arguments.policy), scenario_id, arguments.seed))
    return 0


def policy_named(name: str) -> Policy:
    """A reference policy that needs no model, or an attack.

    Raises:
        PolyGuardError: an unknown name.
    """
    if name in NAMES:
        return attack(name)
    if name not in POLICIES:
        raise PolyGuardError("--policy", name, f"use one of {', '.join(POLICIES)}, or an attack such as {NAMES[0]}")
    return POLICIES[name]()
