"""Scenario sets by difficulty, and near-expert rollouts through the training scenarios."""

from itertools import combinations

import dagster as dg
import pandas as pd

from polyguard_assets.io.results import versioned
from polyguard_assets.partitions import difficulty_partitions
from polyguard_assets.paths import knowledge_folder
from polyguard_assets.settings import Settings
from polyguard_assets.versions import ENVIRONMENT, made_with, source_version
from polyguard_env.corpora import decision_states
from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.environment.scenarios import generate_scenarios
from polyguard_env.environment.splits import SPLITS, pair_split
from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.risk.review import rule_index

GROUP = "scenarios"
HERE = "polyguard_assets/defs/scenarios/assets.py"
CODE = made_with(source_version(*ENVIRONMENT, HERE), "train_scenarios", "validation_scenarios", "holdout_scenarios")
ROLLOUT_CODE = made_with(source_version(*ENVIRONMENT, HERE, "polyguard_env/corpora.py"), "seed")


@dg.asset(
    group_name=GROUP,
    deps=["knowledge_snapshot", "synthetic_patients"],
    partitions_def=difficulty_partitions,
    code_version=CODE,
    kinds={"parquet"},
)
def scenario_set(context: dg.AssetExecutionContext, settings: Settings) -> dg.MaterializeResult[pd.DataFrame]:
    """Scenarios of one difficulty in disjoint train, validation and holdout splits."""
    knowledge = KnowledgeBase.load(knowledge_folder())
    index = rule_index(knowledge)
    sizes = dict(zip(SPLITS, (settings.train_scenarios, settings.validation_scenarios, settings.holdout_scenarios)))
    rows = []
    for split, size in sizes.items():
        for scenario in generate_scenarios(knowledge, split, context.partition_key, size):
            drugs = sorted(scenario.patient.drug_ids)
            rows.append(
                {
                    "scenario_id": scenario.scenario_id,
                    "split": split,
                    "sub_environment": scenario.sub_environment,
                    "difficulty": scenario.difficulty,
                    "patient_id": scenario.patient.patient_id,
                    "mechanism": scenario.mechanism,
                    "unseen_mechanism": scenario.unseen_mechanism,
                    "budget": scenario.budget,
                    "drugs": drugs,
                    "pairs": [f"{a}+{b}" for a, b in combinations(drugs, 2) if pair_split(a, b, index)],
                }
            )
        context.log.info(f"{context.partition_key} {split}: {size} scenarios per sub-environment")
    frame = pd.DataFrame(rows)
    return versioned(
        "scenario_set", frame, scenarios=len(frame),
        splits={str(k): int(v) for k, v in frame["split"].value_counts().items()},
        mechanisms=int(frame["mechanism"].nunique()), knowledge_fingerprint=knowledge.fingerprint,
    )  # fmt: skip


@dg.asset(group_name=GROUP, code_version=ROLLOUT_CODE, kinds={"parquet"})
def scenario_rollouts(
    context: dg.AssetExecutionContext, scenario_set: pd.DataFrame, settings: Settings
) -> dg.MaterializeResult[pd.DataFrame]:
    """Decision points along near-expert walks through the training scenarios, every candidate priced."""
    env = PolyGuardEnv(KnowledgeBase.load(knowledge_folder()))
    train = scenario_set[scenario_set["split"] == "train"].sort_values("scenario_id")
    frame = decision_states(env, train["scenario_id"].tolist(), settings.seed)
    best = frame["candidate_rewards"].map(max)
    return versioned(
        "scenario_rollouts", frame, decisions=len(frame), scenarios=int(frame["scenario_id"].nunique()),
        mean_best_reward=float(best.mean()), mean_reward=float(frame["candidate_rewards"].explode().mean()),
        seed=settings.seed, knowledge_fingerprint=env.knowledge.fingerprint,
    )  # fmt: skip


ASSETS = [scenario_set, scenario_rollouts]
