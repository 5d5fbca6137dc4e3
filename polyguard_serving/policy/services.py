"""What the routes need, made once for an application: the model's process, the index, the environment for cases."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import FastAPI

from polyguard_env.agents.checking import checked_observation
from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.environment.messages import PolyGuardObservation
from polyguard_env.errors import PolyGuardError
from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_serving.clinic import evidence_index
from polyguard_serving.offload import Offload
from polyguard_serving.policy.lake import data_lake
from polyguard_serving.policy.model_process import ModelProcess
from polyguard_serving.policy.peer_model import Model, PeerModel
from polyguard_serving.policy.types import Decided
from polyguard_serving.refusals import Refusal
from polyguard_serving.relay import FIRST

if TYPE_CHECKING:
    from polyguard_env.evidence.search import EvidenceIndex

# Fields that name one drug.
DRUG_FIELD = re.compile(r"drugs\[|[.]drug(_id)?$")
INDEX_FOLDER = "evidence/index"


class PolicyServices:
    """Shared by the API and the Workbench of one application.

    Args:
        lake: the data lake. model: who answers for the active model; when None, a process made for the lake, or the
            worker of this server that has it.
    """

    def __init__(self, app: FastAPI, lake: Path | None = None, model: Model | None = None) -> None:
        self.app = app
        self.lake = lake if lake is not None else data_lake()
        self.model: Model = model if model is not None else _model_of(app, self.lake)
        self.knowledge = KnowledgeBase.default()
        # Reviews take milliseconds; the first search makes the index, which takes seconds: neither waits for the other.
        self.work = Offload("policy", threads=1, waiting=32, timeout_s=60.0)
        self.searches = Offload("evidence", threads=1, waiting=32, timeout_s=60.0)
        self._index: EvidenceIndex | None = None
        self._lock = threading.Lock()
        self.index_kind = "packaged"

    def index(self) -> EvidenceIndex:
        """The materialized evidence index when it fits the knowledge served, else one made from the packaged tables.

        Raises:
            PolyGuardError: the materialized index is broken.
        """
        with self._lock:
            if self._index is None:
                folder = self.lake / INDEX_FOLDER
                if (folder / "manifest.json").is_file():
                    from polyguard_env.evidence.search import EvidenceIndex

                    self._index, self.index_kind = EvidenceIndex.load(folder, self.knowledge), "materialized"
                else:
                    # The one the MCP tools search, so that it is made and held once.
                    self._index = evidence_index()
            return self._index

    async def observation(self, asked: Decided) -> PolyGuardObservation:
        """The observation of a request.

        Raises:
            PolyGuardError: an episode this server does not hold, or an observation no environment would send.
        """
        found = asked.observation if not asked.episode_id else await self._of_episode(asked.episode_id)
        with understood():
            return checked_observation(found, self.knowledge)

    async def _of_episode(self, episode_id: str) -> PolyGuardObservation:
        service = getattr(self.app.state, "service", None)
        if service is None:
            raise PolyGuardError("episode_id", episode_id, "this server holds no episodes: send the observation")
        # A checkpoint read into another environment gives the observation again and leaves the episode alone,
        # whichever worker holds it.
        seen = PolyGuardEnv().set_state(await service.checkpoint(episode_id))
        if seen.done:
            raise Refusal("CONFLICT", "episode_id", episode_id, "the episode has ended, and there is nothing to decide")
        return seen


@contextmanager
def understood() -> Iterator[None]:
    """What is said fits its schema; when it does not fit the knowledge, that is NOT_FOUND for a drug, else CONFLICT."""
    try:
        yield
    except Refusal:
        raise
    except PolyGuardError as error:
        code = "NOT_FOUND" if DRUG_FIELD.search(error.field) else "CONFLICT"
        raise Refusal(code, error.field, error.value, error.fix) from error


def _model_of(app: FastAPI, lake: Path) -> Model:
    place = getattr(app.state, "place", None)
    return ModelProcess(lake) if place is None or place.first else PeerModel(place.peers, FIRST)


def services_of(app: FastAPI) -> PolicyServices:
    """The application's services, made when first asked for."""
    if not hasattr(app.state, "policy"):
        app.state.policy = PolicyServices(app)
    found: PolicyServices = app.state.policy
    return found
