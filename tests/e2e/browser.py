"""A headless Chromium on the Dagster UI, and the UI to point it at."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from playwright.sync_api import Page, sync_playwright

from polyguard_env.net import listen

ROOT = Path(__file__).resolve().parents[2]
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
START_SECONDS = 120


@contextmanager
def dagster_ui(home: Path, lake: Path) -> Iterator[str]:
    """The UI on a free port, over a Dagster home of its own; ended by its own process group."""
    with listen("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    state = home / "state"
    state.mkdir(parents=True, exist_ok=True)
    shutil.copy(ROOT / "dagster.yaml", home / "dagster.yaml")
    environment = os.environ | {
        "DAGSTER_HOME": str(home),
        "POLYGUARD_DAGSTER_STATE": str(state),
        "POLYGUARD_DATA_LAKE": str(lake),
        "POLYGUARD_ROOT": str(ROOT),
    }
    with (home / "ui.log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "polyguard_assets.ui", "--port", str(port)],
            cwd=ROOT,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            url = f"http://127.0.0.1:{port}"
            deadline = time.monotonic() + START_SECONDS
            while not answers(url):
                assert process.poll() is None and time.monotonic() < deadline, (home / "ui.log").read_text()[-2000:]
                time.sleep(0.5)
            yield url
        finally:
            os.killpg(process.pid, 2)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, 9)
                process.wait()


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/server_info", timeout=2, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


@contextmanager
def chromium_page(profile: Path) -> Iterator[Page]:
    """A page of a fresh profile."""
    executable = shutil.which("chromium")
    assert executable, "install Debian's chromium"
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            str(profile), headless=True, executable_path=executable, args=FLAGS, viewport={"width": 1500, "height": 950}
        )
        try:
            yield context.pages[0] if context.pages else context.new_page()
        finally:
            context.close()


def see_lineage(page: Page, url: str, picture: Path | None) -> None:
    """Open the lineage of the whole graph: its groups, then one asset's ancestors."""
    page.goto(f"{url}/asset-groups")
    page.get_by_text("knowledge", exact=True).first.wait_for(timeout=60_000)
    page.goto(f"{url}/assets/charts?view=lineage&lineageScope=upstream&lineageDepth=20")
    page.get_by_text("model_evaluation").first.wait_for(timeout=60_000)
    page.wait_for_timeout(3000)
    if picture:
        page.screenshot(path=picture)


def newest_run(url: str) -> tuple[str, str]:
    """Id and status of the newest run; empty when there is none."""
    query = "{runsOrError(limit: 1) {... on Runs {results {runId status}}}}"
    answer = httpx.post(f"{url}/graphql", json={"query": query}, timeout=10, trust_env=False).json()
    runs = answer["data"]["runsOrError"]["results"]
    return (runs[0]["runId"], runs[0]["status"]) if runs else ("", "")


def materialize(page: Page, url: str, asset: str, picture: Path | None) -> None:
    """Launch a materialization from an asset's page and wait until its run has succeeded."""
    before = newest_run(url)[0]
    page.goto(f"{url}/assets/{asset}")
    page.locator("button", has_text="Materialize").first.click(timeout=60_000)
    deadline = time.monotonic() + START_SECONDS
    run, status = newest_run(url)
    while run == before or status not in ("SUCCESS", "FAILURE", "CANCELED"):
        assert time.monotonic() < deadline, f"the run is still {status}"
        page.wait_for_timeout(1000)
        run, status = newest_run(url)
    assert status == "SUCCESS"
    page.goto(f"{url}/runs")
    page.get_by_text("Success").first.wait_for(timeout=60_000)
    page.wait_for_timeout(1000)
    if picture:
        page.screenshot(path=picture)


def see_metadata(page: Page, url: str, asset: str, wanted: str, picture: Path | None, inline_picture: bool) -> None:
    """Open an asset's page and find a piece of its metadata, and its chart when it has one."""
    page.goto(f"{url}/assets/{asset}?view=overview")
    page.get_by_text(wanted).first.wait_for(timeout=60_000)
    if inline_picture:
        page.get_by_text("Show Markdown").first.click()
        page.locator("img[src^='data:image/png']").first.wait_for(timeout=30_000)
        page.wait_for_timeout(1500)
        box = page.locator("img[src^='data:image/png']").first.bounding_box()
        assert box and box["width"] > 300
        if picture:
            margin = 60
            clip = {"x": box["x"] - margin, "y": box["y"] - margin, "width": box["width"] + 2 * margin}
            page.screenshot(path=picture, clip={**clip, "height": box["height"] + 2 * margin})
    elif picture:
        page.screenshot(path=picture)
