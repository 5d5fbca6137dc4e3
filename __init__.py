"""OpenEnv entry point of PolyGuard; the code lives in polyguard_env and polyguard_serving."""
