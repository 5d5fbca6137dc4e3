"""The second checker: findings and legality worked out again, brute force, from the raw tables.

`tables.py`, `findings.py` and `legality.py` import nothing of the project (a test holds them to it), so an error in the
first implementation is not repeated here. `agreement.py` holds the two against each other.
"""
