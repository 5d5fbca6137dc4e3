"""A Model Context Protocol server: the environment and the knowledge as tools."""
