"""The trust scoreboard: policies, attacks, leaks, harm and the second checker, each line a check that blocks."""

from typing import Any

import dagster as dg

from polyguard_assets.charts import grouped_bars, inline
from polyguard_assets.paths import knowledge_folder, reports_folder, within_project
from polyguard_assets.settings import Settings
from polyguard_assets.training.publish import write_json
from polyguard_assets.versions import ENVIRONMENT, made_with, source_version
from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.trust.acceptance import LINES
from polyguard_env.trust.scoreboard import Sizes, scoreboard

NAME = "trust_scoreboard"
CODE = made_with(
    source_version(*ENVIRONMENT, "polyguard_env/policies", "polyguard_env/rollouts.py", "polyguard_env/trust",
                   "polyguard_assets/defs/evaluation/trust.py"),
    "seed",
)  # fmt: skip
CHECK_LINES = LINES | {
    "at_bound": "fewer than 1% of the reference policies' steps are paid exactly a bound",
    "no_leak_best_candidate": "order, ids, lengths, counts and metadata do not tell the best candidate",
    "no_leak_control": "order, ids, lengths, counts and metadata do not tell a control",
    "harm_correlation": "rank correlation of reward with simulated harm avoided is 0.8 or more within scenarios",
    "second_checker": "a second checker makes the same findings on every random regimen",
    "second_episodes": "a second checker works out the same states, prices, reasons and hazards along random walks",
}


class TrustSizes(dg.Config):  # type: ignore[misc]
    """How much the scoreboard measures; the defaults suit `make demo`, the published page measures far more.

    Attributes:
        difficulties: which are played.
        scenarios, searched, again, leakage, harm: per sub-environment and difficulty. harm_seeds: of each episode.
        regimens: random regimens both checkers review. walks: random walks per cell and split that both work out.
    """

    difficulties: list[str] = ["medium"]
    scenarios: int = 3
    searched: int = 1
    again: int = 40
    leakage: int = 20
    harm: int = 4
    harm_seeds: int = 1
    regimens: int = 1_000
    walks: int = 2

    def sizes(self) -> Sizes:
        return Sizes(**{name: value for name, value in self.model_dump().items() if name != "difficulties"})


@dg.asset(
    name=NAME,
    group_name="evaluation",
    code_version=CODE,
    deps=["knowledge_snapshot"],
    kinds={"json"},
    check_specs=[
        dg.AssetCheckSpec(line, asset=NAME, blocking=True, description=about) for line, about in CHECK_LINES.items()
    ],
)
def trust_scoreboard(context: dg.AssetExecutionContext, config: TrustSizes, settings: Settings) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Policies and attacks by sub-environment and difficulty, leaks by shape, reward against harm, a second checker."""
    folder = knowledge_folder()
    env = PolyGuardEnv(KnowledgeBase.load(folder))
    board = scoreboard(
        env, config.sizes(), settings.seed, difficulties=tuple(config.difficulties), snapshot=folder,
        progress=context.log.info,
    )  # fmt: skip
    path = write_json(reports_folder() / f"{NAME}.json", board)
    chart = grouped_bars(by_sub_environment(board), "Mean episode reward on holdout, by sub-environment")
    return dg.MaterializeResult(
        metadata={
            **headline(board),
            "knowledge_fingerprint": board["knowledge_fingerprint"],
            "seed": board["seed"],
            "attacks": board["attacks"]["all"],
            "scoreboard": dg.MetadataValue.md(cell_table(board)),
            "rewards": dg.MetadataValue.md(inline(chart, "rewards")),
            "violations": dg.MetadataValue.json(board["violations"]),
            "path": dg.MetadataValue.path(within_project(path)),
        },
        check_results=[
            dg.AssetCheckResult(
                check_name=line,
                passed=bool(board["lines"][line]["holds"]),
                severity=dg.AssetCheckSeverity.ERROR,
                metadata={key: value for key, value in board["lines"][line].items() if key != "holds"},
            )
            for line in CHECK_LINES
        ],
    )


def headline(board: dict[str, Any]) -> dict[str, float]:
    """The numbers Dagster plots from run to run."""
    names = ("oracle", "rule_based", "random_legal", "no_change")
    cells = board["cells"]
    rewards = {f"{n}_reward": sum(c["policies"][n]["reward"] for c in cells) / len(cells) for n in names}
    return rewards | {
        "highest_attack_reward": max(float(cell["highest_attack"]["reward"]) for cell in cells),
        "lowest_floor_gap": min(
            c["policies"]["oracle"]["reward"] - c["policies"]["no_change"]["reward"] for c in cells
        ),
        "harm_correlation": float(board["harm"]["within"]["value"]),
        "groups_without_spread": float(board["groups"]["candidates"]["value"]),
        "steps_at_bound": float(board["at_bound"]["references"]),
        "checker_disagreements": float(
            board["second_checker"]["disagreements"] + board["second_episodes"]["disagreements"]
        ),
    }


def by_sub_environment(board: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Mean rewards over the difficulties of each sub-environment, with the best-paid attack that does no good."""
    found: dict[str, dict[str, float]] = {}
    for name in dict.fromkeys(cell["sub_environment"] for cell in board["cells"]):
        cells = [cell for cell in board["cells"] if cell["sub_environment"] == name]
        bars = {
            policy: sum(cell["policies"][policy]["reward"] for cell in cells) / len(cells)
            for policy in ("oracle", "rule_based", "random_legal", "no_change")
        }
        found[name] = bars | {"best attack": sum(cell["highest_attack"]["reward"] for cell in cells) / len(cells)}
    return found


def cell_table(board: dict[str, Any]) -> str:
    """The cells as Markdown."""
    rows = [
        "| sub-environment | difficulty | oracle | rule_based | random_legal | no_change | best attack | best blind |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for cell in board["cells"]:
        rewards = [cell["policies"][name] for name in ("oracle", "rule_based", "random_legal", "no_change")]
        shown = [f"{found['reward']:.3f} [{found['ci'][0]:.3f}, {found['ci'][1]:.3f}]" for found in rewards]
        tops = [
            f"{top['policy']} {top['reward']:.3f}" for top in (cell["highest_attack"], cell["highest_blind_attack"])
        ]
        rows.append(f"| {cell['sub_environment']} | {cell['difficulty']} | {' | '.join(shown)} | {' | '.join(tops)} |")
    return "\n".join(rows)


ASSETS = [trust_scoreboard]
