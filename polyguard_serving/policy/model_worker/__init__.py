"""The process a model answers from: the only part of the service that imports torch.

It reads one JSON request a line and answers with one JSON line. It loads safetensors only, never
remote code, and nothing that the active model's manifest does not list.
"""
