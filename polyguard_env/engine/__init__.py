"""The step engine: knowledge and episodes as arrays, every rule once, compiled by numba.

`facts.py` compiles a knowledge base, `packing.py` a scenario; `rules.py`, `risk.py`, `dynamics.py`, `moves.py`,
`verdict.py` and `kernel.py` are the compiled rules that a single episode and a batch both run through; `engine.py`
is the way in. `call.py` takes their machine code by itself (`machine_code.py`); the compiler is loaded where there is
none yet (`compiling.py`).
"""

from polyguard_env.engine.engine import Engine, engine_of

__all__ = ["Engine", "engine_of"]
