"""Writes the speed section of docs/environment.md from docs/results/bench.json: `python -m polyguard_assets.bench.page`

The report is measured by `python -m polyguard_assets.bench --environment --out docs/results/bench.json`.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from polyguard_assets.paths import project_root
from polyguard_assets.tables_page import table
from polyguard_env.errors import PolyGuardError

BEGIN, END = "<!-- speed: written by python -m polyguard_assets.bench.page -->", "<!-- end of speed -->"
MIB = 1 << 20
PARTS = "microseconds_of_a_facade_step"
THREADS = "engine_batched_two_threads_by_clock"
FRESH = "microseconds_of_a_fresh_reset"
RATES = {
    "engine_one_at_a_time": "engine, one episode at a time, candidates priced and all columns",
    "engine_batched": "engine, 4,000 episodes side by side",
    "facade": "`PolyGuardEnv`, typed actions and whole observations",
    "resets_of_a_known_scenario": "resets to a scenario met before",
    "resets_to_a_fresh_scenario": "resets to a scenario never met",
    "icu_sepsis": "icu-sepsis",
    "anesthesim": "anesthesim",
}


def main() -> int:
    """Write the section; 2 when there is no report."""
    report = project_root() / "docs" / "results" / "bench.json"
    page = project_root() / "docs" / "environment.md"
    try:
        if not report.is_file():
            raise PolyGuardError("report", report.name, f"run 'make bench' and copy it to docs/results/{report.name}")
        text = page.read_text(encoding="utf-8")
        if BEGIN not in text or END not in text:
            raise PolyGuardError("page", page.name, f"keep the lines {BEGIN} and {END}")
    except PolyGuardError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    before, _, rest = text.partition(BEGIN)
    found = section(json.loads(report.read_text(encoding="utf-8"))["environment"])
    page.write_text(f"{before}{BEGIN}\n{found}\n{END}{rest.partition(END)[2]}", encoding="utf-8")
    print(f"wrote the speed section of docs/{page.name}")
    return 0


def section(found: dict[str, Any]) -> str:
    """The section as Markdown.

    Args:
        found: as `bench.environment.speeds` gives it.
    """
    rows = [
        (
            label,
            f"{found[name]['median']:,.0f}",
            f"{found[name]['lowest']:,.0f}-{found[name]['highest']:,.0f}",
            f"{found[name]['by_clock']['median']:,.0f}",
        )
        for name, label in RATES.items()
    ]
    drugs = dict(found["microseconds_by_drugs"])
    fit = drugs.pop("r_squared_of_a_line")
    drugs = dict(sorted(drugs.items(), key=lambda item: int(item[0])))
    edges = found["microseconds_by_share_of_edges"]
    live = {kind: found["live_episodes"][kind]["bytes_added"] / MIB for kind in ("engine", "facade")}
    costs = (
        f"A step costs {listed(drugs.values())} µs with {listed(drugs, '{}')} drugs that go together (a straight "
        f"line fits with R² {fit:.3f}), and {listed(row['microseconds'] for row in edges.values())} µs with "
        f"{listed((100 * float(share) for share in edges), '{:.0f}%')} of the graph's edges: one bit says whether two "
        f"drugs have anything to do with each other, one look-up in a hash table what. Two threads step "
        f"{found[THREADS]['median']:,.0f} times a second side by side, by the clock "
        f"({found[THREADS]['lowest']:,.0f}-{found[THREADS]['highest']:,.0f}). "
        f"{found['live_episodes']['engine']['episodes']:,} live episodes take "
        f"{live['engine']:.0f} MiB in a batch and {live['facade']:.0f} MiB as environments of their own."
    )
    lines = table(("a second", "of one core's time", "range", "by the clock"), rows)
    lines += [costs, ""]
    lines += [*fresh(found[FRESH]), ""]
    lines += ["Where the time of a facade step goes, by the clock:", ""]
    lines += table(
        ("part", "µs"),
        [(name, f"{spent:.1f}") for name, spent in sorted(found[PARTS].items(), key=lambda item: item[1])],
    )
    return "\n".join(lines).rstrip()


def fresh(passes: dict[str, dict[str, float]]) -> list[str]:
    """What single resets cost, in words and as a table."""
    seeds, first = passes["warm"]["seeds"], passes["cold"]["first"] / 1e3
    words = (
        f"Single resets to {2 * seeds:,.0f} scenarios never met before, of one core's time: {seeds:,.0f} as the first "
        "of a process, then as many more; every field of the observation is read, for most are written when first "
        f"read, and without that where the row says so. The very first reset of all took {first:,.0f} ms: it loads the "
        "rules and generates the people."
    )
    columns = ("mean", "median", "p99", "highest")
    rows = [(name, *(f"{spread[column]:,.0f}" for column in columns)) for name, spread in passes.items()]
    return [words, "", *table(("resets", "mean, µs", "median", "99th percentile", "highest"), rows)]


def listed(values: Any, form: str = "{:.1f}") -> str:
    """Values in words."""
    *most, last = (form.format(value) for value in values)
    return f"{', '.join(most)} and {last}"


if __name__ == "__main__":
    sys.exit(main())
