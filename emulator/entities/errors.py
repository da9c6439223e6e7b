"""What an entity answers when it refuses: an AMQP condition and a sentence."""

from collections.abc import Iterable
from typing import Final

NOT_FOUND: Final = "amqp:not-found"
INVALID_FIELD: Final = "amqp:invalid-field"
NOT_ALLOWED: Final = "amqp:not-allowed"
RESOURCE_LOCKED: Final = "amqp:resource-locked"
SIZE_EXCEEDED: Final = "amqp:link:message-size-exceeded"
LOCK_LOST: Final = "com.microsoft:message-lock-lost"
MESSAGE_NOT_FOUND: Final = "com.microsoft:message-not-found"
ALREADY_EXISTS: Final = "com.microsoft:entity-already-exists"
SESSION_LOCK_LOST: Final = "com.microsoft:session-lock-lost"
SESSION_CANNOT_BE_LOCKED: Final = "com.microsoft:session-cannot-be-locked"
TIMEOUT: Final = "com.microsoft:timeout"
ENTITY_DISABLED: Final = "com.microsoft:entity-disabled"
SERVER_BUSY: Final = "com.microsoft:server-busy"


class EntityError(Exception):
    """A request that was refused; nothing of it was applied.

    Attributes:
        condition: The AMQP symbol a client knows the case by, such as
            ``com.microsoft:message-lock-lost``.
        description: What happened, to which entity, and what to do.
    """

    def __init__(self, condition: str, description: str) -> None:
        super().__init__(condition, description)
        self.condition = condition
        self.description = description

    def __str__(self) -> str:
        return f"{self.description} [{self.condition}]"


class StoreUnavailable(EntityError):
    """The file of a namespace cannot be opened, read or written now.

    What was to be written is kept and written by the next successful commit;
    a client is told that the server is busy, so that it tries again.
    """

    def __init__(self, description: str) -> None:
        super().__init__(SERVER_BUSY, description)

    def __reduce__(self) -> "tuple[type[StoreUnavailable], tuple[str]]":
        """Pickle by the sentence."""
        return StoreUnavailable, (self.description,)


def entity_not_found(address: str) -> EntityError:
    """The refusal of an address at which there is no entity; the npm client knows it by its first words."""
    sentence = f"The messaging entity {address!r} could not be found. Create it, or correct the address."
    return EntityError(NOT_FOUND, sentence)


def entity_disabled(name: str, status: str, operation: str) -> EntityError:
    """The refusal to send to or receive from an entity whose status forbids it."""
    return EntityError(
        ENTITY_DISABLED,
        f"Messaging entity {name!r} is currently disabled for {operation} (its status is {status}): "
        "set its status, or wait until someone does.",
    )


def lock_lost(name: str, lost: int, asked: int) -> EntityError:
    """The refusal of a settlement or renewal with a lock token that is not valid (any more)."""
    return EntityError(
        LOCK_LOST,
        f"{lost} of {asked} lock tokens are not held on {name!r}: expired, settled, or never given. "
        "Nothing was changed; messages that are still there are delivered again.",
    )


def message_not_found(name: str, what: str, numbers: Iterable[int]) -> EntityError:
    """The refusal of sequence numbers at which there is no message of the kind asked for."""
    missing = ", ".join(str(number) for number in sorted(numbers)[:10])
    return EntityError(
        MESSAGE_NOT_FOUND,
        f"There is no {what} message with sequence number {missing} in {name!r}; nothing was changed.",
    )


def message_too_large(name: str, size: int, limit: int) -> EntityError:
    """The refusal of a message above the size limit of the entity; sizes in bytes."""
    return EntityError(
        SIZE_EXCEEDED,
        f"A message of {size} bytes was sent to {name!r}, which takes up to {limit}; nothing was accepted.",
    )


def session_lock_lost(name: str, session_id: str) -> EntityError:
    """The refusal of anything that needs the lock of a session, by one who does not hold it (any more)."""
    return EntityError(
        SESSION_LOCK_LOST,
        f"The lock of session {session_id!r} of {name!r} is not held: expired, given back, or never taken. "
        "Nothing was changed; accept the session again, its messages are delivered again.",
    )


def session_taken(name: str, session_id: str) -> EntityError:
    """The refusal of a session that another receiver holds."""
    return EntityError(
        SESSION_CANNOT_BE_LOCKED,
        f"Session {session_id!r} of {name!r} is locked by another receiver: wait until it lets go, or take "
        "another session.",
    )


def session_required(name: str) -> EntityError:
    """The refusal of a receiver without a session where sessions are required."""
    return EntityError(
        NOT_ALLOWED, f"The entity {name!r} requires sessions: receive with a session, named or the next."
    )


def session_not_supported(name: str) -> EntityError:
    """The refusal of a session where there are none."""
    return EntityError(NOT_ALLOWED, f"The entity {name!r} does not require sessions: receive without one.")


def session_id_missing(name: str) -> EntityError:
    """The refusal of a message without a session where sessions are required."""
    return EntityError(
        NOT_ALLOWED,
        f"A message without a session id was sent to {name!r}, which requires sessions; set the session id. "
        "Nothing was accepted.",
    )
