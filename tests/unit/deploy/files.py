"""What the tests of the deployment files share: the files, the settings they set, and the checkers."""

from __future__ import annotations

import io
import sys
import tomllib
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from services.dispatcher.settings import DispatcherSettings
from services.evaluator.settings import EvaluatorSettings
from services.ingest.settings import IngestSettings
from shared.settings import ServiceSettings

ROOT = Path(__file__).parents[3]
COMPOSE = ROOT / "docker-compose.yml"
DOCKERFILE = ROOT / "deploy" / "Dockerfile"
BASE = ROOT / "deploy" / "k8s" / "base"
PREFIX = "KIKKAKE_"

SETTINGS: Mapping[str, type[ServiceSettings]] = {
    "ingest": IngestSettings,
    "evaluator": EvaluatorSettings,
    "dispatcher": DispatcherSettings,
}


def port(service: str) -> int:
    """The port of /livez, /readyz and /metrics by default."""
    fields = SETTINGS[service].model_fields
    return int(fields["port" if service == "ingest" else "health_port"].default)


def variables(service: str) -> set[str]:
    """The environment variables that ``service`` reads."""
    return {PREFIX + name.upper() for name in SETTINGS[service].model_fields}


def ours(environment: Mapping[str, Any]) -> dict[str, str]:
    """Those of ``environment`` that are ours."""
    return {name: str(value) for name, value in environment.items() if name.startswith(PREFIX)}


def version() -> str:
    """The project's version, which is its images' tag."""
    found: str = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    return found


def load(text: str) -> Any:
    """Return the one YAML document of ``text``."""
    return YAML(typ="safe").load(text)


def load_all(text: str) -> list[Any]:
    """Return all YAML documents of ``text``."""
    return [document for document in YAML(typ="safe").load_all(io.StringIO(text)) if document is not None]


def tool(name: str) -> str:
    """The path of a program of our environment."""
    return str(Path(sys.executable).with_name(name))


def compose_faults(document: Any) -> list[str]:
    """What the Compose specification refuses in ``document``; the schema is the one that check-jsonschema carries.

    Its command is not used: check-jsonschema 0.38 does not start with the click that Faust allows (below 8.4).
    """
    package = find_spec("check_jsonschema")
    assert package is not None
    assert package.origin is not None
    schema = Path(package.origin).parent / "builtin_schemas" / "vendor" / "compose-spec.json"
    validators: Any = import_module("jsonschema").validators
    rules = load(schema.read_text(encoding="utf-8"))
    return [error.message for error in validators.validator_for(rules)(rules).iter_errors(document)]


def kubernetes_fault(resource: Any) -> str | None:
    """What Kubernetes' own schema refuses in ``resource``, unknown fields included."""
    checker: Any = import_module("kubernetes_validate")
    try:
        checker.validate(resource, checker.latest_version(), strict=True)
    except checker.ValidationError as error:
        return str(error.message)
    return None
