"""Scenarios drawn by compiled code: a person, target drugs, and drugs beside them that start no new trouble."""
