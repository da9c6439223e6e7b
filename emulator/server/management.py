"""What the management node of an entity answers.

The operations are those of "AMQP 1.0 in Azure Service Bus: request-response
based operations" in the Azure documentation.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeAlias
from uuid import UUID

from ..amqp.errors import DecodeError
from ..amqp.requests import Request, encode_response
from ..amqp.types import LONG_ARRAY, TIMESTAMP_ARRAY, Array, Int, Symbol, Timestamp, Value
from ..entities.entity import Target
from ..entities.errors import EntityError
from ..entities.message import Delivery
from ..entities.queue import Queue
from .broker import Broker
from .conditions import ARGUMENT_ERROR, NOT_IMPLEMENTED, argument_error, status_of
from .content import read_content
from .delivering import encode_delivery, encode_stored
from .rule_bodies import read_rule, write_rule

_Body: TypeAlias = Mapping[Value, Value]
_OK, _NO_CONTENT = 200, 204


class _Answer(NamedTuple):
    status: int
    body: dict[Value, Value]


def answer_management(broker: Broker, entity: str, request: Request) -> bytes:
    """Do what a request asks of an entity and return the response."""
    try:
        answer = _answer(broker, entity, request)
    except (EntityError, DecodeError) as error:
        refusal = error if isinstance(error, EntityError) else EntityError(ARGUMENT_ERROR, str(error))
        return _response(request, status_of(refusal), refusal.description, {}, refusal.condition)
    return _response(request, answer.status, "OK" if answer.status == _OK else "No content", answer.body)


def _answer(broker: Broker, entity: str, request: Request) -> _Answer:
    name, target = str(request.properties.get("operation", "")), broker.namespace.entity(entity)
    of_source = _OF_SOURCES.get(name) if isinstance(target, Queue) else None
    if of_source is None and name not in _OF_TARGETS:
        raise EntityError(NOT_IMPLEMENTED, f"The operation {name!r} is not supported on {entity!r}.")
    if not isinstance(request.body, dict):
        raise argument_error("The body of the request is not a map.")
    if of_source is not None and isinstance(target, Queue):
        return of_source(broker, target, request.body)
    return _OF_TARGETS[name](target, request.body)


def _response(
    request: Request, status: int, description: str, body: dict[Value, Value], condition: str | None = None
) -> bytes:
    properties: dict[Value, Value] = {"statusCode": Int(status), "statusDescription": description}
    if condition is not None:
        properties["errorCondition"] = Symbol(condition)
    return encode_response(request.message_id, properties, body)


def _renew(broker: Broker, queue: Queue, body: _Body) -> _Answer:
    del broker
    until = queue.renew(_tokens(body))
    expirations = Array(TIMESTAMP_ARRAY, tuple(Timestamp(seconds * 1000) for seconds in until))
    return _Answer(_OK, {"expirations": expirations})


def _settle(broker: Broker, queue: Queue, body: _Body) -> _Answer:
    tokens, status = _tokens(body), str(body.get("disposition-status", ""))
    if status == "completed":
        queue.complete(tokens)
    elif status == "abandoned":
        queue.abandon(tokens)
    elif status == "defered":
        queue.defer(tokens)
    elif status == "suspended":
        reason, description = body.get("deadletter-reason"), body.get("deadletter-description")
        queue.dead_letter(tokens, str(reason or ""), str(description or ""))
    else:
        raise argument_error(
            f"The disposition status {status!r} is none of completed, abandoned, defered, suspended."
        )
    for link in broker.receivers.get(queue, ()):
        link.forget(tokens)
    return _Answer(_OK, {})


def _peek(broker: Broker, queue: Queue, body: _Body) -> _Answer:
    del broker
    messages = queue.peek(_integer(body, "from-sequence-number"), _integer(body, "message-count"))
    if not messages:
        return _Answer(_NO_CONTENT, {})
    return _Answer(_OK, {"messages": [{"message": encode_stored(message)} for message in messages]})


def _receive_deferred(broker: Broker, queue: Queue, body: _Body) -> _Answer:
    del broker
    lock = body.get("receiver-settle-mode") != 0
    deliveries = queue.receive_deferred(_integers(body, "sequence-numbers"), lock=lock)
    return _Answer(_OK, {"messages": [_deferred(delivery) for delivery in deliveries]})


def _deferred(delivery: Delivery) -> dict[Value, Value]:
    token = delivery.token or UUID(int=0)
    return {"lock-token": token, "message": encode_delivery(delivery)}


def _schedule(target: Target, body: _Body) -> _Answer:
    entries = body.get("messages")
    if not isinstance(entries, list):
        raise argument_error("A request to schedule has no list of messages.")
    contents = []
    for entry in entries:
        message = entry.get("message") if isinstance(entry, dict) else None
        if not isinstance(message, bytes):
            raise argument_error("A message to schedule is not binary.")
        contents.append(read_content(message))
    return _Answer(_OK, {"sequence-numbers": Array(LONG_ARRAY, tuple(target.schedule(contents)))})


def _cancel(target: Target, body: _Body) -> _Answer:
    target.cancel(_integers(body, "sequence-numbers"))
    return _Answer(_OK, {})


def _add_rule(broker: Broker, queue: Queue, body: _Body) -> _Answer:
    broker.namespace.add_rule(queue.name, read_rule(body))
    return _Answer(_OK, {})


def _remove_rule(broker: Broker, queue: Queue, body: _Body) -> _Answer:
    name = body.get("rule-name")
    if not isinstance(name, str):
        raise argument_error("'rule-name' is not a string.")
    broker.namespace.remove_rule(queue.name, name)
    return _Answer(_OK, {})


def _enumerate_rules(broker: Broker, queue: Queue, body: _Body) -> _Answer:
    rules = broker.namespace.subscription(queue.name).rules
    skip, top = _integer(body, "skip"), _integer(body, "top")
    page = rules[max(skip, 0) : max(skip, 0) + max(top, 0)]
    if not page:
        return _Answer(_NO_CONTENT, {})
    return _Answer(_OK, {"rules": [{"rule-description": write_rule(rule)} for rule in page]})


_OF_SOURCES: dict[str, Callable[[Broker, Queue, _Body], _Answer]] = {
    "com.microsoft:renew-lock": _renew,
    "com.microsoft:update-disposition": _settle,
    "com.microsoft:peek-message": _peek,
    "com.microsoft:receive-by-sequence-number": _receive_deferred,
    "com.microsoft:add-rule": _add_rule,
    "com.microsoft:remove-rule": _remove_rule,
    "com.microsoft:enumerate-rules": _enumerate_rules,
}
_OF_TARGETS: dict[str, Callable[[Target, _Body], _Answer]] = {
    "com.microsoft:schedule-message": _schedule,
    "com.microsoft:cancel-scheduled-message": _cancel,
}


def _items(body: _Body, key: str) -> tuple[Value, ...]:
    value = body.get(key)
    if isinstance(value, Array):
        return value.items
    if isinstance(value, list):
        return tuple(value)
    raise argument_error(f"{key!r} is not an array.")


def _tokens(body: _Body) -> list[UUID]:
    tokens = [token for token in _items(body, "lock-tokens") if isinstance(token, UUID)]
    if len(tokens) != len(_items(body, "lock-tokens")) or not tokens:
        raise argument_error("'lock-tokens' is not an array of lock tokens.")
    return tokens


def _integers(body: _Body, key: str) -> list[int]:
    numbers = [number for number in _items(body, key) if isinstance(number, int)]
    if len(numbers) != len(_items(body, key)):
        raise argument_error(f"{key!r} is not an array of numbers.")
    return numbers


def _integer(body: _Body, key: str) -> int:
    value = body.get(key)
    if not isinstance(value, int):
        raise argument_error(f"{key!r} is not a number.")
    return value
