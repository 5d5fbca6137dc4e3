"""A model's process that misbehaves as told: `python fake_model.py MODE --lake FOLDER`.

good: answers; slow: never answers; dies: ends at the first question; silent: never gets ready;
babble: says what nobody understands.
"""

from __future__ import annotations

import json
import sys
import time

HELLO = {"source": "grpo_adapter", "label": "fake", "model_run": "fake", "fallback_reason": None}


def say(message: object) -> None:
    print(json.dumps(message), flush=True)


mode = sys.argv[1]
if mode == "silent":
    time.sleep(600)
if mode == "babble":
    print("Traceback (most recent call last):", flush=True)
    time.sleep(600)
say({"ready": HELLO})
for line in sys.stdin:
    request = json.loads(line)
    if mode == "dies":
        sys.exit(1)
    if mode == "slow":
        time.sleep(600)
    many = len(request["candidates"])
    scores = [-float(place) for place in range(many)]
    say({"id": request["id"], "scores": scores, "probabilities": [1.0 / many] * many, "seconds": 0.001})
