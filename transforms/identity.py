"""The identity of an event."""

from hashlib import blake2b

from .contexts import NO_ID


def event_id(
    body: bytes,
    *,
    asynchronous: bool,
    operation_id: str,
    step_id: str,
    message: str,
    table: str,
    id: str,  # noqa: A002 - it is the row's
) -> str:
    """Return the identity of an event: 32 hexadecimal digits.

    What the asynchronous service posts is known by the job, the step and the
    row, and a job that is tried again keeps its id.  Other senders have no
    such id: several messages of one request share theirs, so the bytes tell.

    Args:
        body: The body as received.
        asynchronous: The asynchronous service sent it (Mode 1).
        operation_id: GUID of the job, lower case; empty or zeros for none.
        step_id: GUID of the registered step, lower case.
        message: Name of the message.
        table: PrimaryEntityName, lower case.
        id: PrimaryEntityId, lower case.
    """
    if not asynchronous or operation_id in {"", NO_ID}:
        return blake2b(body, digest_size=16).hexdigest()
    told = f"{operation_id}\n{step_id}\n{message}\n{table}\n{id}"
    return blake2b(told.encode(), digest_size=16).hexdigest()
