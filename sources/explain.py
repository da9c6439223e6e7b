"""What errors of the SDK mean to the person who runs the bridge."""

from typing import Final

from azure.core.exceptions import AzureError, ClientAuthenticationError
from azure.servicebus.exceptions import (
    MessagingEntityDisabledError,
    MessagingEntityNotFoundError,
    OperationTimeoutError,
    ServiceBusAuthenticationError,
    ServiceBusAuthorizationError,
    ServiceBusQuotaExceededError,
    ServiceBusServerBusyError,
    SessionLockLostError,
)

from ..login.refusal import cause_of, is_refusal, told
from ..model.errors import BridgeError, ConfigError, NotPermitted, ServiceUnreachable
from .access import AccessKey, AccessToken
from .config import ServiceBusSource

_NEEDS_SESSIONS = "requires sessions"
_HAS_NO_SESSIONS = "does not require sessions"
_NOT_FOUND = 404
_MISSING = "{entity!r} does not exist on {host}; create it or correct source.entities"


def namespace_of(source: ServiceBusSource) -> str:
    """Return the host of the namespace, fit to be shown.

    >>> namespace_of(ServiceBusSource(namespace="contoso.servicebus.windows.net", entities=("q",)))
    'contoso.servicebus.windows.net'
    """
    if source.connection_string is None:
        return source.namespace or ""
    for part in source.connection_string.get_secret_value().split(";"):
        key, _, value = part.partition("=")
        if key.strip().lower() == "endpoint":
            return value.strip().removeprefix("sb://").rstrip("/")
    return "the namespace"


def explain(error: BaseException, source: ServiceBusSource, entity: str) -> BridgeError:
    """Return what an SDK error means to the person who runs the bridge, in one sentence."""
    host = namespace_of(source)
    if isinstance(error, BridgeError):
        return error
    if _is_missing(error):
        return ServiceUnreachable(_MISSING.format(entity=entity, host=host))
    if (fault := _without_token(error, source, host)) is not None:
        return fault
    if _refused(error):
        return NotPermitted(
            f"{host} refuses to let us receive from {entity!r}; the credential needs the claim Listen, "
            "or the role Azure Service Bus Data Receiver"
        )
    if (fault := _sessions(error, source, entity)) is not None:
        return fault
    return ServiceUnreachable(_told(error, host, entity))


def _is_missing(error: BaseException) -> bool:
    """Tell whether an entity is not there: then Service Bus gives no token, a failed login to the SDK."""
    inner = getattr(error, "inner_exception", None)
    return (
        isinstance(error, MessagingEntityNotFoundError) or getattr(inner, "status_code", None) == _NOT_FOUND
    )


def _without_token(error: BaseException, source: ServiceBusSource, host: str) -> BridgeError | None:
    """Return what is wrong if Microsoft Entra ID gave no token, so that the namespace was never asked."""
    login, cause = source.credential, cause_of(error)
    if cause is None or source.connection_string is not None or isinstance(login, AccessKey | AccessToken):
        return None
    if not is_refusal(cause):
        return ServiceUnreachable(
            f"no token for {host}: Microsoft Entra ID cannot be reached ({type(cause).__name__}); "
            "check the network, and the authority of source.credential"
        )
    return NotPermitted(f"no token for {host}: {told(cause, login)}; see source.credential")


def _refused(error: BaseException) -> bool:
    """Tell whether the credential was refused; without retries the SDK calls that a broken connection."""
    inner = getattr(error, "inner_exception", None)
    return type(inner).__name__ == "TokenAuthFailure" or isinstance(
        error, ServiceBusAuthenticationError | ServiceBusAuthorizationError | ClientAuthenticationError
    )


def _sessions(error: BaseException, source: ServiceBusSource, entity: str) -> ConfigError | None:
    """Return what is wrong if sessions are configured where there are none, or the other way about."""
    text = str(error).lower()
    if source.sessions_of(entity) and (_HAS_NO_SESSIONS in text or "non-sessionful" in text):
        return ConfigError(f"{entity!r} does not require sessions; take it out of source.sessions")
    if (
        not source.sessions_of(entity)
        and _HAS_NO_SESSIONS not in text
        and (_NEEDS_SESSIONS in text or "sessionful" in text)
    ):
        return ConfigError(f"{entity!r} requires sessions; write source.sessions: {{{entity}: 8}}")
    return None


_SENTENCES: Final[tuple[tuple[type[Exception], str], ...]] = (
    (MessagingEntityDisabledError, "{entity!r} on {host} is disabled; enable it to receive from it"),
    (ServiceBusServerBusyError, "{host} is busy and refuses {entity!r} for a while: it throttles us"),
    (
        ServiceBusQuotaExceededError,
        "{host} has reached a quota for {entity!r}: connections, receivers or size; see its metrics",
    ),
    (SessionLockLostError, "the lock on a session of {entity!r} was lost; its messages come again"),
    (OperationTimeoutError, "{host} did not answer in time for {entity!r}"),
)


def _told(error: BaseException, host: str, entity: str) -> str:
    for kind, sentence in _SENTENCES:
        if isinstance(error, kind):
            return sentence.format(entity=entity, host=host)
    name = type(error).__name__ if isinstance(error, AzureError | OSError) else repr(type(error))
    return f"{host} cannot be reached for {entity!r} ({name}); check the host name, the network and port"
