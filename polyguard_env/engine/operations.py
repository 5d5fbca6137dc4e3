"""What the compiled rules can be asked to do, and the codes of what they report; no compiler is needed to read this."""

from __future__ import annotations

BEGIN, ADVANCE, RESTORE, PRICES, LESSENED, UNREADABLE, PREPARE, START, DRAFT = range(9)
# Draws of a scenario before giving up.
ATTEMPTS = 1000
# What a harm event is about where it is neither a finding nor a condition left untreated.
OF_LOAD, OF_UNKNOWN = -1001, -1002
