"""`python -m polyguard_env compile`: compile the rules ahead of their first use."""

from __future__ import annotations

import argparse

from polyguard_env.engine.call import compile_rules
from polyguard_env.engine.folder import FOLDER, kept


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command has no options; NUMBA_CACHE_DIR says where compiled code goes."""


def run(arguments: argparse.Namespace) -> int:
    """Compile, unless what is kept is current, and say where the code is."""
    there = kept()
    seconds = compile_rules()
    print(f"rules {'loaded' if there else 'compiled'} in {seconds:.1f} s: {FOLDER}")
    return 0
