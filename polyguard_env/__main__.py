"""`python -m polyguard_env`: review a regimen, search the evidence, build the knowledge snapshot."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from polyguard_env.commands import (
    bandit_benchmark,
    build_knowledge,
    collect_names,
    collect_rxcuis,
    compile_rules,
    episode,
    evidence,
    review,
    taper,
    trust,
)
from polyguard_env.errors import PolyGuardError

COMMANDS = {
    "review": (review, "findings of a patient file or a list of drugs"),
    "taper": (taper, "days and doses of stopping a drug"),
    "evidence": (evidence, "passages that answer a question"),
    "bandit-benchmark": (bandit_benchmark, "reference learners on the simulated polypharmacy benchmark"),
    "episode": (episode, "one episode, annotated step by step"),
    "trust": (trust, "the proofs of trust, measured: scoreboard of policies, attacks, leaks and checkers"),
    "compile": (compile_rules, "compile the rules ahead of their first use"),
    "collect-names": (collect_names, "renew the tables of brands and products from FDA's names list"),
    "collect-rxcuis": (collect_rxcuis, "renew the table of RxNorm ids from pinned value sets"),
    "build-knowledge": (build_knowledge, "rebuild the packaged knowledge snapshot"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; 0 on success, 2 on bad input (with one clear line on standard error)."""
    parser = argparse.ArgumentParser(prog="polyguard_env", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, (module, about) in COMMANDS.items():
        module.add_arguments(commands.add_parser(name, help=about, description=about))
    arguments = parser.parse_args(argv)
    try:
        return int(COMMANDS[arguments.command][0].run(arguments))
    except PolyGuardError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
