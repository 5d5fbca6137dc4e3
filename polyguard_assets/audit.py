"""`make audit`: are versions that this project installs known to be vulnerable?

Two lists are audited with pip-audit: what is installed here, and what uv.lock pins. A canary comes first: a release
with well-known advisories. A service that knows nothing of it is not answering, and pip-audit would then call every
package clean, so the audit says that nothing was audited instead.

Findings that were looked at and accepted are in .ci/audit_ignored.csv, each with its reason and the day until which it
is accepted.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from polyguard_assets.paths import project_root, reports_folder, within_project
from polyguard_assets.training.publish import write_json
from polyguard_env.errors import PolyGuardError

# jinja2 2.4.1 (2010): CVE-2014-1402, CVE-2016-10745 and more; advisories on old releases stay.
CANARY = ("jinja2", "2.4.1")
SERVICES = ("pypi", "osv")
CANARY_SECONDS, AUDIT_SECONDS = 60.0, 600.0
OWN = "polyguard"
Pin = tuple[str, str]
IGNORED_COLUMNS = ["id", "package", "until", "reason"]


@dataclass(frozen=True, slots=True)
class Finding:
    """A known vulnerability of an installed or locked version."""

    package: str
    version: str
    id: str
    aliases: tuple[str, ...]
    fixed_in: tuple[str, ...]

    @property
    def names(self) -> set[str]:
        return {self.id, *self.aliases}


@dataclass(frozen=True, slots=True)
class Ignored:
    """An accepted finding."""

    id: str
    package: str
    until: date
    reason: str

    def covers(self, finding: Finding, today: date) -> bool:
        return self.id in finding.names and self.package == finding.package and today <= self.until


def main(argv: Sequence[str] | None = None) -> int:
    """Audit and write data_lake/reports/audit.json.

    Returns:
        0 nothing known (or, without --strict, no service answered), 1 known vulnerabilities, 2 bad input,
        3 with --strict when no service answered.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--service", choices=SERVICES, action="append", help="advisory service; all in turn by default")
    parser.add_argument("--osv-url", default="https://api.osv.dev/v1/query")
    parser.add_argument("--ignored", type=Path, default=project_root() / ".ci" / "audit_ignored.csv")
    parser.add_argument("--lock", type=Path, default=project_root() / "uv.lock")
    parser.add_argument("--strict", action="store_true", help="fail when no advisory service answers")
    arguments = parser.parse_args(argv)
    try:
        ignored = read_ignored(arguments.ignored)
        wanted = {"installed": installed(), "uv.lock": locked(arguments.lock)}
    except PolyGuardError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    report: dict[str, Any] = {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "packages": {name: len(pins) for name, pins in wanted.items()},
    }
    service, refusals = answering_service(arguments.service or SERVICES, arguments.osv_url)
    if service is None:
        report |= {"audited": False, "refusals": refusals}
        write_json(reports_folder() / "audit.json", report)
        print(f"NOT AUDITED: no advisory service answered ({'; '.join(f'{k}: {v}' for k, v in refusals.items())}).")
        counts = report["packages"]
        print(f"Nothing is known of the {counts['installed']} installed and {counts['uv.lock']} locked packages.")
        print("Run 'make audit' where the package index's JSON API or api.osv.dev can be reached.")
        return 3 if arguments.strict else 0
    findings: list[Finding] = []
    skipped: dict[str, str] = {}
    for pins in wanted.values():
        found, unknown = audit(pins, service, arguments.osv_url, AUDIT_SECONDS)
        findings += [finding for finding in found if finding not in findings]
        skipped |= unknown
    today = datetime.now(UTC).date()
    open_findings, accepted = judge(findings, ignored, today)
    report |= {
        "audited": True, "service": service, "skipped": skipped, "findings": [asdict(f) for f in open_findings],
        "ignored": [asdict(finding) | {"reason": entry.reason} for finding, entry in accepted],
    }  # fmt: skip
    path = write_json(reports_folder() / "audit.json", report)
    for line in told(open_findings, accepted, skipped, ignored, today):
        print(line)
    print(f"audited by {service}: {report['packages']}; report: {within_project(path)}")
    return 1 if open_findings else 0


def told(
    findings: Sequence[Finding],
    accepted: Sequence[tuple[Finding, Ignored]],
    skipped: Mapping[str, str],
    ignored: Sequence[Ignored],
    today: date,
) -> Iterable[str]:
    """The audit for a person, a line each."""
    for finding in findings:
        fix = f"fixed in {', '.join(finding.fixed_in)}" if finding.fixed_in else "no fixed version yet"
        yield f"VULNERABLE {finding.package} {finding.version}: {finding.id} ({fix})"
    for finding, entry in accepted:
        yield f"ignored until {entry.until}: {finding.package} {finding.version}: {finding.id} ({entry.reason})"
    used = {entry for _, entry in accepted}
    for entry in ignored:
        if entry not in used:
            why = "past its day" if entry.until < today else "no such finding"
            yield f"stale line in the ignore list: {entry.id} of {entry.package} ({why})"
    if skipped:
        yield f"not known to the service: {', '.join(sorted(skipped))}"


