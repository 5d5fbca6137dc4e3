"""What the double of the hub holds and does: repositories, Spaces that really run, jobs that really run."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml

from polyguard_env.engine.folder import FOLDER
from tests.deploy.conftest import unused

ROOT = Path(__file__).resolve().parents[2]
TOKEN, USER = "hf_double_token", "researcher"
ENVIRONMENT = {"PATH", "HOME", "LANG", "POLYGUARD_KNOWLEDGE"}


def now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())


@dataclass
class Repository:
    """One repository: the files of its only branch, and its commits."""

    kind: str
    repo_id: str
    files: dict[str, bytes] = field(default_factory=dict)
    commits: list[str] = field(default_factory=lambda: [hashlib.sha1(os.urandom(8)).hexdigest()])
    summaries: list[str] = field(default_factory=list)


@dataclass
class Space:
    """The running side of a Space."""

    repo_id: str
    hardware: str = "cpu-basic"
    variables: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    sleep: int | None = None
    stage: str = "NO_APP_FILE"
    message: str = ""
    sha: str = ""
    polls: int = 0
    logs: dict[str, list[str]] = field(default_factory=lambda: {"build": [], "run": []})
    process: subprocess.Popen[bytes] | None = None
    port: int = 0
    folder: Path | None = None


@dataclass
class Job:
    """A job and its process."""

    job_id: str
    spec: dict[str, Any]
    process: subprocess.Popen[bytes]
    log: Path
    created: str = field(default_factory=now)
    cancelled: bool = False
    polls: int = 0

    def stage(self) -> str:
        if self.cancelled:
            return "CANCELED"
        code = self.process.poll()
        return "RUNNING" if code is None else "COMPLETED" if code == 0 else "ERROR"


class HubDouble:
    """The state behind the API.

    Args:
        folder: where Spaces are unpacked and logs are kept.
        build_polls: looks at a Space that still show it building.
        stuck: a Space never leaves BUILDING.
        scheduling_polls: looks at a job that still show it waiting for hardware.
    """

    def __init__(self, folder: Path, build_polls: int = 2, stuck: bool = False, scheduling_polls: int = 1) -> None:
        self.folder, self.build_polls, self.stuck, self.scheduling_polls = folder, build_polls, stuck, scheduling_polls
        self.repositories: dict[tuple[str, str], Repository] = {}
        self.spaces: dict[str, Space] = {}
        self.jobs: dict[str, Job] = {}
        self.objects: dict[str, bytes] = {}
        self.requests: list[str] = []
        self.url = ""

    # Repositories

    def create(self, body: dict[str, Any]) -> Repository | None:
        """The new repository; None when there is one of that name."""
        kind = body.get("type") or "model"
        repo_id = f"{body.get('organization') or USER}/{body['name']}"
        if (kind, repo_id) in self.repositories:
            return None
        made = self.repositories[(kind, repo_id)] = Repository(kind, repo_id)
        made.files[".gitattributes"] = b"*.safetensors filter=lfs\n"
        if kind == "space":
            space = self.spaces[repo_id] = Space(repo_id, body.get("hardware") or "cpu-basic")
            space.variables = {item["key"]: item["value"] for item in body.get("variables") or []}
            space.secrets = {item["key"]: item["value"] for item in body.get("secrets") or []}
        return made

    def commit(self, repository: Repository, lines: list[dict[str, Any]]) -> str:
        for line in lines:
            key, value = line["key"], line["value"]
            if key == "header":
                repository.summaries.append(value["summary"])
            elif key == "file":
                repository.files[value["path"]] = base64.b64decode(value["content"])
            elif key == "lfsFile":
                repository.files[value["path"]] = self.objects[value["oid"]]
            elif key == "deletedFile":
                del repository.files[value["path"]]
            else:
                raise ValueError(key)
        sha = hashlib.sha1(repr(sorted(repository.files.items())).encode() + os.urandom(4)).hexdigest()
        repository.commits.append(sha)
        if repository.kind == "space":
            self.build(self.spaces[repository.repo_id], repository, sha)
        return sha

    # Spaces

    def build(self, space: Space, repository: Repository, sha: str) -> None:
        """What the hub does with a commit: read the card, build the Dockerfile, start its CMD."""
        self.end(space)
        space.sha, space.polls, space.logs, space.message = sha, 0, {"build": [], "run": []}, ""
        files = repository.files
        if "Dockerfile" not in files:
            space.stage, space.message = "NO_APP_FILE", "No Dockerfile found"
            return
        found = re.match(r"---\n(.*?)\n---\n", files.get("README.md", b"").decode(), re.DOTALL)
        card = yaml.safe_load(found.group(1)) if found else {}
        if card.get("sdk") != "docker" or not isinstance(card.get("app_port"), int):
            space.stage, space.message = "CONFIG_ERROR", "Missing configuration in README"
            return
        space.stage = "BUILDING"
        dockerfile = files["Dockerfile"].decode()
        space.logs["build"] = [f"--> {line}" for line in dockerfile.splitlines() if line and not line.startswith("#")]
        if "RUN false" in dockerfile:
            space.logs["build"].append('--> ERROR: process "/bin/sh -c false" did not complete: exit code: 1')

    def look(self, space: Space) -> str:
        """The stage now; each look brings a build a little further."""
        if space.stage == "BUILDING" and not self.stuck:
            space.polls += 1
            if space.polls > self.build_polls:
                if "ERROR" in space.logs["build"][-1]:
                    space.stage, space.message = "BUILD_ERROR", "Job failed with exit code: 1"
                else:
                    self.start(space)
        elif space.stage == "APP_STARTING":
            assert space.process is not None
            if space.process.poll() is not None:
                space.stage, space.message = "RUNTIME_ERROR", f"Exit code: {space.process.returncode}"
            elif self.answers(space):
                space.stage = "RUNNING"
        if space.folder is not None and (space.folder / ".log").exists():
            space.logs["run"] = (space.folder / ".log").read_text(errors="replace").splitlines()
        return space.stage

    def start(self, space: Space) -> None:
        files = self.repositories[("space", space.repo_id)].files
        space.folder = self.folder / space.repo_id.replace("/", "--")
        shutil.rmtree(space.folder, ignore_errors=True)
        for name, content in files.items():
            path = space.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            # The image has the rules compiled; their code is found by the sources' content and the entry point's time.
            own = ROOT / name
            if own.is_file() and own.read_bytes() == content:
                shutil.copystat(own, path)
        commands = re.findall(r"^CMD (\[.*\])$", files["Dockerfile"].decode(), re.MULTILINE)
        command = json.loads(commands[-1])
        command[0] = sys.executable if command[0] == "python" else command[0]
        space.port = unused()
        variables = space.variables | space.secrets | {
            "HOST": "127.0.0.1", "PORT": str(space.port), "PYTHONPATH": str(space.folder), "SPACE_ID": space.repo_id,
            "POLYGUARD_ROOT": str(space.folder), "POLYGUARD_DATA_LAKE": str(space.folder / "data_lake"),
            "NUMBA_CACHE_DIR": str(FOLDER.parent), "TMPDIR": str(self.folder), "HF_ENDPOINT": self.url,
            "NO_PROXY": "127.0.0.1",
        }  # fmt: skip
        inherited = {name: value for name, value in os.environ.items() if name in ENVIRONMENT}
        with (space.folder / ".log").open("wb") as sink:
            space.process = subprocess.Popen(
                command, cwd=space.folder, env=inherited | variables, stdout=sink, stderr=subprocess.STDOUT,
                start_new_session=True,
            )  # fmt: skip
        space.stage = "APP_STARTING"

    def answers(self, space: Space) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{space.port}/health", timeout=2, trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False

    @staticmethod
    def end(space: Space) -> None:
        """Stop a Space's container: its process and whatever that started."""
        if space.process is not None:
            if space.process.poll() is None:
                space.process.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    space.process.wait(10)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(space.process.pid, signal.SIGKILL)
            space.process.wait()
        space.process = None

    def runtime(self, space: Space) -> dict[str, Any]:
        stage = self.look(space)
        told: dict[str, Any] = {
            "stage": stage, "hardware": {"current": space.hardware if stage == "RUNNING" else None,
                                         "requested": space.hardware},
            "gcTimeout": space.sleep, "storage": None, "sha": space.sha, "replicas": {"current": 1, "requested": 1},
        }  # fmt: skip
        return told | ({"errorMessage": space.message} if space.message else {})

    # Jobs

    def run_job(self, spec: dict[str, Any]) -> Job:
        job_id = hashlib.md5(os.urandom(8)).hexdigest()[:24]
        log = self.folder / f"job-{job_id}.log"
        command = [sys.executable if word == "python" else word for word in spec["command"]]
        inherited = {name: value for name, value in os.environ.items() if name in {*ENVIRONMENT, "PYTHONPATH"}}
        variables = {"JOB_ID": job_id, "HF_ENDPOINT": self.url, "NO_PROXY": "127.0.0.1", "HF_HUB_DISABLE_XET": "1"}
        work = self.folder / f"job-{job_id}"
        work.mkdir()
        with log.open("wb") as sink:
            process = subprocess.Popen(
                command, env=inherited | spec["environment"] | spec.get("secrets", {}) | variables, stdout=sink,
                stderr=subprocess.STDOUT, cwd=work,
            )  # fmt: skip
        job = self.jobs[job_id] = Job(job_id, spec, process, log)
        return job

    def job_info(self, job: Job) -> dict[str, Any]:
        job.polls += 1
        stage = job.stage()
        if stage == "RUNNING" and job.polls <= self.scheduling_polls:
            stage = "SCHEDULING"
        spec = job.spec
        return {
            "id": job.job_id, "createdAt": job.created, "dockerImage": spec.get("dockerImage"),
            "spaceId": spec.get("spaceId"), "command": spec["command"], "arguments": [],
            "environment": spec["environment"], "flavor": spec["flavor"], "labels": spec.get("labels"),
            "status": {"stage": stage, "message": None}, "owner": {"id": "1", "name": USER, "type": "user"},
            "initiator": {"type": "user", "id": "1", "name": USER},
        }  # fmt: skip

    def close(self) -> None:
        for space in self.spaces.values():
            self.end(space)
        for job in self.jobs.values():
            if job.process.poll() is None:
                job.process.kill()
                job.process.wait()
