"""Deploying a docker Space: make it, send it exactly its files in one commit, wait for its build, find its address."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx

from polyguard_assets.hub import Hub, hub_errors
from polyguard_env.errors import PolyGuardError

if TYPE_CHECKING:
    from huggingface_hub import HfApi, SpaceRuntime

KEPT = {".gitattributes"}
LOG_LINES = 30
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class SpacePlan:
    """What a Space is to be.

    Attributes:
        name: of the Space, below the owner.
        files: path in the repository to content.
        hardware: flavour such as "cpu-basic" or "a10g-small".
        variables: public environment variables.
        secrets: environment variables nobody can read back; left alone on the hub when empty.
        sleep_seconds: idle seconds until paid hardware sleeps; None leaves the hub's default.
        private: whether only the owner sees it.
    """

    name: str
    files: Mapping[str, bytes]
    hardware: str = "cpu-basic"
    variables: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    sleep_seconds: int | None = None
    private: bool = False


@dataclass(frozen=True, slots=True)
class DeployedSpace:
    """A Space that runs the commit it was sent.

    Attributes:
        repo_id: owner/name.
        page: its page on the hub.
        url: where its application answers.
        commit: revision that runs.
        hardware: flavour it runs on.
        build_seconds: from upload to running.
    """

    repo_id: str
    page: str
    url: str
    commit: str
    hardware: str
    build_seconds: float


def deploy(hub: Hub, plan: SpacePlan, say: Say) -> DeployedSpace:
    """Make or update a Space and wait until it runs.

    Args:
        hub: where to.
        plan: what.
        say: told of each step and of each stage of the build.

    Raises:
        PolyGuardError: no token, a refusal by the hub, a build or start that failed (with the end of its log), or one
            that took longer than the hub's build timeout.
    """
    api = hub.api()
    repo_id = f"{hub.owner(api)}/{plan.name}"
    with hub_errors(hub.url):
        _make(api, repo_id, plan)
        say(f"{repo_id}: sending {len(plan.files)} files")
        commit = _send(api, repo_id, plan)
        began = time.monotonic()
        runtime = _wait(api, repo_id, commit, hub, say)
        host = api.space_info(repo_id).host
    if not host:
        raise PolyGuardError("space", repo_id, "the hub names no address for it: open its page and check its settings")
    seconds = round(time.monotonic() - began, 1)
    url = host.rstrip("/")
    answering(url, hub.token() if plan.private else "", hub.answer_timeout, say)
    return DeployedSpace(
        repo_id, f"{hub.url}/spaces/{repo_id}", url, commit, str(runtime.hardware or plan.hardware), seconds
    )


def _make(api: HfApi, repo_id: str, plan: SpacePlan) -> None:
    """The Space with its hardware, variables and secrets, whether or not it was there before."""
    api.create_repo(
        repo_id, repo_type="space", space_sdk="docker", private=plan.private, exist_ok=True,
        space_hardware=plan.hardware,  # type: ignore[arg-type]
        space_variables=_pairs(plan.variables), space_secrets=_pairs(plan.secrets),
    )  # fmt: skip
    for key, value in plan.variables.items():
        api.add_space_variable(repo_id, key, value)
    for key, value in plan.secrets.items():
        api.add_space_secret(repo_id, key, value)
    runtime = api.get_space_runtime(repo_id)
    if plan.hardware not in (runtime.requested_hardware, runtime.hardware):
        api.request_space_hardware(repo_id, plan.hardware, sleep_time=plan.sleep_seconds)  # type: ignore[arg-type]
    elif plan.sleep_seconds is not None:
        api.set_space_sleep_time(repo_id, plan.sleep_seconds)


def on_loopback(url: str) -> bool:
    """Whether a URL is this machine's, which no proxy may stand before."""
    return urlsplit(url).hostname in ("127.0.0.1", "localhost", "::1")


def _pairs(values: Mapping[str, str]) -> list[dict[str, str]] | None:
    return [{"key": key, "value": value} for key, value in values.items()] or None


