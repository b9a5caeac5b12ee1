"""Settings are refused by name, with what is accepted, before anything starts."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from crossdock.settings import load, schema
from gateway.errors import ConfigError

ROOT = Path(__file__).parents[3]
ENVIRONMENT = {
    "DATABASE_URL": "sqlite+aiosqlite:///var/x.db",
    "REDIS_URL": "redis://127.0.0.1:6379/0",
    "CROSSDOCK_CLAIMS_KEY": "claims " + "x" * 32,
    "CROSSDOCK_PRICE_TOKEN_KEY": "prices " + "x" * 32,
    **dict.fromkeys(("CRM_SECRET", "CRM_WEBHOOK_SECRET", "ERP_SECRET", "WMS_KEY", "WMS_WEBHOOK_SECRET"), "secret"),
    **dict.fromkeys(("TMS_KEY", "TMS_WEBHOOK_SECRET", "LEGACY_ERP_PASSWORD"), "secret"),
}
DEPLOYED = ROOT / "deploy/crossdock.yaml"


def changed(tmp_path: Path, **values: object) -> Path:
    given = yaml.safe_load(DEPLOYED.read_text())
    file = tmp_path / "crossdock.yaml"
    file.write_text(yaml.safe_dump({**given, **values}))
    return file


def test_the_settings_that_are_deployed_are_accepted():
    settings = load(DEPLOYED, ENVIRONMENT)
    assert settings.systems.crm.url == "http://sandbox:4100"


def test_secrets_are_not_shown():
    shown = repr(load(DEPLOYED, ENVIRONMENT))
    assert "xxxx" not in shown
    assert "'secret'" not in shown


@pytest.mark.parametrize(
    ("values", "said"),
    [
        pytest.param({"databse": "x"}, ("databse", "database"), id="an unknown key, with the accepted ones"),
        pytest.param({"price_token_key": "short"}, ("price_token_key", "32"), id="a key that is too short"),
        pytest.param({"systems": {}}, ("systems.crm",), id="a system that is missing"),
        pytest.param({"database": "${NO_SUCH_NAME}"}, ("NO_SUCH_NAME",), id="a variable that is not set"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, values: dict[str, object], said: tuple[str, ...]):
    with pytest.raises(ConfigError) as refused:
        load(changed(tmp_path, **values), ENVIRONMENT)
    for word in said:
        assert word in refused.value.message


def test_every_key_is_described():
    def undescribed(model: dict[str, object], path: str) -> list[str]:
        properties = model.get("properties", {})
        assert isinstance(properties, dict)
        return [f"{path}.{name}" for name, entry in properties.items() if "description" not in entry]

    whole = schema()
    models = {"": whole, **whole["$defs"]}
    assert [entry for name, model in models.items() for entry in undescribed(model, name)] == []


def test_one_erp_is_enough(tmp_path: Path):
    systems = yaml.safe_load(DEPLOYED.read_text())["systems"]
    del systems["legacy_erp"]
    assert load(changed(tmp_path, systems=systems), ENVIRONMENT).systems.legacy_erp is None
