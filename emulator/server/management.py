"""What the management node of an entity answers.

The operations are those of "AMQP 1.0 in Azure Service Bus: request-response
based operations" in the Azure documentation.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING
from uuid import UUID

from ..amqp.errors import DecodeError
from ..amqp.requests import Request, encode_response
from ..amqp.types import LONG_ARRAY, TIMESTAMP_ARRAY, Array, Int, Symbol, Timestamp, Value
from ..entities.entity import Source, Target
from ..entities.errors import EntityError
from ..entities.message import Delivery
from ..entities.queue import Queue
from .access import Right
from .amending import amender
from .conditions import ARGUMENT_ERROR, NOT_IMPLEMENTED, argument_error, status_of
from .content import read_content
from .delivering import encode_delivery, encode_stored
from .request_bodies import NO_CONTENT, OK, Answer, Body, integer, integers, text, tokens
from .rule_bodies import read_rule, write_rule
from .session_links import session_of
from .session_requests import SESSION_OPERATIONS

if TYPE_CHECKING:
    from .connection import Connection


def answer_management(connection: "Connection", entity: str, request: Request) -> bytes:
    """Do what a request asks of an entity and return the response."""
    try:
        answer = _answer(connection, entity, request)
    except (EntityError, DecodeError) as error:
        refusal = error if isinstance(error, EntityError) else EntityError(ARGUMENT_ERROR, str(error))
        return refuse_request(request, refusal)
    return _response(request, answer.status, "OK" if answer.status == OK else "No content", answer.body)


def refuse_request(request: Request, refusal: EntityError) -> bytes:
    """Return the response to a request that is refused."""
    return _response(request, status_of(refusal), refusal.description, {}, refusal.condition)


def _answer(connection: "Connection", entity: str, request: Request) -> Answer:
    name, body = str(request.properties.get("operation", "")), request.body
    target = connection.broker.namespace.entity(entity)
    if name not in _OF_TARGETS and not (name in _OF_SOURCES and isinstance(target, Queue)):
        raise EntityError(NOT_IMPLEMENTED, f"The operation {name!r} is not supported on {entity!r}.")
    connection.tokens.demand(entity, Right.SEND if name in _OF_TARGETS else Right.LISTEN)
    if not isinstance(body, dict):
        raise argument_error("The body of the request is not a map.")
    if isinstance(target, Queue) and name in _OF_SOURCES:
        return _OF_SOURCES[name](connection, target, body)
    return _OF_TARGETS[name](target, body)


def _response(
    request: Request, status: int, description: str, body: dict[Value, Value], condition: str | None = None
) -> bytes:
    properties: dict[Value, Value] = {"statusCode": Int(status), "statusDescription": description}
    if condition is not None:
        properties["errorCondition"] = Symbol(condition)
    return encode_response(request.message_id, properties, body)


def _source(connection: "Connection", queue: Queue, body: Body) -> Source:
    """What a request settles or receives with: the entity, or the session of it that this client holds."""
    session_id = body.get("session-id")
    if not queue.requires_session or not isinstance(session_id, str):
        return queue
    return session_of(connection, queue, session_id)


def _renew(connection: "Connection", queue: Queue, body: Body) -> Answer:
    del connection
    until = queue.renew(tokens(body))
    expirations = Array(TIMESTAMP_ARRAY, tuple(Timestamp(seconds * 1000) for seconds in until))
    return Answer(OK, {"expirations": expirations})


def _settle(connection: "Connection", queue: Queue, body: Body) -> Answer:
    source = _source(connection, queue, body)
    held, status = tokens(body), str(body.get("disposition-status", ""))
    amend = amender(body.get("properties-to-modify"))
    if status == "completed":
        source.complete(held)
    elif status == "abandoned":
        source.abandon(held, amend)
    elif status == "defered":
        source.defer(held, amend)
    elif status == "suspended":
        reason, description = body.get("deadletter-reason"), body.get("deadletter-description")
        source.dead_letter(held, str(reason or ""), str(description or ""), amend)
    else:
        raise argument_error(
            f"The disposition status {status!r} is none of completed, abandoned, defered, suspended."
        )
    for link in connection.broker.receivers.get(source, ()):
        link.forget(held)
    return Answer(OK, {})


def _peek(connection: "Connection", queue: Queue, body: Body) -> Answer:
    del connection
    first, count, session_id = integer(body, "from-sequence-number"), integer(body, "message-count"), None
    if isinstance(body.get("session-id"), str):
        session_id = str(body["session-id"])
    messages = queue.peek(first, count, session_id)
    if not messages:
        return Answer(NO_CONTENT, {})
    return Answer(OK, {"messages": [{"message": encode_stored(message)} for message in messages]})


def _receive_deferred(connection: "Connection", queue: Queue, body: Body) -> Answer:
    lock = body.get("receiver-settle-mode") != 0
    deliveries = _source(connection, queue, body).receive_deferred(
        integers(body, "sequence-numbers"), lock=lock
    )
    return Answer(OK, {"messages": [_deferred(delivery) for delivery in deliveries]})


def _deferred(delivery: Delivery) -> dict[Value, Value]:
    token = delivery.token or UUID(int=0)
    return {"lock-token": token, "message": encode_delivery(delivery)}


def _schedule(target: Target, body: Body) -> Answer:
    entries = body.get("messages")
    if not isinstance(entries, list):
        raise argument_error("A request to schedule has no list of messages.")
    contents = []
    for entry in entries:
        message = entry.get("message") if isinstance(entry, dict) else None
        if not isinstance(message, bytes):
            raise argument_error("A message to schedule is not binary.")
        contents.append(read_content(message))
    return Answer(OK, {"sequence-numbers": Array(LONG_ARRAY, tuple(target.schedule(contents)))})


def _cancel(target: Target, body: Body) -> Answer:
    target.cancel(integers(body, "sequence-numbers"))
    return Answer(OK, {})


def _add_rule(connection: "Connection", queue: Queue, body: Body) -> Answer:
    connection.broker.namespace.add_rule(queue.name, read_rule(body))
    return Answer(OK, {})


def _remove_rule(connection: "Connection", queue: Queue, body: Body) -> Answer:
    connection.broker.namespace.remove_rule(queue.name, text(body, "rule-name"))
    return Answer(OK, {})


def _enumerate_rules(connection: "Connection", queue: Queue, body: Body) -> Answer:
    rules = connection.broker.namespace.subscription(queue.name).rules
    skip, top = integer(body, "skip"), integer(body, "top")
    page = rules[max(skip, 0) : max(skip, 0) + max(top, 0)]
    if not page:
        return Answer(NO_CONTENT, {})
    return Answer(OK, {"rules": [{"rule-description": write_rule(rule)} for rule in page]})


_OF_SOURCES: dict[str, Callable[["Connection", Queue, Body], Answer]] = {
    "com.microsoft:renew-lock": _renew,
    "com.microsoft:update-disposition": _settle,
    "com.microsoft:peek-message": _peek,
    "com.microsoft:receive-by-sequence-number": _receive_deferred,
    "com.microsoft:add-rule": _add_rule,
    "com.microsoft:remove-rule": _remove_rule,
    "com.microsoft:enumerate-rules": _enumerate_rules,
    **SESSION_OPERATIONS,
}
_OF_TARGETS: dict[str, Callable[[Target, Body], Answer]] = {
    "com.microsoft:schedule-message": _schedule,
    "com.microsoft:cancel-scheduled-message": _cancel,
}
