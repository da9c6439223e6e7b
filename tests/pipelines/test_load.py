"""A configuration is right, or every fault in it is told at once, with its line."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import cdsbridge
from cdsbridge.model.errors import ConfigError
from cdsbridge.pipelines.check import json_schema
from cdsbridge.pipelines.cli import app
from cdsbridge.pipelines.load import load_config

ROOT = Path(cdsbridge.__file__).parent
KEY = "Endpoint=sb://h;SharedAccessKeyName=n;SharedAccessKey=c2VjcmV0c2VjcmV0"
GOOD = """\
source:
  connection_string: ${CONNECTION}
  entities: [orders]
sinks:
  - kind: parquet
    url: data
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "bridge.yaml"
    path.write_text(text)
    return path


def faults_of(path: Path, **environment: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_config(path, environment=environment)
    return str(caught.value).splitlines()


@pytest.mark.parametrize("path", sorted((ROOT / "conf").glob("*.yaml")), ids=lambda path: path.name)
def test_every_configuration_we_ship_loads(path: Path) -> None:
    assert load_config(path, environment={}).sinks


def test_the_schema_for_editors_is_up_to_date() -> None:
    assert json.loads((ROOT / "conf" / "bridge.schema.json").read_text()) == json_schema()


def test_every_fault_is_told_at_once_with_its_line(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "source:\n  connection_strin: x\n  entities: [orders]\n"
        "sinks:\n  - kind: parquett\n    url: data\ncommit:\n  seconds: -1\n  mesages: 3\nnaem: x\n",
    )
    faults = faults_of(path)
    told = "\n".join(faults)
    assert f"{path}:2: source.connection_strin: unknown key; did you mean 'connection_string'?" in told
    assert f"{path}:5: sinks.0" in told
    assert f"{path}:8: commit.seconds" in told
    assert f"{path}:9: commit.mesages: unknown key; did you mean 'messages'?" in told
    assert f"{path}:10: naem: unknown key; did you mean 'name'?" in told


def test_a_misspelt_key_of_a_sink_gets_a_suggestion(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD.replace("url: data", "url: data\n    compresion: zstd"))
    assert any("did you mean 'compression'?" in fault for fault in faults_of(path, CONNECTION=KEY))


def test_an_unset_variable_is_named(tmp_path: Path) -> None:
    assert any("CONNECTION is not set" in fault for fault in faults_of(write(tmp_path, GOOD)))


def test_a_secret_in_the_file_is_refused_and_not_repeated(tmp_path: Path) -> None:
    faults = faults_of(write(tmp_path, GOOD.replace("${CONNECTION}", KEY)))
    assert any("write ${NAME}" in fault for fault in faults)
    assert "c2VjcmV0" not in "\n".join(faults)


def test_a_configuration_does_not_show_its_secrets(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, GOOD), environment={"CONNECTION": KEY})
    assert "c2VjcmV0" not in repr(config)
    assert "c2VjcmV0" not in config.model_dump_json()


LOGIN = """\
dataverse:
  url: https://contoso.crm.dynamics.com
  credential: {kind: client_secret, tenant_id: t, client_id: c, client_secret: SECRET}
"""


@pytest.mark.parametrize("secret", ["hunter2", "${SECRET:-hunter2}", "x${SECRET}", "123"])
def test_a_client_secret_comes_from_the_environment_only(tmp_path: Path, secret: str) -> None:
    path = write(tmp_path, GOOD + LOGIN.replace("SECRET}", f"'{secret}'}}"))
    faults = faults_of(path, CONNECTION=KEY, SECRET="word")
    assert any("client_secret: a secret in the file; write ${NAME}" in fault for fault in faults)
    assert "hunter2" not in "\n".join(faults)


STORE = """\
sinks:
  - {kind: parquet, url: "abfss://lake@contoso/rows", options: {account_name: contoso, NAME: "VALUE"}}
  - {kind: archive, url: "s3://raw", options: {aws_access_key_id: id, region: eu-west-1}}
"""


@pytest.mark.parametrize(
    "name",
    ["account_key", "azure_storage_sas_token", "aws_secret_access_key", "AZURE_CLIENT_SECRET", "sas_key"],
)
def test_the_key_of_a_store_comes_from_the_environment_only(tmp_path: Path, name: str) -> None:
    sinks = STORE.replace("NAME", name)
    kept = GOOD[: GOOD.index("sinks:")]
    (fault,) = faults_of(write(tmp_path, kept + sinks.replace("VALUE", "hunter2")), CONNECTION=KEY)
    assert f"sinks.0.options.{name}: a secret in the file; write ${{NAME}}" in fault
    path = write(tmp_path, kept + sinks.replace("VALUE", "${SECRET}"))
    config = load_config(path, environment={"CONNECTION": KEY, "SECRET": "hunter2"})
    assert "hunter2" not in repr(config) + config.model_dump_json()


def test_a_client_secret_is_never_shown(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD + LOGIN.replace("SECRET}", "'${SECRET}'}"))
    config = load_config(path, environment={"CONNECTION": KEY, "SECRET": "hunter2"})
    assert config.dataverse is not None
    assert config.dataverse.credential.secret == "hunter2"
    assert "hunter2" not in repr(config) + config.model_dump_json()


def test_a_fault_in_the_login_is_told_with_its_place(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD + LOGIN.replace("tenant_id", "tenantid").replace("SECRET}", "'${SECRET}'}"))
    told = "\n".join(faults_of(path, CONNECTION=KEY, SECRET="hunter2"))
    assert "dataverse.credential" in told
    assert "did you mean 'tenant_id'" in told
    assert "hunter2" not in told


def test_inline_hydration_needs_metadata(tmp_path: Path) -> None:
    text = GOOD + "dataverse: {url: 'https://contoso.crm.dynamics.com', hydrate: inline}\n"
    (fault,) = faults_of(write(tmp_path, text), CONNECTION=KEY)
    assert "inline needs metadata" in fault


def test_a_setting_lies_over_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    settings = ["commit.seconds=7", "sinks.0.url=elsewhere", "source.entities=[a, b]"]
    config = load_config(path, settings, {"CONNECTION": KEY})
    assert config.commit.seconds == 7
    assert config.sinks[0].model_dump()["url"] == "elsewhere"
    assert config.source.entities == ("a", "b")


def test_what_is_not_yaml_is_told_with_its_line(tmp_path: Path) -> None:
    path = write(tmp_path, "source:\n  - a\n b: {\n")
    assert faults_of(path)[0].startswith(f"{path}:")


@pytest.mark.parametrize("text", ["", "- a", "just text"])
def test_what_is_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    assert "mapping" in faults_of(write(tmp_path, text))[0]


def test_the_command_exits_with_78_and_without_a_traceback(tmp_path: Path) -> None:
    ended = CliRunner().invoke(app, ["check", str(write(tmp_path, "nonsense: 1\n"))])
    assert ended.exit_code == 78
    assert "Traceback" not in ended.output


def test_a_missing_file_is_a_sentence(tmp_path: Path) -> None:
    ended = CliRunner().invoke(app, ["run", str(tmp_path / "none.yaml")])
    assert ended.exit_code == 78
    assert "cannot be read" in ended.output
