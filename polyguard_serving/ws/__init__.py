"""The websocket: OpenEnv's messages and ours, and the protocol under them."""
