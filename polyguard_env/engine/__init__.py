"""The step engine: knowledge and episodes as arrays, every rule once, compiled by numba.

`facts.py` compiles a knowledge base, `packing.py` a scenario; `rules.py`, `risk.py`, `dynamics.py`, `moves.py`,
`verdict.py` and `kernel.py` are the compiled rules that a single episode and a batch both run through; `engine.py`
is the way in.
"""

from polyguard_env.engine.engine import Engine, engine_of

__all__ = ["Engine", "engine_of"]