def judge(
    findings: Iterable[Finding], ignored: Sequence[Ignored], today: date
) -> tuple[list[Finding], list[tuple[Finding, Ignored]]]:
    """Findings that stand, and those that are accepted with the line that accepts them."""
    standing, accepted = [], []
    for finding in findings:
        entry = next((line for line in ignored if line.covers(finding, today)), None)
        if entry is None:
            standing.append(finding)
        else:
            accepted.append((finding, entry))
    return standing, accepted


def read_ignored(path: Path) -> list[Ignored]:
    """The accepted findings.

    Raises:
        PolyGuardError: a missing file, column, reason or day.
    """
    if not path.is_file():
        raise PolyGuardError("ignored", str(path), f"make the file with the header {','.join(IGNORED_COLUMNS)}")
    with path.open(encoding="utf-8", newline="") as table:
        rows = csv.DictReader(table)
        if rows.fieldnames != IGNORED_COLUMNS:
            raise PolyGuardError("ignored", rows.fieldnames, f"use the header {','.join(IGNORED_COLUMNS)}")
        found = []
        for row in rows:
            if not all((row[name] or "").strip() for name in IGNORED_COLUMNS):
                raise PolyGuardError("ignored", row, "fill every column: an accepted finding needs a reason and a day")
            try:
                until = date.fromisoformat(row["until"])
            except ValueError as error:
                raise PolyGuardError("ignored.until", row["until"], "write a day such as 2027-01-31") from error
            found.append(Ignored(row["id"], row["package"], until, row["reason"]))
    return found


def installed() -> list[Pin]:
    """Name and version of every package installed here, but for this one."""
    named = ((d.metadata["Name"], d.version) for d in distributions() if d.metadata["Name"])
    found = {(name.lower().replace("_", "-"), plain(version)) for name, version in named}
    return sorted(pin for pin in found if pin[0] != OWN)


def plain(version: str) -> str:
    """A version without its local part: 2.13.0+cpu is audited as 2.13.0."""
    return version.partition("+")[0]


def locked(path: Path) -> list[Pin]:
    """Name and version of every package the lock file pins; a package may have a version for each Python.

    Raises:
        PolyGuardError: no readable lock file.
    """
    try:
        packages = tomllib.loads(path.read_text(encoding="utf-8"))["package"]
    except (OSError, KeyError, tomllib.TOMLDecodeError) as error:
        raise PolyGuardError("lock", str(path), f"make it with 'uv lock' ({type(error).__name__})") from error
    return sorted({(p["name"], plain(p["version"])) for p in packages if "version" in p and p["name"] != OWN})


def answering_service(services: Iterable[str], osv_url: str) -> tuple[str | None, dict[str, str]]:
    """The first service that knows the canary's advisories, and why the earlier ones were passed over."""
    refusals = {}
    for service in services:
        try:
            findings, _ = audit([CANARY], service, osv_url, CANARY_SECONDS)
        except PolyGuardError as error:
            refusals[service] = error.fix
            continue
        if findings:
            return service, refusals
        refusals[service] = f"it knows no advisory of {CANARY[0]} {CANARY[1]}, which has several"
    return None, refusals


def audit(pins: Sequence[Pin], service: str, osv_url: str, seconds: float) -> tuple[list[Finding], dict[str, str]]:
    """pip-audit's findings, and the packages it skipped with the reason.

    Args:
        pins: names and versions; a name that comes twice is asked for in a further request, as one list may not.
        service: "pypi" or "osv".
        osv_url: where the OSV service answers.
        seconds: how long one request may take.

    Raises:
        PolyGuardError: the service cannot be reached or did not answer in time.
    """
    first: dict[str, str] = {}
    further = [(name, version) for name, version in pins if first.setdefault(name, version) != version]
    with tempfile.TemporaryDirectory() as folder:
        requirements = Path(folder) / "requirements.txt"
        requirements.write_text("".join(f"{name}=={version}\n" for name, version in first.items()), encoding="utf-8")
        command = [
            sys.executable, "-m", "pip_audit", "--requirement", str(requirements), "--no-deps", "--disable-pip",
            "--format", "json", "--progress-spinner", "off", "--vulnerability-service", service, "--osv-url", osv_url,
            "--cache-dir", str(Path(folder) / "cache"),
        ]  # fmt: skip
        try:
            ran = subprocess.run(command, capture_output=True, text=True, timeout=seconds)
        except subprocess.TimeoutExpired as error:
            raise PolyGuardError("service", service, f"no answer within {seconds:.0f} s") from error
    try:
        dependencies = json.loads(ran.stdout)["dependencies"]
    except (ValueError, KeyError) as error:
        last = (ran.stderr.strip().splitlines() or ["no output"])[-1]
        raise PolyGuardError("service", service, f"cannot be reached ({last.split(':')[0][:120]})") from error
    findings = [
        Finding(d["name"], d["version"], v["id"], tuple(v.get("aliases", ())), tuple(v.get("fix_versions", ())))
        for d in dependencies
        for v in d.get("vulns", ())
    ]
    skipped = {d["name"]: d["skip_reason"] for d in dependencies if "skip_reason" in d}
    if further:
        more, unknown = audit(further, service, osv_url, seconds)
        return findings + more, skipped | unknown
    return findings, skipped


if __name__ == "__main__":
    sys.exit(main())
