"""PolyGuard's domain: knowledge, patients, risk, environment, reward and policies.

A research environment, not a medical device: nothing here is for patient care.
This package imports neither dagster, torch, fastapi nor gradio.
"""