def _send(api: HfApi, repo_id: str, plan: SpacePlan) -> str:
    """Exactly the plan's files in one commit (so that the Space builds once); the revision."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    there = set(api.list_repo_files(repo_id, repo_type="space")) - KEPT
    removed = [CommitOperationDelete(path) for path in sorted(there - set(plan.files))]
    added = [CommitOperationAdd(path, content) for path, content in sorted(plan.files.items())]
    answer = api.create_commit(repo_id, [*removed, *added], commit_message=f"Deploy {plan.name}", repo_type="space")
    return str(answer.oid)


def _wait(api: HfApi, repo_id: str, commit: str, hub: Hub, say: Say) -> SpaceRuntime:
    """The runtime once this commit runs."""
    from huggingface_hub import SpaceStage
    from huggingface_hub._space_api import INTERMEDIATE_SPACE_STAGES

    deadline = time.monotonic() + hub.build_timeout
    last = ""
    while True:
        runtime = api.get_space_runtime(repo_id)
        stage = str(getattr(runtime.stage, "value", runtime.stage))
        if stage != last:
            say(f"{repo_id}: {stage}")
            last = stage
        # Until the hub notices the commit, an older revision may still be the one that runs.
        current = runtime.raw.get("sha") in (None, commit)
        if stage == SpaceStage.RUNNING and current:
            return runtime
        if current and stage not in (*INTERMEDIATE_SPACE_STAGES, SpaceStage.RUNNING):
            building = stage in (SpaceStage.BUILD_ERROR, SpaceStage.CONFIG_ERROR, SpaceStage.NO_APP_FILE)
            why = runtime.raw.get("errorMessage") or "no message"
            raise PolyGuardError(
                "space", f"{repo_id}: {stage}", f"{why}; end of its log:\n{_log(api, repo_id, build=building)}"
            )
        if time.monotonic() > deadline:
            raise PolyGuardError(
                "space", f"{repo_id}: {stage}",
                f"not running {hub.build_timeout:.0f} s after the upload: raise the hub's build_timeout or read the "
                f"log, which ends:\n{_log(api, repo_id, build=True)}",
            )  # fmt: skip
        time.sleep(hub.poll_seconds)


def _log(api: HfApi, repo_id: str, build: bool) -> str:
    """The last lines of a Space's build or run log."""
    from huggingface_hub.errors import HfHubHTTPError

    try:
        lines = [line.rstrip("\n") for line in api.fetch_space_logs(repo_id, build=build)]
    except (HfHubHTTPError, httpx.HTTPError) as error:
        return f"(the log cannot be had: {type(error).__name__})"
    return "\n".join(lines[-LOG_LINES:]) or "(empty)"


def answering(url: str, token: str, seconds: float, say: Say, path: str = "/health") -> None:
    """Return once the application says it is healthy, or ready at "/ready"; a private Space wants the hub's token.

    Raises:
        PolyGuardError: it does not within that time.
    """
    deadline = time.monotonic() + seconds
    told = "no answer"
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    while time.monotonic() < deadline:
        try:
            answer = httpx.get(f"{url}{path}", headers=headers, timeout=10.0, trust_env=not on_loopback(url))
            if answer.status_code == 200:
                say(f"{url}: {path[1:]}")
                return
            told = f"HTTP {answer.status_code}"
        except httpx.HTTPError as error:
            told = type(error).__name__
        time.sleep(min(1.0, seconds / 10))
    raise PolyGuardError(
        "space", url, f"it runs but {path} does not answer after {seconds:.0f} s ({told}): read its run log"
    )


def runner_status(url: str, token: str) -> dict[str, Any]:
    """What a runner Space says it does.

    Args:
        url: of its application.
        token: of the hub; a private Space lets nobody else in.

    Raises:
        PolyGuardError: it does not say.
    """
    try:
        answer = httpx.get(
            f"{url}/status", headers={"Authorization": f"Bearer {token}"}, timeout=30.0, trust_env=not on_loopback(url)
        )
        answer.raise_for_status()
        return dict(answer.json())
    except (httpx.HTTPError, ValueError) as error:
        raise PolyGuardError(
            "space", url, f"it does not say what it runs ({type(error).__name__}): read its log"
        ) from error
