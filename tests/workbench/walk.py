"""A person at the bench, in a real Chromium: one whole case, from the patient to the export.

`python -m tests.workbench.walk docs/images --lake data_lake` walks it with the model trained there and keeps pictures;
without a lake a stand-in answers for the model.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, Route

from polyguard_env.active_model import SCHEMA, manifest_path
from polyguard_env.net import listen
from polyguard_serving.app import create
from polyguard_serving.policy.model_process import ModelProcess
from polyguard_serving.policy.services import PolicyServices
from polyguard_serving.settings import Settings
from tests.e2e.browser import chromium_page
from tests.workbench.conftest import DIRECTORY, bundle_file, upc_picture

FAKE = Path(__file__).parents[1] / "policy" / "fake_model.py"
WAIT = 90_000
# Rules that are not compiled yet are compiled first.
START_SECONDS = 180
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


@contextmanager
def bench(folder: Path, trained: Path | None = None) -> Iterator[str]:
    """The whole server on a free port of this process.

    Args:
        trained: a data lake with an active model; without one, a stand-in answers at once.
    """
    lake = folder / "lake"
    if trained is None:
        _stand_in(lake)
    else:
        shutil.copytree(trained / "models", lake / "models", copy_function=os.link)
    place = lake / "raw/supplied/ndc/product.txt"
    place.parent.mkdir(parents=True)
    place.write_text(DIRECTORY, encoding="utf-8")
    app = create(Settings(log_format="off"))
    command = None if trained else (sys.executable, str(FAKE), "good")
    app.state.policy = PolicyServices(app, lake, ModelProcess(lake, command))
    listener = listen("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=2))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    deadline = time.monotonic() + START_SECONDS
    while not server.started or httpx.get(f"{url}/ready", trust_env=False, timeout=60).status_code != 200:
        assert thread.is_alive() and time.monotonic() < deadline
        time.sleep(0.05)
    try:
        yield url
    finally:
        server.should_exit = True
        thread.join(15)


def _stand_in(lake: Path) -> None:
    names = {"path": "models/demo/base", "files": {"model.safetensors": "0" * 64, "config.json": "0" * 64}}
    manifest = {
        "schema": SCHEMA, "model_run": "demo", "label": "stand-in model", "preferred": "grpo_adapter", "base": names,
        "grpo_adapter": names, "merged": None, "knowledge_fingerprint": "",
    }  # fmt: skip
    manifest_path(lake).parent.mkdir(parents=True)
    manifest_path(lake).write_text(json.dumps(manifest), encoding="utf-8")


class Walk:
    """What a person does, and what was noticed on the way.

    Attributes:
        strangers: addresses of other hosts that the page asked for (and did not get).
        complaints: what the browser's console and axe had to say.
    """

    def __init__(self, page: Page, url: str, folder: Path, pictures: Path | None = None) -> None:
        self.page, self.url, self.folder, self.pictures = page, url, folder, pictures
        self.strangers: list[str] = []
        self.complaints: list[str] = []
        page.route("**/*", self._only_here)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _only_here(self, route: Route) -> None:
        address = route.request.url
        if address.startswith((self.url, "data:", "blob:")):
            route.continue_()
        else:
            self.strangers.append(address)
            route.abort()

    def whole_case(self) -> dict[str, Any]:
        """Open, ask, take, play, compare, export; the exported case."""
        page = self.page
        page.goto(self.url)
        self.see("Entered patient")
        self.see("28 findings" if page.get_by_text("28 findings").count() else "findings, worst first")
        self.settle("workbench_patient")
        self.press("Ask")
        self.see("What each agent said")
        self.settle("workbench_decision", page.locator("#pg-decision"))
        self.press("Take proposal")
        self.see("Nobody has been asked about this step yet")
        page.get_by_role("radio", name="Active model").check()
        self.press("Ask")
        self.see("chosen by the GRPO adapter")
        self.see("ready (GRPO adapter)")
        page.locator(".pg-actions input[type=radio]").first.check()
        self.press("Take choice")
        self.see("All reward columns")
        page.get_by_role("radio", name="Rule-based policy").check()
        self.press("Play to the end")
        self.see("The episode is over")
        self.press("Compare")
        self.see("Two policies on the same case")
        self.settle("workbench_course", page.get_by_role("heading", name="4. Course"))
        with page.expect_download() as saved:
            page.get_by_role("link", name="Export this case (JSON)").click()
        exported: dict[str, Any] = json.loads(Path(saved.value.path()).read_text(encoding="utf-8"))
        return exported

    def other_ways_in(self) -> None:
        """A scenario, a list, a bundle and a barcode; and an error that says what to do."""
        page = self.page
        self.tab("Scenario")
        self.press("Open this scenario")
        self.see("train-DDI-medium-000004")
        self.tab("List")
        self.enter("Brands, generics", "ibuprofin")
        self.press("Open this list")
        self.see("known names near it: ibuprofen")
        assert self.page.locator(".pg-error").inner_text().startswith("Drug 1 ibuprofin")
        self.settle("")
        self.enter("Brands, generics", "Coumadin, Advil")
        self.press("Open this list")
        self.see("Only drugs were given")
        self.tab("FHIR")
        page.locator("input[type=file]:visible, input[type=file]").first.set_input_files(bundle_file(self.folder))
        self.press("Open this bundle")
        self.see("Not recognised, left out: Nosuchdrug")
        self.enter("Or paste JSON", bundle_file(self.folder).read_text(encoding="utf-8"))
        self.tab("List")
        self.press("Open this list")
        self.see("Only drugs were given")
        self.tab("FHIR")
        self.press("Open this JSON")
        self.see("Not recognised, left out: Nosuchdrug")
        self.tab("Scan")
        page.locator("input[type=file]").last.set_input_files(upc_picture(self.folder, "30071015523"))
        page.wait_for_timeout(500)
        self.press("Read this picture")
        self.see("Lipitor")
        self.settle("workbench_barcode")

    def by_keyboard(self) -> None:
        """Reach the first button with the Tab key and press it with Enter."""
        page = self.page
        page.goto(self.url)
        self.see("Entered patient")
        for _ in range(60):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement?.textContent?.trim()") == "Ask":
                break
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert page.evaluate("document.activeElement?.textContent?.trim()") == "Ask" and outline == "solid"
        page.keyboard.press("Enter")
        self.see("What each agent said")

    def narrow(self) -> int:
        """How far the page is wider than a telephone's screen, in pixels."""
        self.page.set_viewport_size({"width": 390, "height": 800})
        self.page.wait_for_timeout(300)
        wider: int = self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        return wider

    def tab(self, name: str) -> None:
        """Open a tab and wait while its boxes take their first values, which overwrite what comes in that moment."""
        self.page.get_by_role("tab", name=name, exact=True).click()
        self.page.wait_for_timeout(400)

    def enter(self, label: str, text: str) -> None:
        """Type, and again until it stays: a machine under load takes longer than a tab waits."""
        box = self.page.get_by_label(label)
        deadline = time.monotonic() + WAIT / 1000
        while True:
            box.fill(text)
            self.page.wait_for_timeout(300)
            if box.input_value() == text:
                return
            assert time.monotonic() < deadline, f"{label} does not keep what is typed"

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).click()

    def see(self, text: str) -> None:
        self.page.get_by_text(text).first.wait_for(timeout=WAIT, state="attached")

    def settle(self, name: str, at: Any = None) -> None:
        """Check the page as it stands with axe, and keep a picture of it."""
        self.page.wait_for_timeout(400)
        found = Axe().run(self.page, options={"runOnly": {"type": "tag", "values": RULES}})
        self.complaints += [
            f"{rule['id']} ({rule['impact']}): {rule['nodes'][0]['html'][:200]}"
            for rule in found.response["violations"]
        ]
        if self.pictures and name:
            if at is not None:
                at.evaluate("element => element.scrollIntoView({block: 'start'})")
            else:
                self.page.evaluate("window.scrollTo(0, 0)")
            self.page.wait_for_timeout(300)
            self.page.screenshot(path=self.pictures / f"{name}.png")
            smaller(self.pictures / f"{name}.png")


def smaller(picture: Path) -> None:
    """Few colours: half the size, and nobody sees the difference."""
    from PIL import Image

    with Image.open(picture) as seen:
        few = seen.convert("RGB").quantize(96, dither=Image.Dither.NONE)
    few.save(picture, optimize=True)


def main(pictures: Path, lake: Path | None) -> None:
    """Walk, and keep the pictures."""
    # Beside the lake, whose files are linked into it.
    with (
        tempfile.TemporaryDirectory(dir=lake and lake.parent) as name,
        bench(Path(name), lake) as url,
        chromium_page(Path(name) / "p") as page,
    ):
        walk = Walk(page, url, Path(name), pictures)
        walk.whole_case()
        walk.other_ways_in()
        print(walk.strangers, walk.complaints)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pictures", type=Path, help="folder for the pictures")
    parser.add_argument("--lake", type=Path, help="data lake with an active model")
    given = parser.parse_args()
    main(given.pictures, given.lake)
