"""OpenEnv's server as it comes, with an environment that does nothing: what ours is measured against."""

from __future__ import annotations

from typing import Any

from openenv.core import Action, Environment, Observation, State, create_app

MOST_SESSIONS = 100


class HelloAction(Action):
    """A greeting."""

    text: str = ""


class HelloObservation(Observation):
    """The greeting back."""

    text: str = ""


class Hello(Environment[HelloAction, HelloObservation, State]):
    """Greets."""

    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self) -> None:
        super().__init__()
        self._state = State(episode_id="hello", step_count=0)

    def reset(self, seed: int | None = None, episode_id: str | None = None, **options: Any) -> HelloObservation:
        self._state = State(episode_id=episode_id or "hello", step_count=0)
        return HelloObservation(done=False, reward=0.0, text="hello")

    def step(self, action: HelloAction, timeout_s: float | None = None, **options: Any) -> HelloObservation:
        self._state.step_count += 1
        return HelloObservation(done=False, reward=0.5, text=action.text)

    @property
    def state(self) -> State:
        return self._state


app = create_app(Hello, HelloAction, HelloObservation, env_name="hello", max_concurrent_envs=MOST_SESSIONS)
