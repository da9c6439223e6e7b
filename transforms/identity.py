"""The identity of an event."""

from hashlib import blake2b

from .contexts import NO_ID


def event_id(body: bytes, job_id: str, step_id: str, message: str, table: str, key: str) -> str:
    """Return the identity of an event: 32 hexadecimal digits.

    What the asynchronous service posts is known by the job, the step and the
    row, and a job that is tried again keeps its id.  Other senders have no
    such id: several messages of one request share theirs, so the bytes tell.

    Args:
        body: The body as received.
        job_id: OperationId in lower case, if the asynchronous service sent
            the message (Mode 1); else empty.
        step_id: GUID of the registered step, lower case.
        message: Name of the message.
        table: PrimaryEntityName, lower case.
        key: PrimaryEntityId, lower case.
    """
    if not job_id or job_id == NO_ID:
        return blake2b(body, digest_size=16).hexdigest()
    told = f"{job_id}\n{step_id}\n{message}\n{table}\n{key}"
    return blake2b(told.encode(), digest_size=16).hexdigest()
