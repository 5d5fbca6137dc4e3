"""Typed storage of assets."""
