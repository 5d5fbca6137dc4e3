"""Writes docs/results.md and the tracked copies under docs/results/ from what `make demo` measured.

`python -m polyguard_assets.results_page`; every figure on the page comes out of a report, none is typed.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

from polyguard_assets.paths import model_folder, project_root, reports_folder
from polyguard_env.environment.messages import DISCLAIMER
from polyguard_env.errors import PolyGuardError

CHARTS = ("reward", "severe_harm", "sub_environments")


def main() -> int:
    """Write the page; 2 when the demo has not run."""
    try:
        summary, report = read("demo_summary"), read("improvement_report")
    except PolyGuardError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    folder = project_root() / "docs" / "results"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("demo_summary", "improvement_report"):
        shutil.copy(reports_folder() / f"{name}.json", folder / f"{name}.json")
    for chart in CHARTS:
        shutil.copy(reports_folder() / "charts" / f"{chart}.png", folder / f"{chart}.png")
    page = project_root() / "docs" / "results.md"
    page.write_text(render(summary, report), encoding="utf-8")
    print("wrote docs/results.md")
    return 0


def read(name: str) -> dict[str, Any]:
    path = reports_folder() / f"{name}.json"
    if not path.is_file():
        raise PolyGuardError("report", path.name, "run 'make demo' first")
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def interval(found: dict[str, Any], value: str, bounds: str) -> str:
    return f"{found[value]:.3f} [{found[bounds][0]:.3f}, {found[bounds][1]:.3f}]"


def render(summary: dict[str, Any], report: dict[str, Any]) -> str:
    """The page as Markdown."""
    run = summary["model_run"]
    lines = [
        "# Results",
        "",
        f"`make demo` on 2 CPU cores, model run `{run}`, seed {summary['seed']}, knowledge "
        f"`{summary['knowledge_fingerprint']}`. {summary['scenarios']} holdout scenarios: interaction pairs, patients "
        "and scenario seeds that occur in no training corpus. Written by `python -m polyguard_assets.results_page`. "
        f"{DISCLAIMER}",
        "",
        "| policy or model | mean episode reward [95% CI] | legality [95% CI] | severe harm [95% CI] |",
        "| --- | --- | --- | --- |",
    ]
    for name, found in summary["policies"].items():
        cells = [
            interval(found, *names)
            for names in (("reward", "ci"), ("legality", "legality_ci"), ("severe_harm", "severe_harm_ci"))
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    lines += ["", "| difference on the same episodes | mean [95% CI] |", "| --- | --- |"]
    lines += [f"| {name} | {interval(found, 'difference', 'ci')} |" for name, found in report["differences"].items()]
    names = list(summary["policies"])
    lines += ["", f"| mean reward | {' | '.join(names)} |", "| --- |" + " --- |" * len(names)]
    for column in ("sub_environment", "difficulty", "unseen_mechanism"):
        for value, rewards in report[f"by_{column}"].items():
            label = f"{column.replace('_', ' ')}: {value}"
            lines.append(f"| {label} | {' | '.join(f'{rewards[name]:.3f}' for name in names)} |")
    lines += ["", *(f"![{chart}](results/{chart}.png)" for chart in CHARTS), ""]
    lines += [*training_lines(model_folder(run)), "", "Seconds by stage:", "", "| stage | seconds |", "| --- | --- |"]
    lines += [f"| {name} | {seconds:.1f} |" for name, seconds in summary["stages"].items()]
    lines += [f"| all | {sum(summary['stages'].values()):.0f} |", "", "Not run: the Qwen model runs (no GPU here)."]
    return "\n".join(lines) + "\n"


def training_lines(folder: Path) -> list[str]:
    """What training and export reported."""
    sft, grpo, merge, postsave = (
        json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        for name in ("sft", "grpo", "merge", "postsave")
    )
    return [
        f"- SFT: {sft['steps']} steps on {sft['rows']} demonstrations, loss {sft['first_loss']:.2f} to "
        f"{sft['last_loss']:.2f}, computed in {sft['compute']['dtype']}.",
        f"- GRPO: {grpo['steps']} steps on {grpo['rows']} prompts; {grpo['priced_actions']} actions priced by the "
        f"environment server in {grpo['price_requests']} requests; expected reward "
        f"{grpo['first_steps']['reward']:.3f} in the first ten steps, {grpo['last_steps']['reward']:.3f} in the last.",
        f"- Merge: logits differ from base plus adapter by {merge['adapter_vs_merged_max_abs_logit']:.2g} at most; "
        f"reloaded from disk by {merge['merged_vs_reloaded_max_abs_logit']:.2g}.",
        f"- Exported artifact `{postsave['artifact_name']}` answered {postsave['prompts']} prompts in a fresh "
        f"process; {postsave['valid_rate']:.0%} of its free answers copy an option.",
    ]


if __name__ == "__main__":
    sys.exit(main())
