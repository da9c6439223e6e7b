"""Every way in makes the client it should, and no secret is ever shown."""

import pickle
import time
from pathlib import Path
from typing import Any

import pytest
from azure import identity
from azure.core.credentials import AccessToken, AzureNamedKeyCredential, AzureSasCredential
from azure.servicebus import ServiceBusClient, TransportType
from azure.servicebus.exceptions import ServiceBusError
from pydantic import ValidationError

from cdsbridge.emulator.entities.namespace import Namespace
from cdsbridge.emulator.server import run_in_thread
from cdsbridge.model.errors import ConfigError, ServiceUnreachable
from cdsbridge.sources import ServiceBusSource
from cdsbridge.sources.connect import client_options, credential_of, open_client
from cdsbridge.sources.explain import explain

HOST = "contoso.servicebus.windows.net"
APP = {"tenant_id": "00000000-0000-0000-0000-000000000001", "client_id": "c"}
SECRET = "hunter2"


def source(**settings: Any) -> ServiceBusSource:
    return ServiceBusSource.model_validate({"namespace": HOST, "entities": ["q"], **settings})


@pytest.mark.parametrize(
    ("credential", "made"),
    [
        ({"kind": "default"}, identity.DefaultAzureCredential),
        ({"kind": "managed_identity", "client_id": "c"}, identity.ManagedIdentityCredential),
        ({"kind": "workload", **APP, "token_file": "/token"}, identity.WorkloadIdentityCredential),
        ({"kind": "client_secret", **APP, "client_secret": SECRET}, identity.ClientSecretCredential),
        ({"kind": "key", "policy": "listen", "access_key": SECRET}, AzureNamedKeyCredential),
        ({"kind": "sas", "sas_token": f"SharedAccessSignature sig={SECRET}"}, AzureSasCredential),
    ],
)
def test_each_credential_is_made_and_not_shown(credential: dict[str, Any], made: type) -> None:
    configured = source(credential=credential)
    assert isinstance(credential_of(configured), made)
    assert pickle.loads(pickle.dumps(configured)) == configured
    for shown in (repr(configured), str(configured), configured.model_dump_json()):
        assert SECRET not in shown
    with open_client(configured) as client:
        assert client.fully_qualified_namespace == HOST


class AnyToken:
    """A credential of Microsoft Entra ID, for the embedded Service Bus."""

    def get_token(self, *_: str, **__: Any) -> AccessToken:
        return AccessToken("eyJhbGciOiJub25lIn0.e30.", int(time.time()) + 3600)


def test_an_entity_that_no_token_is_given_for_is_said_to_be_missing() -> None:
    with (
        run_in_thread(Namespace(), key=SECRET) as broker,
        ServiceBusClient(
            "localhost",
            AnyToken(),
            custom_endpoint_address=f"sb://localhost:{broker.port}",
            transport_type=TransportType.Amqp,
            connection_verify=str(broker.certificate),
            retry_total=0,
        ) as client,
        pytest.raises(ServiceBusError) as caught,
        client.get_queue_receiver("nowhere"),
    ):
        pass
    told = explain(caught.value, source(), "nowhere")
    assert isinstance(told, ServiceUnreachable)
    assert str(told).startswith("'nowhere' does not exist on")


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"connection_string": "Endpoint=sb://h;SharedAccessKey=" + SECRET}, "either"),
        ({"namespace": None}, "either"),
        ({"namespace": f"sb://{HOST}"}, "is a host"),
        ({"credential": {"kind": "key", "policy": "p"}}, "access_key"),
        ({"credential": {"kind": "sas", "sas_token": SECRET, "x": 1}}, "Extra"),
        ({"credential": {"kind": "password", "password": SECRET}}, "kind"),
        ({"endpoint": "https://gateway/path"}, "pattern"),
        ({"proxy": {"host": "p", "port": 0}}, "greater"),
        (
            {
                "namespace": None,
                "connection_string": f"Endpoint=sb://h;K={SECRET}",
                "credential": {"kind": "default"},
            },
            "has its own",
        ),
    ],
)
def test_what_does_not_go_together_is_told_without_the_secret(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told) as caught:
        source(**settings)
    assert SECRET not in str(caught.value)


def test_a_connection_string_that_is_none_is_told_without_itself() -> None:
    configured = source(namespace=None, connection_string=f"nonsense {SECRET}")
    with pytest.raises(ConfigError, match="begins Endpoint=sb://") as caught:
        open_client(configured)
    assert SECRET not in str(caught.value)


def test_the_settings_reach_the_client(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    options = client_options(
        source(
            proxy={"host": "p", "port": 8080, "username": "u", "password": SECRET},
            endpoint="sb://gateway:5671",
            ca_file=tmp_path / "ca.pem",
            retries={"total": 7, "mode": "fixed", "backoff": 0.1, "backoff_max": 2},
        ),
        "websocket",
    )
    assert options == {
        "transport_type": TransportType.AmqpOverWebsocket,
        "retry_total": 7,
        "retry_mode": "fixed",
        "retry_backoff_factor": 0.1,
        "retry_backoff_max": 2,
        "http_proxy": {"proxy_hostname": "p", "proxy_port": 8080, "username": "u", "password": SECRET},
        "custom_endpoint_address": "sb://gateway:5671",
        "connection_verify": str(tmp_path / "ca.pem"),
    }
    assert client_options(source(), "websocket")["transport_type"] is TransportType.Amqp


@pytest.mark.parametrize(
    ("package", "installed_as"), [("websocket", "websocket-client"), ("aiohttp", "aiohttp")]
)
def test_a_missing_package_for_websockets_is_told(
    monkeypatch: pytest.MonkeyPatch, package: str, installed_as: str
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=f"pip install {installed_as}"):
        client_options(source(transport="websockets"), package)
