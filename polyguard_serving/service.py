"""The parts of a running service, made once and shared by its routes."""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.errors import PolyGuardError
from polyguard_serving import memory
from polyguard_serving.episodes import Episodes
from polyguard_serving.host import Host
from polyguard_serving.ledger import Ledger
from polyguard_serving.logs import Log
from polyguard_serving.mcp.protocol import Mcp
from polyguard_serving.mcp.tools import tools
from polyguard_serving.offload import Offload
from polyguard_serving.options import StateOptions
from polyguard_serving.peers import Answer, Peers
from polyguard_serving.pricing import Pricer
from polyguard_serving.refusals import Refusal, code_of
from polyguard_serving.relay import FIRST
from polyguard_serving.sessions import EpisodeStore
from polyguard_serving.settings import Settings
from polyguard_serving.slots import OwnSlots, Slots
from polyguard_serving.tally import Tally
from polyguard_serving.ws.desk import Desk

MOST_BATCH_EPISODES = 65_536
REAP_SECONDS = 5.0
LOADING_SECONDS = 30.0
# The call between workers that asks for an episode which sessions play.
IN_SESSIONS = "in_sessions"
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


@dataclass(frozen=True, slots=True)
class Place:
    """A worker's place among the others of its server.

    Attributes:
        peers: the way to the others.
        sessions, episodes: the slots all of them share.
    """

    peers: Peers
    sessions: Slots
    episodes: Slots

    @property
    def first(self) -> bool:
        """True for the worker that holds the pages and the policy model."""
        return self.peers.me == FIRST

    @property
    def pages(self) -> Path:
        """Where that worker listens for requests to the pages."""
        return self.peers.folder / "pages.sock"


