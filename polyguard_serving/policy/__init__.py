"""Policy and evidence API: what a model, the agents and the tables say about a case.

The model lives in a process of its own (`model_worker`); nothing here imports torch.
"""
