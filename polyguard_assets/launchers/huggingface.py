"""Training entry points as jobs on the Hugging Face hub, reporting to the run through Dagster Pipes.

Files travel through a private dataset repository; messages come out of the job's log. A job carries the labels of its
run, so a run that is retried finds it again instead of paying for a second one.
"""

from __future__ import annotations

import json
import re
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import dagster as dg
from dagster import PipesEnvContextInjector, PipesMessageReader, open_pipes_session
from dagster._core.errors import DagsterExecutionInterruptedError
from dagster._core.pipes.context import PipesMessageHandler
from dagster._core.pipes.utils import extract_message_or_forward_to_stdout
from dagster_pipes import PipesDefaultMessageWriter, PipesParams

from polyguard_assets.hub import Hub, hub_errors
from polyguard_assets.hub_files import below, names_below, receive, send
from polyguard_assets.launchers.accelerator import Accelerator, reported
from polyguard_assets.launchers.remote import JOB_VARIABLE, KNOWLEDGE_NAME, RemoteJob
from polyguard_assets.launchers.travel import Item, plan, returned
from polyguard_assets.paths import knowledge_folder
from polyguard_assets.training.config import ProcessConfig
from polyguard_assets.training.publish import write_json
from polyguard_env.errors import PolyGuardError

if TYPE_CHECKING:
    from huggingface_hub import HfApi, JobInfo

LIVE = ("SCHEDULING", "RUNNING")
TERMINAL = ("COMPLETED", "ERROR", "CANCELED", "DELETED")
LOG_LINES = 20
TRAINING_SPACE = "polyguard-training"


