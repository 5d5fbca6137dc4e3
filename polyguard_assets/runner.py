"""`python -m polyguard_assets.runner`: what a runner Space does. It works through its model runs one after the other in
processes of their own, and shows where it stands.

    POLYGUARD_RUNNER_MODE   train: make each run and publish it; evaluate: evaluate what is published
    POLYGUARD_MODEL_RUNS    names of model runs, comma-separated
    POLYGUARD_RESULTS_REPO  dataset repository on the hub: results go there, or come from there
    SPACE_ID                set by the hub: a training Space pauses itself when it is done, and costs nothing more
"""

from __future__ import annotations

import html
import os
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from polyguard_assets.hub import Hub, hub_errors
from polyguard_assets.paths import project_root, reports_folder
from polyguard_assets.published import publish, results_repo
from polyguard_assets.training.model_runs import model_run
from polyguard_env.environment.messages import DISCLAIMER
from polyguard_env.errors import PolyGuardError
from polyguard_env.net import checked_port

MODES = {"train": "polyguard_assets.demo", "evaluate": "polyguard_assets.published"}
SHOWN_LINES = 40
SHOWN_TYPES = {".json", ".png"}


@dataclass(slots=True)
class RunState:
    """Where one model run stands.

    Attributes:
        stage: queued, running, publishing, done or failed.
        seconds: it has taken.
        published: revision on the hub.
        log: its last lines.
    """

    stage: str = "queued"
    seconds: float = 0.0
    published: str = ""
    log: deque[str] = field(default_factory=lambda: deque(maxlen=SHOWN_LINES))


class Runner:
    """The work and its state.

    Args:
        mode: "train" or "evaluate".
        runs: names of model runs.
        command: what is run for a model run, before `--model-run NAME`.

    Raises:
        PolyGuardError: an unknown mode or model run.
    """

    def __init__(self, mode: str, runs: Sequence[str], command: Sequence[str] | None = None) -> None:
        if mode not in MODES:
            raise PolyGuardError("POLYGUARD_RUNNER_MODE", mode, f"use one of {', '.join(MODES)}")
        if not runs:
            raise PolyGuardError("POLYGUARD_MODEL_RUNS", "", "name at least one model run")
        for name in runs:
            model_run(name)
        self.mode, self.command = mode, list(command or [sys.executable, "-m", MODES[mode]])
        self.states = {name: RunState() for name in runs}

    def work(self) -> None:
        """Do every run; one that fails does not stop the others."""
        for name, state in self.states.items():
            began = time.monotonic()
            state.stage = "running"
            try:
                self._process(name, state, began)
                if self.mode == "train":
                    state.stage = "publishing"
                    state.published = publish(Hub(), name, results_repo())
                state.stage = "done"
            except PolyGuardError as error:
                state.log.append(f"error: {error}")
                state.stage = "failed"
            state.seconds = round(time.monotonic() - began, 1)
            print(f"{name}: {state.stage} after {state.seconds:.0f} s", flush=True)
        self._rest()

    def _process(self, name: str, state: RunState, began: float) -> None:
        process = subprocess.Popen(
            [*self.command, "--model-run", name], cwd=project_root(), stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors="replace",
        )  # fmt: skip
        assert process.stdout is not None
        for line in process.stdout:
            print(f"{name}: {line}", end="", flush=True)
            state.log.append(line.rstrip("\n"))
            state.seconds = round(time.monotonic() - began, 1)
        if process.wait() != 0:
            raise PolyGuardError("model_run", name, f"its process ended with {process.returncode}: read its last lines")

    def _rest(self) -> None:
        """Pause a training Space, so that its hardware costs nothing more; one that failed stays up to be read."""
        space = os.environ.get("SPACE_ID", "")
        if self.mode != "train" or not space or any(state.stage == "failed" for state in self.states.values()):
            return
        hub = Hub()
        with hub_errors(hub.url):
            hub.api().pause_space(space)

    def status(self) -> dict[str, object]:
        """Everything as JSON."""
        runs = {name: asdict(state) | {"log": list(state.log)} for name, state in self.states.items()}
        return {"mode": self.mode, "disclaimer": DISCLAIMER, "runs": runs}

    def page(self) -> str:
        """Everything for a person."""
        rows = "".join(
            f"<tr><th scope='row'>{html.escape(name)}</th><td>{state.stage}</td><td>{state.seconds:.0f}</td>"
            f"<td>{html.escape(state.published)}</td></tr>"
            for name, state in self.states.items()
        )
        links = "".join(
            f"<li><a href='/evidence/{html.escape(name)}'>{html.escape(name)}</a></li>" for name in evidence()
        )
        logs = "".join(
            f"<h2>{html.escape(name)}</h2><pre>{html.escape(chr(10).join(state.log))}</pre>"
            for name, state in self.states.items()
            if state.log
        )
        return (
            f"<!doctype html><html lang='en'><meta charset='utf-8'><title>PolyGuard {self.mode}</title>"
            f"<body style='font-family:sans-serif;max-width:60em;margin:2em auto'><h1>PolyGuard: {self.mode}</h1>"
            f"<p><strong>{DISCLAIMER}</strong></p><table><thead><tr><th>model run</th><th>stage</th><th>seconds</th>"
            f"<th>published</th></tr></thead><tbody>{rows}</tbody></table>"
            f"<h2>Evidence</h2><ul>{links or '<li>none yet</li>'}</ul>{logs}</body></html>"
        )


def evidence() -> dict[str, Path]:
    """Reports that may be read, by name: those sent along, and those made here."""
    found: dict[str, Path] = {}
    for folder in (project_root() / "evidence", reports_folder()):
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.suffix in SHOWN_TYPES:
                found[path.relative_to(folder).as_posix()] = path
    return found


def application(runner: Runner) -> Starlette:
    """The page, the state as JSON, health, and the evidence by name."""

    async def page(request: Request) -> Response:
        return HTMLResponse(runner.page())

    async def status(request: Request) -> Response:
        return JSONResponse(runner.status())

    async def health(request: Request) -> Response:
        return JSONResponse({"status": "healthy"})

    async def report(request: Request) -> Response:
        path = evidence().get(request.path_params["name"])
        return JSONResponse({"error": "no such report"}, 404) if path is None else FileResponse(path)

    return Starlette(routes=[
        Route("/", page), Route("/status", status), Route("/health", health), Route("/evidence/{name:path}", report),
    ])  # fmt: skip


def main() -> int:
    """Work and serve until stopped; 2 with one clear line when it cannot start."""
    try:
        runs = [name for name in os.environ.get("POLYGUARD_MODEL_RUNS", "").split(",") if name]
        runner = Runner(os.environ.get("POLYGUARD_RUNNER_MODE", ""), runs)
        port = checked_port(os.environ.get("PORT", "7860"))
    except PolyGuardError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    threading.Thread(target=runner.work, daemon=True).start()
    uvicorn.run(application(runner), host=os.environ.get("HOST", "0.0.0.0"), port=port, log_level="warning")
    return 0


if __name__ == "__main__":
    sys.exit(main())
