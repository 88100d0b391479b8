"""docs/deploy.md says what the settings are."""

from __future__ import annotations

from tests.unit.deploy.files import SETTINGS
from tests.unit.deploy.settings_table import settings_table, written_table


def test_the_table_of_settings_is_that_of_the_code() -> None:
    assert settings_table() == written_table(), "run: python -m tests.unit.deploy.settings_table"


def test_services_mean_the_same_by_the_same_variable() -> None:
    """One ConfigMap serves all of them."""
    for name in {name for settings in SETTINGS.values() for name in settings.model_fields}:
        fields = [settings.model_fields[name] for settings in SETTINGS.values() if name in settings.model_fields]
        assert 1 == len({str(field.default) for field in fields}), name
