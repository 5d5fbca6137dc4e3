"""Deployment: the environment, the sweep runner and the evidence as Spaces on the hub."""
