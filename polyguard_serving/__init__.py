"""PolyGuard's services: the OpenEnv environment server and its clients."""
