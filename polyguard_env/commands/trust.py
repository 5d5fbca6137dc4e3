"""`python -m polyguard_env trust`: measure the proofs of trust and print the scoreboard."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.errors import PolyGuardError
from polyguard_env.trust.scoreboard import PARTS, Sizes, scoreboard

OPTIONS = {
    "scenarios": "scenarios per sub-environment and difficulty",
    "searched": "of these, how many to search for the attainable reward",
    "again": "fresh scenarios per cell for the attacks near the floor",
    "leakage": "training scenarios per cell for the classifiers",
    "harm": "scenarios per cell of the harm simulation",
    "harm_seeds": "seeds of the harm simulation",
    "regimens": "random regimens for the second checker",
    "walks": "random walks per cell and split for the second checker",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    for name, about in OPTIONS.items():
        default = getattr(Sizes(), name)
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=default, help=f"{about} ({default})")
    parser.add_argument("--seed", type=int, default=11, help="of candidate order, ids and harm (11)")
    parser.add_argument("--parts", default=",".join(PARTS), help=f"what to measure, of {', '.join(PARTS)}")
    parser.add_argument("--out", type=Path, help="also write the scoreboard to this JSON file")
    parser.add_argument("--json", action="store_true", help="print the scoreboard as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Print the scoreboard; 0 when every line holds, 1 when one does not."""
    parts = tuple(part.strip() for part in arguments.parts.split(",") if part.strip())
    for part in parts:
        if part not in PARTS:
            raise PolyGuardError("--parts", part, f"use some of {', '.join(PARTS)}")
    for name in OPTIONS:
        if getattr(arguments, name) < (0 if name in ("searched", "again") else 1):
            raise PolyGuardError(f"--{name.replace('_', '-')}", getattr(arguments, name), "give at least 1")
    sizes = Sizes(**{name: getattr(arguments, name) for name in OPTIONS})
    board = scoreboard(PolyGuardEnv(), sizes, arguments.seed, parts, progress=lambda line: print(line, file=sys.stderr))
    text = json.dumps(board, indent=1)
    if arguments.out is not None:
        part = arguments.out.with_name(f"{arguments.out.name}.part")
        part.write_text(text + "\n", encoding="utf-8")
        os.replace(part, arguments.out)
    print(text if arguments.json else as_text(board))
    return 0 if all(line["holds"] for line in board["lines"].values()) else 1


def as_text(board: dict[str, Any]) -> str:
    """The scoreboard for a person to read."""
    rows = [f"{'sub-environment':<26}{'':<8}{'oracle':>8}{'rules':>8}{'random':>8}{'nothing':>8}  highest attack"]
    for cell in board.get("cells", ()):
        rewards = [cell["policies"][name]["reward"] for name in ("oracle", "rule_based", "random_legal", "no_change")]
        top = cell["highest_attack"]
        rows.append(
            f"{cell['sub_environment']:<26}{cell['difficulty']:<8}{''.join(f'{r:8.3f}' for r in rewards)}"
            f"  {top['policy']} {top['reward']:.3f}"
        )
    rows += [""] + [
        f"{'holds ' if line['holds'] else 'BROKEN'} {name}: "
        + ", ".join(f"{key.replace('_', ' ')} {value:g}" for key, value in line.items() if key != "holds")
        for name, line in board["lines"].items()
    ]
    rows += ["", f"Knowledge {board['knowledge_fingerprint']}, code {board['code_version']}, seed {board['seed']}."]
    return "\n".join([*rows, board["disclaimer"]])
