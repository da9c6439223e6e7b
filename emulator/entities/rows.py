"""The tables of the store, and a message as a row of them."""

import json
from enum import IntEnum
from typing import Any, Final

from .message import Content, State, StoredMessage

_NUMBER_BITS: Final = 40


class Part(IntEnum):
    """The parts of a queue or subscription, as ``message.dead`` numbers them."""

    MAIN = 0
    DEAD = 1
    TRANSFER = 2


MIGRATIONS: Final = (
    """
CREATE TABLE entity (
    id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, name TEXT NOT NULL,
    settings TEXT NOT NULL, next_number INTEGER NOT NULL);
CREATE TABLE message (
    id INTEGER PRIMARY KEY, dead INTEGER NOT NULL,
    enqueued_at REAL NOT NULL, delivery_count INTEGER NOT NULL, state INTEGER NOT NULL,
    expires_at REAL, dead_letter TEXT NOT NULL,
    properties BLOB NOT NULL, application BLOB NOT NULL, body BLOB NOT NULL, annotations BLOB NOT NULL,
    message_id TEXT NOT NULL, ttl REAL, durable INTEGER NOT NULL, priority INTEGER NOT NULL,
    scheduled_at REAL, session_id TEXT);
""",
    """
ALTER TABLE entity ADD COLUMN topic INTEGER;
ALTER TABLE message ADD COLUMN enqueued_number INTEGER NOT NULL DEFAULT 0;
""",
    """
CREATE TABLE rule (entity INTEGER NOT NULL, name TEXT NOT NULL COLLATE NOCASE, body TEXT NOT NULL,
    PRIMARY KEY (entity, name));
INSERT INTO rule SELECT id, '$Default', '{"filter": {"kind": "true"}, "action": null, "created_at": 0.0}'
    FROM entity WHERE kind = 'subscription';
""",
    """
CREATE TABLE session (
    entity INTEGER NOT NULL, id TEXT NOT NULL, state BLOB NOT NULL, updated_at REAL NOT NULL,
    PRIMARY KEY (entity, id)) WITHOUT ROWID;
CREATE TABLE seen (
    entity INTEGER NOT NULL, message_id TEXT NOT NULL, at REAL NOT NULL,
    PRIMARY KEY (entity, message_id)) WITHOUT ROWID;
""",
    """
ALTER TABLE entity ADD COLUMN created_at REAL NOT NULL DEFAULT 0;
ALTER TABLE entity ADD COLUMN updated_at REAL NOT NULL DEFAULT 0;
ALTER TABLE message ADD COLUMN hops INTEGER NOT NULL DEFAULT 0;
ALTER TABLE message ADD COLUMN dead_letter_source TEXT NOT NULL DEFAULT '';
""",
    """
ALTER TABLE message ADD COLUMN delivery_annotations BLOB NOT NULL DEFAULT x'';
""",
)
"""Scripts, each of which brings a store from the version that is its place in the row to the next.

``rule.body`` is as :mod:`..filters.stored` writes it; ``entity.topic``: of a subscription, the
id of its topic.  ``message.id`` is as :func:`id_range` says; ``dead``: see :class:`Part`.
``session`` has the states of sessions, ``seen`` the message ids that duplicates are known by.
"""

SAVE: Final = "INSERT OR REPLACE INTO message VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
"""Writes a message, new or changed."""


def id_range(queue: int) -> tuple[int, int]:
    """The first and last row id of a queue: its rows lie together, in the order of sequence numbers."""
    return queue << _NUMBER_BITS, (queue + 1 << _NUMBER_BITS) - 1


def to_row(key: int, part: Part, message: StoredMessage) -> tuple[object, ...]:
    """The values of :data:`SAVE` for a message."""
    content = message.content
    return (
        key,
        part,
        message.enqueued_at,
        message.delivery_count,
        message.state,
        message.expires_at,
        json.dumps(dict(message.dead_letter)) if message.dead_letter else "{}",
        content.properties,
        content.application,
        content.body,
        content.annotations,
        content.message_id,
        content.ttl,
        content.durable,
        content.priority,
        content.scheduled_at,
        content.session_id,
        message.enqueued_number,
        message.hops,
        message.dead_letter_source,
        content.delivery_annotations,
    )


def from_row(row: tuple[Any, ...], number: int) -> StoredMessage:
    """The message of a whole row, under its sequence number."""
    enqueued_at, delivery_count, state, expires_at, dead_letter = row[2:7]
    properties, application, body, annotations, message_id, ttl, durable, priority, scheduled_at, session = (
        row[7:17]
    )
    content = Content(
        properties,
        application,
        body,
        annotations,
        message_id,
        ttl,
        bool(durable),
        priority,
        scheduled_at,
        session,
        row[20],
    )
    noted = json.loads(dead_letter)
    return StoredMessage(
        number,
        content,
        enqueued_at,
        delivery_count,
        State(state),
        expires_at,
        noted,
        enqueued_number=row[17],
        hops=row[18],
        dead_letter_source=row[19],
    )
