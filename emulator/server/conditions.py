"""Error conditions the server itself gives, and the status codes of all of them."""

from ..entities.errors import EntityError

DECODE_ERROR = "amqp:decode-error"
INTERNAL_ERROR = "amqp:internal-error"
NOT_IMPLEMENTED = "amqp:not-implemented"
UNAUTHORIZED = "amqp:unauthorized-access"
CONNECTION_FORCED = "amqp:connection:forced"
HANDLE_IN_USE = "amqp:session:handle-in-use"
UNATTACHED_HANDLE = "amqp:session:unattached-handle"
ARGUMENT_ERROR = "com.microsoft:argument-error"

_STATUS = {
    "amqp:not-found": 404,
    "amqp:unauthorized-access": 401,
    "amqp:not-allowed": 400,
    "amqp:not-implemented": 501,
    "amqp:internal-error": 500,
    "amqp:decode-error": 400,
    "amqp:resource-limit-exceeded": 403,
    "amqp:link:message-size-exceeded": 400,
    "com.microsoft:argument-error": 400,
    "com.microsoft:message-lock-lost": 410,
    "com.microsoft:session-lock-lost": 410,
    "com.microsoft:session-cannot-be-locked": 409,
    "com.microsoft:message-not-found": 404,
    "com.microsoft:server-busy": 503,
    "com.microsoft:timeout": 408,
    "com.microsoft:entity-disabled": 403,
    "com.microsoft:entity-already-exists": 409,
    "amqp:invalid-field": 400,
}


def status_of(error: EntityError) -> int:
    """Return the status code a management response gives for a refusal."""
    return _STATUS.get(error.condition, 500)


def argument_error(what: str) -> EntityError:
    """Return the refusal of a request that is not well formed."""
    return EntityError(ARGUMENT_ERROR, what)
