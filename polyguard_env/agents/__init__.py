"""Agents: each looks at the board, adds one note, and together they decide one step. Pure and deterministic."""
