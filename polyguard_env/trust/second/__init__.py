"""The second checker: findings, legality and whole episodes worked out again, brute force, from the raw tables.

`tables.py`, `findings.py`, `legality.py`, `holds.py`, `dynamics.py`, `risk.py` and `verdict.py` import nothing of the
project but one another (a test holds them to it), so an error in the first implementation is not repeated here.
`agreement.py` holds reviews against them, `episodes.py` holds random walks through the environment.
"""