@dataclass(slots=True)
class Service:
    """What the routes share."""

    settings: Settings
    tally: Tally
    log: Log
    episodes: Episodes
    pricer: Pricer
    lookups: Offload
    mcp: Mcp
    desk: Desk
    slots: Slots
    peers: Peers | None = None
    reaping: asyncio.Task[None] | None = None
    loading: asyncio.Task[None] | None = None
    failure: PolyGuardError | None = None
    failed: Callable[[], None] = field(default=lambda: None)
    # What parts of the application answer to other workers, by the name of the call.
    answers: dict[str, Answer] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: Settings, place: Place | None = None) -> Service:
        """The service of a worker.

        Raises:
            PolyGuardError: the state folder cannot be written.
        """
        tally = Tally()
        log = Log.to_standard_error(tally) if settings.log_format == "json" else Log(tally)
        kept = Ledger(Path(settings.state_folder), settings.session_timeout) if settings.state_folder else None
        peers = place.peers if place else None
        slots = place.sessions if place else OwnSlots(settings.sessions)
        store = EpisodeStore(place.episodes if place else settings.episodes, settings.session_timeout, ledger=kept)
        episodes = Episodes(Host(store, tally, log), peers)
        lookups = Offload("lookup", threads=1, waiting=32, timeout_s=30.0)
        mcp = Mcp(tools(episodes, lookups))
        batch_slots = OwnSlots(MOST_BATCH_EPISODES)

        def session_host() -> Host:
            return Host(EpisodeStore(batch_slots, settings.session_timeout), tally, log, "ws")

        desk = Desk(settings, slots, session_host, mcp.answer)
        return cls(settings, tally, log, episodes, Pricer(), lookups, mcp, desk, slots, peers)

    async def start(self) -> None:
        """Begin what runs in the background."""
        if self.peers is not None:
            await self.peers.listen(self._peer_answer)
        self.reaping = asyncio.create_task(self._reap())
        self.loading = asyncio.create_task(self._load())

    async def stop(self) -> None:
        """End it."""
        for task in (self.reaping, self.loading):
            if task is not None:
                task.cancel()
        if self.peers is not None:
            await self.peers.close()
        self.lookups.close()
        self.log.close()

    def env(self) -> PolyGuardEnv:
        """An environment for questions that need no episode."""
        return self.pricer.env

    def tasks(self) -> list[dict[str, Any]]:
        """The tasks on offer."""
        return self.env().list_tasks()

    def ready(self) -> str:
        """The fingerprint of the knowledge that is served."""
        return self.env().knowledge.fingerprint

    def held(self) -> int:
        """HTTP episodes of this worker."""
        return len(self.episodes.host.store)

    async def tallies(self) -> list[dict[str, Any]]:
        """The counts of all workers."""
        others = await self.peers.gather("tally") if self.peers is not None else []
        return [self._own_tally(), *(orjson.loads(other) for other in others)]

    def _own_tally(self) -> dict[str, Any]:
        self.tally.gauges = {
            "polyguard_sessions": len(self.desk.open),
            "polyguard_episodes": self.held(),
            "polyguard_resident_memory_bytes": resident_bytes(),
            "polyguard_workers": 1,
        }
        return self.tally.dump()

    async def checkpoint(self, episode_id: str) -> dict[str, Any]:
        """The checkpoint of an episode that runs over HTTP or in a session, on whichever worker.

        Raises:
            PolyGuardError: there is none.
            Refusal: CONFLICT: several sessions play an episode of this id; BUSY: its worker is being restarted.
        """
        asked = StateOptions(episode_id=episode_id)
        try:
            return orjson.loads(await self.episodes.call("checkpoint", asked))["checkpoint"]  # type: ignore[no-any-return]
        except PolyGuardError as error:
            if code_of(error) != "NOT_FOUND":
                raise
            found = self.desk.checkpoints(episode_id)
            if self.peers is not None:
                for others in await self.peers.gather(IN_SESSIONS, asked.model_dump_json().encode()):
                    found += orjson.loads(others)
            if not found:
                raise
        if len(found) > 1:
            fix = f"{len(found)} sessions play an episode of this id: name yours in its reset, or send the observation"
            raise Refusal("CONFLICT", "episode_id", episode_id, fix)
        return found[0]

    async def _peer_answer(self, operation: str, body: bytes) -> bytes:
        if operation == "tally":
            return orjson.dumps(self._own_tally())
        if operation in self.answers:
            return await self.answers[operation](operation, body)
        if operation == IN_SESSIONS:
            return orjson.dumps(self.desk.checkpoints(str(StateOptions.model_validate_json(body).episode_id)))
        return await self.episodes.answer(operation, body)

    async def loaded(self) -> None:
        """Wait until the knowledge is there.

        Raises:
            Refusal: BUSY: it takes longer than a caller should wait.
        """
        if self.loading is None or self.loading.done():
            return
        done, _ = await asyncio.wait({self.loading}, timeout=LOADING_SECONDS)
        if not done:
            raise Refusal("BUSY", "knowledge", "loading", "the server is starting: try again", retry_after=2)

    async def _load(self) -> None:
        """Load the knowledge and whatever the first episode needs, off the event loop: the server lives meanwhile."""
        try:
            await asyncio.get_running_loop().run_in_executor(None, self._first_episode)
        except PolyGuardError as error:
            self.failure = error
            self.failed()

    def _first_episode(self) -> None:
        try:
            self.env().reset(seed=0)
        finally:
            # What is loaded stays: looking through it for garbage would only hold up steps.
            gc.collect()
            memory.trim()
            gc.freeze()
            gc.enable()

    async def _reap(self) -> None:
        while True:
            await asyncio.sleep(min(REAP_SECONDS, self.settings.session_timeout / 2))
            episodes = self.episodes.host.store.drop_idle()
            sessions = self.desk.close_idle()
            if episodes or sessions:
                self.log.event("idle", episodes=episodes, sessions=sessions)


def resident_bytes() -> int:
    """Memory of this process; 0 where the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_BYTES
    except OSError:
        return 0
