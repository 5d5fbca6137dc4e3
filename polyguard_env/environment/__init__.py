"""The environment: scenarios, candidates, dynamics and the episode loop."""