class HuggingFaceAccelerator(Accelerator):
    """A GPU rented on the hub.

    Attributes:
        hub: where jobs run and files travel.
        flavor: hardware of a job.
        image: container image; that of the training Space when empty.
        timeout_seconds: after which the hub ends a job (its own default is half an hour).
        repo: name of the private dataset repository files travel through.
        checkpoint_seconds: between two sendings of a job's checkpoints.
        python: the image's Python.
    """

    hub: Hub
    flavor: str = "a10g-small"
    image: str = ""
    timeout_seconds: int = 6 * 3600
    repo: str = "polyguard-jobs"
    checkpoint_seconds: float = 900.0
    python: str = "python"

    def run(self, context: dg.AssetExecutionContext, module: str, config: ProcessConfig) -> dict[str, Any]:
        """Run an entry point as a job and return its result, with every file it wrote here.

        Raises:
            PolyGuardError: no token, the hub refuses, the job ended otherwise than by its own result, or the process
                reported bad input (same field, value and fix).
        """
        api = self.hub.api()
        owner = self.hub.owner(api)
        run = context.run.root_run_id or context.run_id
        step = re.sub(r"[^\w.-]", "-", f"{context.op_execution_context.get_step_execution_context().step.key}")
        partition = re.sub(r"[^\w.-]", "-", context.partition_key) if context.has_partition_key else "all"
        labels = {"polyguard-run": run, "polyguard-step": step, "polyguard-partition": partition}
        prefix, repo_id = f"runs/{run}/{step}/{partition}", f"{owner}/{self.repo}"
        with hub_errors(self.hub.url):
            live = next(iter(api.list_jobs(labels=labels, status=list(LIVE), namespace=owner)), None)
        root = f"/tmp/polyguard-{uuid4().hex}" if live is None else _root_of(live)
        remote_config, items = plan(config.to_dict(), root)
        reader = LogReader()
        with (
            open_pipes_session(
                context=context, context_injector=PipesEnvContextInjector(), message_reader=reader
            ) as session,
            hub_errors(self.hub.url),
        ):
            if live is None:
                self._send_inputs(api, repo_id, prefix, items)
                live = self._launch(api, owner, labels, session.get_bootstrap_env_vars(), RemoteJob(
                    repo_id, prefix, root, module, remote_config, tuple(i.name for i in items if i.returns),
                    tuple(i.name for i in items if i.checkpoint),
                    self.checkpoint_seconds,
                ))  # fmt: skip
                context.log.info(f"{module}: job {live.url} on {self.flavor}")
            else:
                context.log.info(f"{module}: going on with job {live.url} of an earlier try")
            stage, tail = self._follow(api, owner, live, reader)
        with hub_errors(self.hub.url):
            names = names_below(api, repo_id, f"{prefix}/out/") if stage in ("COMPLETED", "ERROR") else []
            receive(api, repo_id, _places(names, f"{prefix}/out/", items))
        result_path = Path(config.result_path)
        if stage != "COMPLETED":
            raise reported(result_path) or PolyGuardError(
                "job", f"{live.url}: {stage}", f"read its log, which ends:\n{tail or '(empty)'}"
            )
        result = returned(json.loads(result_path.read_text(encoding="utf-8")), root, items)
        write_json(result_path, result)
        return dict(result)

    def _send_inputs(self, api: HfApi, repo_id: str, prefix: str, items: list[Item]) -> None:
        files: dict[str, Path] = {}
        for item in items:
            if item.goes:
                files |= below(item.local, f"{prefix}/in/{item.name}")
        if knowledge_folder().is_dir():
            files |= below(knowledge_folder(), f"{prefix}/in/{KNOWLEDGE_NAME}")
        send(api, repo_id, files, f"Inputs of {prefix}")

    def _launch(
        self, api: HfApi, owner: str, labels: dict[str, str], pipes: Any, job: RemoteJob
    ) -> JobInfo:  # fmt: skip
        return api.run_job(
            image=self.image or f"hf.co/spaces/{owner}/{TRAINING_SPACE}",
            command=[self.python, "-m", "polyguard_assets.launchers.remote"],
            env={**pipes, JOB_VARIABLE: job.to_json(), "HF_ENDPOINT": self.hub.url},
            secrets={"HF_TOKEN": self.hub.token()}, flavor=self.flavor,  # type: ignore[arg-type]
            timeout=self.timeout_seconds, labels=labels, namespace=owner,
        )  # fmt: skip

    def _follow(self, api: HfApi, owner: str, job: JobInfo, reader: LogReader) -> tuple[str, str]:
        """Pass the job's log on until it ends; its last stage and the end of its log."""
        seen = 0
        tail: deque[str] = deque(maxlen=LOG_LINES)
        try:
            while True:
                for number, line in enumerate(api.fetch_job_logs(job_id=job.id, namespace=owner, follow=True)):
                    if number >= seen:
                        seen = number + 1
                        if reader.take(line.rstrip("\n")):
                            tail.append(line.rstrip("\n"))
                stage = str(getattr((status := api.inspect_job(job_id=job.id, namespace=owner).status).stage, "value",
                                    status.stage))  # fmt: skip
                if stage in TERMINAL:
                    return stage, "\n".join(tail)
                time.sleep(self.hub.poll_seconds)
        except (DagsterExecutionInterruptedError, KeyboardInterrupt):
            api.cancel_job(job_id=job.id, namespace=owner)
            raise


class LogReader(PipesMessageReader):
    """Turns the lines of a job's log into Pipes messages; other lines go to standard output."""

    def __init__(self) -> None:
        self._handler: PipesMessageHandler | None = None

    @contextmanager
    def read_messages(self, handler: PipesMessageHandler) -> Iterator[PipesParams]:
        """Tell the far side to write its messages to standard output."""
        self._handler = handler
        try:
            yield {PipesDefaultMessageWriter.STDIO_KEY: PipesDefaultMessageWriter.STDOUT}
        finally:
            self._handler = None

    def take(self, line: str) -> bool:
        """Handle one line; True when it is for people."""
        assert self._handler is not None
        extract_message_or_forward_to_stdout(self._handler, line)
        return "__dagster_pipes_version" not in line

    def no_messages_debug_text(self) -> str:
        return "Expected messages in the log of a job on the hub; see the job's page for what it printed."


def _root_of(job: JobInfo) -> str:
    """The folder a job that runs already was given."""
    return str(json.loads((job.environment or {})[JOB_VARIABLE])["root"])


def _places(names: list[str], prefix: str, items: list[Item]) -> dict[str, Path]:
    """Where returned files belong here."""
    found = {}
    for name in names:
        first, _, rest = name.removeprefix(prefix).partition("/")
        item = next((item for item in items if item.name == first and item.returns), None)
        if item is not None:
            found[name] = item.local / rest if rest else item.local
    return found
