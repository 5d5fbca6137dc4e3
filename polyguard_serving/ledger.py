"""Checkpoints on disk, so that HTTP episodes outlive a killed or restarted server."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import Any

import orjson

from polyguard_env.errors import PolyGuardError

FILE = "episodes.sqlite"
BUSY_SECONDS = 5.0


class Ledger:
    """The last checkpoint of each episode, in SQLite.

    Written through to the system after every step: it outlives the process, though not a power cut.
    Workers share one file; each episode has one owner, so no row has two writers.

    Args:
        folder: created when missing.
        idle_seconds: checkpoints older than this are dropped at the start.
    """

    def __init__(self, folder: Path, idle_seconds: float) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(folder / FILE, timeout=BUSY_SECONDS, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=OFF")
            self._db.execute(
                "CREATE TABLE IF NOT EXISTS episodes"
                " (episode_id TEXT PRIMARY KEY, used REAL NOT NULL, saved BLOB NOT NULL) WITHOUT ROWID"
            )
            self._db.execute("DELETE FROM episodes WHERE used < ?", (time.time() - idle_seconds,))
        except (OSError, sqlite3.Error) as error:
            raise PolyGuardError(
                "POLYGUARD_STATE", folder.name, f"use a folder that can be written ({error})"
            ) from error

    def save(self, episode_id: str, saved: dict[str, Any]) -> None:
        """Keep an episode's checkpoint in place of its last one."""
        row = (episode_id, time.time(), orjson.dumps(saved))
        self._db.execute("INSERT OR REPLACE INTO episodes VALUES (?, ?, ?)", row)

    def load(self, episode_id: str) -> dict[str, Any] | None:
        """An episode's last checkpoint, or None."""
        row = self._db.execute("SELECT saved FROM episodes WHERE episode_id = ?", (episode_id,)).fetchone()
        return None if row is None else orjson.loads(row[0])

    def forget(self, episode_id: str) -> None:
        """Drop an episode's checkpoint."""
        self._db.execute("DELETE FROM episodes WHERE episode_id = ?", (episode_id,))

    def begin(self) -> None:
        """Gather what follows into one write, until `commit`."""
        self._db.execute("BEGIN")

    def commit(self) -> None:
        """End what `begin` began."""
        self._db.execute("COMMIT")

    def close(self) -> None:
        """Close the file."""
        self._db.close()
