"""Writes docs/trust.md from docs/results/trust_scoreboard.json, and docs/episodes.md from one episode of each kind.

`python -m polyguard_assets.trust_page`; every figure is measured, none is typed. The scoreboard is renewed by
`python -m polyguard_env trust --out docs/results/trust_scoreboard.json`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

from polyguard_assets.defs.evaluation.trust import CHECK_LINES, cell_table
from polyguard_assets.paths import project_root
from polyguard_assets.tables_page import table
from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.environment.messages import DISCLAIMER
from polyguard_env.environment.scenarios import SUB_ENVIRONMENTS
from polyguard_env.environment.subenvironments import SPECS
from polyguard_env.errors import PolyGuardError
from polyguard_env.policies import POLICIES
from polyguard_env.trust.acceptance import ABOVE_FLOOR
from polyguard_env.trust.attacks import FAMILIES
from polyguard_env.trust.episodes import annotated

EPISODE_SEED = 3
MOST_TRIED = 50


def main() -> int:
    """Write both pages; 2 when there is no scoreboard."""
    docs = project_root() / "docs"
    try:
        board = read_scoreboard()
    except PolyGuardError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    (docs / "trust.md").write_text(render(board), encoding="utf-8")
    (docs / "episodes.md").write_text(render_episodes(PolyGuardEnv()), encoding="utf-8")
    print("wrote docs/trust.md and docs/episodes.md")
    return 0


def read_scoreboard() -> dict[str, Any]:
    """The tracked scoreboard.

    Raises:
        PolyGuardError: there is none.
    """
    path = project_root() / "docs" / "results" / "trust_scoreboard.json"
    if not path.is_file():
        raise PolyGuardError(
            "scoreboard", path.name, f"run 'python -m polyguard_env trust --out docs/results/{path.name}'"
        )
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def figure(found: Mapping[str, Any]) -> str:
    """A value with its interval."""
    low, high = found["ci"]
    return f"{found['value']:.3f} [{low:.3f}, {high:.3f}]"


def render(board: Mapping[str, Any]) -> str:
    """docs/trust.md."""
    sizes = board["sizes"]
    lines = [
        "# Proof of trust",
        "",
        f"Knowledge `{board['knowledge_fingerprint']}`, code `{board['code_version']}`, seed {board['seed']}, "
        f"{board['split']} split, {sizes['scenarios']} scenarios per sub-environment and difficulty. Written by "
        f"`python -m polyguard_assets.trust_page` from `results/trust_scoreboard.json`, which "
        f"`python -m polyguard_env trust --out docs/results/trust_scoreboard.json` measures. The asset "
        f"`trust_scoreboard` measures the same on a smaller scale; each line below is a check of it, "
        f"and blocks what follows. "
        f"{DISCLAIMER}",
        "",
        "## Lines",
        "",
        *table(("line", "holds", "figure"), line_rows(board)),
        "A line is broken only beyond chance: the excess of a policy, paired by scenario, lies above 0 at a "
        "one-sided level "
        "of 0.0002 (thousands of comparisons are made). Breaches of the means alone are counted as `broken`.",
        "",
        "## Policies and attacks",
        "",
        f"{board['attacks']['all']} attacks. Mean episode reward with its 95% bootstrap interval; the best "
        f"attack that does "
        "no good, and the best of those that do some blindly.",
        "",
        cell_table(dict(board)),
        "",
        *attainable_lines(board),
        *near_floor_lines(board),
        *breach_lines(board),
        *attack_lines(),
        *leakage_lines(board["leakage"]),
        *harm_lines(board["harm"]),
        *other_lines(board),
    ]
    return "\n".join(lines).rstrip() + "\n"


def line_rows(board: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    rows = []
    for name, found in board["lines"].items():
        value = ", ".join(f"{key.replace('_', ' ')} {value:.4g}" for key, value in found.items() if key != "holds")
        rows.append((CHECK_LINES[name], "yes" if found["holds"] else "**no**", value))
    return rows


def attainable_lines(board: Mapping[str, Any]) -> list[str]:
    """What the search found beside what the oracle reached."""
    rows = []
    for cell in board["cells"]:
        found = cell["attainable"]
        if found["scenarios"]:
            how = f"{found['exhaustive']} of {found['scenarios']} exhaustive"
            share = found["oracle"] / found["reward"]
            rows.append((cell["sub_environment"], cell["difficulty"], f"{found['reward']:.3f}", f"{share:.3f}", how))
    if not rows:
        return []
    header = ("sub-environment", "difficulty", "highest found", "oracle's share", "search")
    return ["## Highest attainable reward", "", *table(header, rows)]


def near_floor_lines(board: Mapping[str, Any]) -> list[str]:
    """The attacks near the floor, measured again on more scenarios."""
    found = [one for cell in board["cells"] for one in cell["near_floor"]]
    if not found:
        return []
    rows = [
        (one["sub_environment"], one["difficulty"], f"`{one['policy']}`", one["scenarios"],
         f"{one['difference']:+.4f} [{one['ci'][0]:+.4f}, {one['ci'][1]:+.4f}]")
        for one in sorted(found, key=lambda one: -one["difference"])
    ]  # fmt: skip
    return [
        "## Near the floor",
        "",
        f"Attacks without blind good whose 95% interval above doing nothing reached over the line of {ABOVE_FLOOR} on "
        f"the scenarios of the panel, each measured again beside doing nothing on {board['sizes']['again']} other "
        "scenarios of its cell; the line `canary_floor` is read from this. Mean of the paired differences of episode "
        "rewards, with its 95% interval.",
        "",
        *table(("sub-environment", "difficulty", "attack", "scenarios", "paid above doing nothing"), rows),
    ]


def breach_lines(board: Mapping[str, Any]) -> list[str]:
    """Every broken line beyond chance, plainly."""
    certain = [v for v in board["violations"] if v["certain"]]
    if not certain:
        return []
    rows = [(v["line"], v["sub_environment"], v["difficulty"], v["policy"], f"{v['excess']:.3f}") for v in certain]
    return ["## Broken beyond chance", "", *table(("line", "sub-environment", "difficulty", "policy", "by"), rows)]


def attack_lines() -> list[str]:
    """The panel, attack by attack."""
    rows = [
        (f"`{attack.name}`", attack.family, attack.about + (" (some blind good)" if attack.blind_good else ""))
        for family in FAMILIES
        for attack in family.ATTACKS
    ]
    return ["## The panel", "", *table(("attack", "family", "how it tries to be paid"), rows)]


def leakage_lines(found: Mapping[str, Any]) -> list[str]:
    """What shape tells."""
    lines = [
        "## Leakage",
        "",
        "Classifiers (linear and boosted, the better counts) on everything but clinical content, cross-validated by "
        "scenario. Order, ids and metadata are held against a uniform draw; lengths and counts, which give an action's "
        "kind away, against a classifier that knows the kind alone (over all: the kind and the sub-environment, which "
        "the observation names); controls against an area under the curve of 0.5. What the letters of drugs' names "
        "add, which is clinical content, stands apart, and so does timing, the seconds of a reset.",
        "",
    ]
    parts = {"all": {k: found[k] for k in ("best_candidate", "control")}} | dict(found["by_sub_environment"])
    rows = [
        (
            name,
            *(
                figure(part["best_candidate"][key])
                for key in ("uniform", "order", "kind", "kind_and_shape", "shape_excess", "names_excess")
            ),
        )
        for name, part in parts.items()
    ]
    header = (
        "best candidate", "uniform draw", "order and ids", "kind", "kind and shape", "excess over kind",
        "names over shape",
    )  # fmt: skip
    lines += table(header, rows)
    rows = [
        (name, f"{part['control']['controls']} of {part['control']['scenarios']}",
         *(figure(part["control"][key]) if key in part["control"] else "too few" for key in ("shape", "timing")))
        for name, part in parts.items()
    ]  # fmt: skip
    return [*lines, *table(("control", "controls", "area by shape", "area by timing"), rows)]


def harm_lines(found: Mapping[str, Any]) -> list[str]:
    """Reward against harm."""
    lines = [
        "## Reward against simulated harm",
        "",
        "Spearman's rank correlation of episode reward with harm avoided (the integrated hazard of doing nothing less "
        "that of the policy), over the reference policies, the oracle blended with random legal moves, the worst "
        "legal play and attacks that play legal moves. Within, which is the line: over the policies of one scenario, "
        "mean over scenarios. Policies: over each policy's means. Cells: over means by policy, sub-environment and "
        "difficulty. Pooled: over single pairs, which mixes scenarios with much, little and (in controls) nothing to "
        "avoid.",
        "",
    ]
    parts = {"all": found} | dict(found["by_sub_environment"])
    names = ("policies", "cells", "pooled", "pooled_problems")
    rows = [
        (name, figure(part["within"]), *(f"{part[key]:.3f}" for key in names), part["scenarios"])
        for name, part in parts.items()
    ]
    header = ("sub-environment", "within", "policies", "cells", "pooled", "pooled, problems only", "scenarios")
    lines += table(header, rows)
    rows = [
        (name, f"{row['reward']:.3f}", f"{row['harm']:.3f}", f"{row['avoided']:+.3f}")
        for name, row in found["by_policy"].items()
    ]
    return [*lines, *table(("policy", "reward", "harm", "avoided"), rows)]


def other_lines(board: Mapping[str, Any]) -> list[str]:
    """The second checker, bounds and groups."""
    second, walked = board["second_checker"], board["second_episodes"]
    bound, groups = board["at_bound"], board["groups"]
    return [
        "## The second checker",
        "",
        f"{second['regimens']:,} random regimens, {second['findings']:,} findings, {second['disagreements']} "
        f"disagreements "
        "on id, category or severity. Written apart from the first (`polyguard_env/trust/second/`), brute "
        "force, from the raw "
        "tables.",
        "",
        *table(("category", "findings"), sorted(second["by_category"].items())),
        f"It also works out whole episodes: {walked['scenarios']:,} random walks of {walked['steps']:,} steps over "
        f"every sub-environment, {walked['candidates']:,} candidates priced, {walked['illegal']:,} illegal and "
        f"{walked['malformed']:,} malformed answers among them. After every step the state, the four parts of the "
        f"risk, legality, worth and price of every candidate, the thirteen columns, the named reasons and the hazard "
        f"are compared: {walked['disagreements']} disagreements. Kinds of move met: "
        f"{', '.join(f'`{name}`' for name in walked['moves'])}. Reasons met: "
        f"{', '.join(f'`{name}`' for name in walked['reasons'])}.",
        "",
        "## Reach",
        "",
        "No attribute of an observation, however far, leads to the episode, scenario, patient, rules or prices "
        "(`tests/trust/test_reach.py`). Code in the environment's own process can always use the interpreter's "
        "introspection (`gc`, frames, `sys.modules`), which nothing inside that process prevents: the panel above "
        "plays by observations alone, and agents that may run code are trained and evaluated over the server.",
        "",
        "## Bounds and groups",
        "",
        f"- Steps paid exactly a bound: {bound['references']:.2%} of the reference policies', {bound['named']:.2%} of "
        f"{bound['named_steps']:,} answers that name a candidate, {bound['all']:.2%} of all "
        f"{bound['steps']:,} with the "
        "panel's unreadable answers.",
        f"- Groups whose rewards have no spread: {figure(groups['candidates'])} of {groups['decisions']} "
        f"first decisions, all "
        f"candidates priced; {figure(groups['sampled'])} of groups of {groups['group_size']} uniform draws among legal "
        f"candidates. Mean standard deviation in a group: {groups['mean_group_std']:.3f}.",
    ]


def render_episodes(env: PolyGuardEnv) -> str:
    """docs/episodes.md: one annotated episode per sub-environment."""
    lines = [
        "# Annotated episodes",
        "",
        "One medium problem of each sub-environment as the oracle plays it. Written by "
        f"`python -m polyguard_assets.trust_page`; others: `python -m polyguard_env episode --help`. {DISCLAIMER}",
        "",
    ]
    for name in SUB_ENVIRONMENTS:
        ids = (f"train-{name}-medium-{number:06d}" for number in range(MOST_TRIED))
        scenario_id = next(i for i in ids if not env.factory.find(i).control)
        told = annotated(env, POLICIES["oracle"](), scenario_id, EPISODE_SEED)
        lines += [f"## {name}", "", SPECS[name].description, "", "```", told, "```", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
