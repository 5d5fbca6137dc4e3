"""Checks of scenarios and rollouts: splits that share nothing, rewards within bounds."""

import dagster as dg
import pandas as pd

from polyguard_env.environment.splits import SPLITS


def shared_between_splits(frame: pd.DataFrame) -> dict[str, list[str]]:
    """What two splits have in common, by kind; empty lists when they are disjoint.

    Args:
        frame: scenario rows with split, scenario_id, patient_id and pairs.
    """
    found: dict[str, list[str]] = {"scenarios": [], "patients": [], "pairs": []}
    parts = {split: frame[frame["split"] == split] for split in SPLITS}
    for place, one in enumerate(SPLITS):
        for other in SPLITS[place + 1 :]:
            found["scenarios"] += sorted(set(parts[one]["scenario_id"]) & set(parts[other]["scenario_id"]))
            found["patients"] += sorted(set(parts[one]["patient_id"]) & set(parts[other]["patient_id"]))
            found["pairs"] += sorted(
                set(parts[one]["pairs"].explode().dropna()) & set(parts[other]["pairs"].explode().dropna())
            )
    return found


@dg.asset_check(asset="scenario_rollouts", blocking=True, additional_ins={"scenario_set": dg.AssetIn()})
def splits_are_disjoint(scenario_rollouts: pd.DataFrame, scenario_set: pd.DataFrame) -> dg.AssetCheckResult:
    """Train, validation and holdout share no scenario, patient or interaction pair; rollouts are of train only."""
    shared = shared_between_splits(scenario_set)
    only_train = bool((scenario_rollouts["split"] == "train").all())
    unseen = scenario_set[scenario_set["unseen_mechanism"] & (scenario_set["split"] != "holdout")]
    return dg.AssetCheckResult(
        passed=not any(shared.values()) and only_train and unseen.empty,
        metadata={name: len(values) for name, values in shared.items()}
        | {"rollouts_only_train": only_train, "unseen_mechanisms_outside_holdout": len(unseen)},
    )


@dg.asset_check(asset="scenario_rollouts", blocking=True)
def rewards_are_bounded(scenario_rollouts: pd.DataFrame) -> dg.AssetCheckResult:
    """Every price lies in [0.001, 0.999] and fewer than 1% lie on a bound."""
    prices = scenario_rollouts["candidate_rewards"].explode().astype(float)
    at_bound = float(((prices <= 0.001 + 1e-9) | (prices >= 0.999 - 1e-9)).mean())
    bounded = bool(prices.between(0.001, 0.999).all())
    return dg.AssetCheckResult(
        passed=bounded and at_bound < 0.01,
        metadata={"lowest": float(prices.min()), "highest": float(prices.max()), "at_bound": at_bound},
    )


CHECKS = [splits_are_disjoint, rewards_are_bounded]
