"""The active model: which trained model answers, written by the asset graph and read by the policy API.

`data_lake/models/active/active_model_manifest.json` names folders of the data lake and the SHA-256 of
every file in them. Only safetensors and text files may be there: nothing that could run code when loaded.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import file_digest
from pathlib import Path, PurePosixPath
from typing import Any

from polyguard_env.errors import PolyGuardError

SCHEMA = "polyguard/active-model/1"
MANIFEST = PurePosixPath("models/active/active_model_manifest.json")
PARTS = ("base", "grpo_adapter", "merged")
# What may answer, in the order it is tried.
SOURCES = ("grpo_adapter", "merged")
WEIGHTS = {"base": "*.safetensors", "grpo_adapter": "adapter_model.safetensors", "merged": "*.safetensors"}
CONFIGS = {"base": "config.json", "grpo_adapter": "adapter_config.json", "merged": "config.json"}
# Formats that run code when loaded, and code itself.
UNSAFE = frozenset({".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib", ".npy", ".npz", ".py", ".so"})
MAKE = "materialize active_model (make ui), or run make demo"


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """One folder of the data lake.

    Attributes:
        path: relative to the data lake, with forward slashes.
        files: name to SHA-256 of every file in it.
    """

    path: str
    files: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ActiveModel:
    """What the manifest says.

    Attributes:
        model_run: partition that trained it.
        label: what people are shown.
        preferred: which part answers when it can: "grpo_adapter" or "merged".
        base: base model. grpo_adapter: adapter on it. merged: both in one; None when it was not made.
        knowledge_fingerprint: knowledge it was trained on; "" when unknown.
    """

    model_run: str
    label: str
    preferred: str
    base: ModelFiles
    grpo_adapter: ModelFiles | None
    merged: ModelFiles | None
    knowledge_fingerprint: str = ""

    def part(self, name: str) -> ModelFiles | None:
        """The files of one of `PARTS`."""
        found: ModelFiles | None = getattr(self, name)
        return found

    @property
    def order(self) -> tuple[str, ...]:
        """The sources to try, the preferred one first."""
        return tuple(sorted(SOURCES, key=lambda source: source != self.preferred))

    def to_dict(self) -> dict[str, Any]:
        """As the manifest has it."""
        return {"schema": SCHEMA, **asdict(self)}


def manifest_path(lake: Path) -> Path:
    """Where the manifest is in a data lake."""
    return lake / MANIFEST


def described_files(lake: Path, path: str) -> ModelFiles:
    """A folder of the data lake with the hash of every file.

    Raises:
        PolyGuardError: no such folder, or one that holds a file that could run code.
    """
    folder = inside(lake, path, "path")
    if not folder.is_dir():
        raise PolyGuardError("path", path, "materialize the model asset that writes this folder")
    files = sorted(file for file in folder.iterdir() if file.is_file())
    refuse_unsafe(path, (file.name for file in files))
    return ModelFiles(path, {file.name: sha256_of(file) for file in files})


def read_active_model(lake: Path) -> ActiveModel:
    """The active model of a data lake. Its files are not read yet: see `check_part`.

    Raises:
        PolyGuardError: there is no manifest, or it is not of this schema.
    """
    place = manifest_path(lake)
    if not place.is_file():
        raise PolyGuardError("active model", str(MANIFEST), MAKE)
    try:
        data = json.loads(place.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PolyGuardError("active model", str(MANIFEST), f"it is not JSON ({error}); {MAKE}") from error
    return active_model_from(data)


def active_model_from(data: Any) -> ActiveModel:
    """The model a manifest's content names.

    Raises:
        PolyGuardError: the first field that is missing or wrong.
    """
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        found = data.get("schema") if isinstance(data, dict) else type(data).__name__
        raise PolyGuardError("active model schema", found, f"use {SCHEMA}; {MAKE}")
    words = {name: data.get(name, "") for name in ("model_run", "label", "preferred", "knowledge_fingerprint")}
    for name, word in words.items():
        if not isinstance(word, str) or (not word and name != "knowledge_fingerprint"):
            raise PolyGuardError(f"active model {name}", word, f"it must be a text; {MAKE}")
    if words["preferred"] not in SOURCES:
        raise PolyGuardError("active model preferred", words["preferred"], f"use {' or '.join(SOURCES)}")
    parts = {name: _files(name, data.get(name)) for name in PARTS}
    base = parts["base"]
    if base is None or parts[words["preferred"]] is None:
        missing = "base" if base is None else words["preferred"]
        raise PolyGuardError(f"active model {missing}", None, f"it is missing; {MAKE}")
    return ActiveModel(
        model_run=words["model_run"],
        label=words["label"],
        preferred=words["preferred"],
        base=base,
        grpo_adapter=parts["grpo_adapter"],
        merged=parts["merged"],
        knowledge_fingerprint=words["knowledge_fingerprint"],
    )


def check_part(model: ActiveModel, name: str, lake: Path) -> Path:
    """The folder of a part, once every file in it is what the manifest says and none could run code.

    Raises:
        PolyGuardError: a file is missing, changed, unlisted or unsafe.
    """
    part = model.part(name)
    if part is None:
        raise PolyGuardError(name, None, f"the manifest names none; {MAKE}")
    folder = inside(lake, part.path, name)
    if CONFIGS[name] not in part.files or not any(PurePosixPath(file).match(WEIGHTS[name]) for file in part.files):
        raise PolyGuardError(name, part.path, f"it must hold {CONFIGS[name]} and {WEIGHTS[name]}")
    present = {file.name for file in folder.iterdir() if file.is_file()} if folder.is_dir() else set()
    refuse_unsafe(part.path, present)
    for file in sorted(present - set(part.files)):
        raise PolyGuardError(name, f"{part.path}/{file}", f"the manifest does not list it: remove it, or {MAKE}")
    for file, expected in sorted(part.files.items()):
        if file not in present:
            raise PolyGuardError(name, f"{part.path}/{file}", f"the file is missing; {MAKE}")
        if sha256_of(folder / file) != expected:
            raise PolyGuardError(name, f"{part.path}/{file}", f"its SHA-256 is not the manifest's; {MAKE}")
    config = json.loads((folder / CONFIGS[name]).read_text(encoding="utf-8"))
    if "auto_map" in config:
        raise PolyGuardError(
            name, f"{part.path}/{CONFIGS[name]}", "it asks for remote code (auto_map): use another model"
        )
    return folder


def inside(lake: Path, path: str, field: str) -> Path:
    """The folder a relative path names, inside the data lake.

    Raises:
        PolyGuardError: an absolute path, or one that leaves the data lake.
    """
    given = PurePosixPath(path)
    root = lake.resolve()
    folder = (root / given).resolve()
    if not path or given.is_absolute() or ".." in given.parts or not folder.is_relative_to(root):
        raise PolyGuardError(field, path, "give a path relative to the data lake that stays inside it")
    return folder


def refuse_unsafe(path: str, names: Any) -> None:
    """Raise when a folder holds a file that could run code when loaded."""
    for name in sorted(names):
        if PurePosixPath(name).suffix.lower() in UNSAFE:
            raise PolyGuardError("model file", f"{path}/{name}", "remove it: models are loaded from safetensors only")


def sha256_of(file: Path) -> str:
    """Hex SHA-256 of a file."""
    with file.open("rb") as stream:
        return file_digest(stream, "sha256").hexdigest()


def _files(name: str, given: Any) -> ModelFiles | None:
    if given is None:
        return None
    path, files = (given.get("path"), given.get("files")) if isinstance(given, dict) else (None, None)
    plain = isinstance(files, dict) and all(
        isinstance(file, str) and PurePosixPath(file).name == file and isinstance(digest, str) and len(digest) == 64
        for file, digest in files.items()
    )
    if not isinstance(path, str) or not path or not plain or not files:
        raise PolyGuardError(f"active model {name}", given, 'write {"path": folder, "files": {name: SHA-256}}')
    return ModelFiles(path, dict(files))
