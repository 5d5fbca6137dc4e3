"""Speed of the server beside OpenEnv's own, through OpenEnv's own client."""
