"""One client: handshake, frames, sessions, heartbeats."""

import asyncio
from collections.abc import Callable, Iterator
from typing import cast

from ..amqp.endpoints import Error
from ..amqp.errors import DecodeError
from ..amqp.frames import (
    AMQP_HEADER,
    EMPTY_FRAME,
    MIN_MAX_FRAME_SIZE,
    SASL_FRAME,
    SASL_HEADER,
    Frame,
    FrameReader,
    encode_frame,
)
from ..amqp.performatives import (
    Begin,
    Close,
    End,
    Open,
    Performative,
    decode_performative,
    encode_performative,
)
from ..amqp.sasl import decode_init, mechanisms_frame, outcome_frame
from ..entities.errors import NOT_ALLOWED
from .broker import Broker
from .conditions import DECODE_ERROR
from .faults import NOTHING, Blow, Kind, Point, blow_of
from .links import Link
from .outbox import Outbox
from .session import Session
from .tokens import Tokens

_PLAIN = "PLAIN"
_MECHANISMS = ("MSSBCBS", _PLAIN, "ANONYMOUS", "EXTERNAL")
_MAX_FRAME_SIZE = 65_536
_IDLE_SECONDS = 120
_MIN_BEAT_SECONDS = 0.01
_CHANNEL_MAX = 4_999


class Connection(asyncio.Protocol):
    """The server's end of one connection.

    Args:
        broker: What all connections share.
    """

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.tokens = Tokens(broker.access, broker.clock, broker.namespace.entity)
        self.max_frame_size = MIN_MAX_FRAME_SIZE
        self.paused = False
        self.is_fresh = True
        self.linkless_since: float | None = broker.clock()
        self._reader = FrameReader(_MAX_FRAME_SIZE)
        self._step: Callable[[], bool] = self._read_header
        self._sessions: dict[int, Session] = {}
        self._closed = False
        self._mute = False
        self._heard = 0.0
        self._timers: list[asyncio.TimerHandle] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a client that has connected."""
        self._loop = asyncio.get_running_loop()
        self._transport = cast("asyncio.Transport", transport)
        self._outbox = Outbox(self._transport, self.broker.latency, self.broker.turns.pending)
        self.broker.connections.add(self)
        self.strike(Point.CONNECT)

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of a client that went, announced or not."""
        del exc
        self._closed = True
        for session in self._sessions.values():
            session.close()
        self._sessions.clear()
        for timer in self._timers:
            timer.cancel()
        self.broker.connections.discard(self)

    def pause_writing(self) -> None:
        """Deliver nothing more until the socket has taken what it has."""
        self.paused = True

    def resume_writing(self) -> None:
        """Deliver again."""
        self.paused = False
        for session in self._sessions.values():
            session.resume()

    def data_received(self, data: bytes) -> None:
        """Take bytes and do what the frames in them ask."""
        self._heard = self._loop.time()
        if self._mute:
            return
        self._reader.feed(data)
        try:
            while not self._closed and not self._mute and self._step():
                pass
        except DecodeError as error:
            self.close(DECODE_ERROR, str(error))

    def send(self, frame: bytes) -> None:
        """Say a frame, or several."""
        if not self._closed and not self._mute:
            self._outbox.send(frame)

    def close(self, condition: str, description: str) -> None:
        """End the connection, telling the client why."""
        if not self._closed:
            self._say(Close(Error(condition, description, {})))
            self._finish()

    def abort(self) -> None:
        """Drop the connection without a word, as a broken network does; what is not written is lost."""
        self._closed = True
        self._transport.abort()

    def strike(self, at: Point, entity: str = "", link: Link | None = None) -> Blow:
        """Meet the fault that strikes at this moment, if one does.

        What befalls the connection or the link is done; the rest is for whom
        it concerns, who goes on only if the blow is not final.

        Args:
            at: The moment.
            entity: The path of the entity it is about.
            link: The link that a ``detach`` forces off.
        """
        armed = self.broker.faults.strike(at, entity)
        if armed is None:
            return NOTHING
        blow = blow_of(armed)
        if blow.kind is Kind.DROP:
            self.abort()
        elif blow.kind is Kind.SILENCE:
            self._mute = True
        elif blow.kind is Kind.DELAY:
            self._outbox.delay(armed.fault.seconds)
        elif blow.kind is Kind.KILL and self.broker.kill is not None:
            self.broker.kill()
        elif blow.kind is Kind.DETACH and link is not None and blow.refusal is not None:
            link.detach(blow.refusal.condition, blow.refusal.description)
        return blow

    def links(self) -> Iterator[Link]:
        """The links of all its sessions."""
        for session in self._sessions.values():
            yield from session.links.values()

    def end(self, session: Session, condition: str, description: str) -> None:
        """End a session, telling the client why."""
        session.send(End(Error(condition, description, {})))
        self._forget(session)

    def _say(self, performative: Performative, channel: int = 0) -> None:
        self.send(encode_frame(channel, encode_performative(performative)))

    def _finish(self) -> None:
        """Close the socket once everything is said; what still comes is not read."""
        self._outbox.close()
        self._closed = True

    def _forget(self, session: Session) -> None:
        self._sessions.pop(session.channel, None)
        session.close()

    def _read_header(self) -> bool:
        header = self._reader.next_header()
        if header is None:
            return False
        if header == SASL_HEADER:
            self.send(SASL_HEADER + mechanisms_frame(*_MECHANISMS))
            self._step = self._read_sasl
        elif header == AMQP_HEADER:
            self.send(AMQP_HEADER)
            self._step = self._read_frame
        else:
            self.send(AMQP_HEADER)
            self._finish()
        return True

    def _read_sasl(self) -> bool:
        frame = self._reader.next_frame()
        if frame is None:
            return False
        if frame.kind != SASL_FRAME:
            raise DecodeError("a SASL frame was expected")
        init = decode_init(frame.body)
        welcome = init.mechanism in _MECHANISMS
        if init.mechanism == _PLAIN:
            welcome = self.tokens.login(init.initial_response)
        self.send(outcome_frame(0 if welcome else 1))
        self._step = self._read_header
        if not welcome:
            self._finish()
        return True

    def _read_frame(self) -> bool:
        frame = self._reader.next_frame()
        if frame is None:
            return False
        if frame.body:
            self._handle(frame)
        return True

    def _handle(self, frame: Frame) -> None:
        performative, position = decode_performative(frame.body)
        session = self._sessions.get(frame.channel)
        if isinstance(performative, Open):
            self._on_open(performative)
        elif isinstance(performative, Close):
            self._say(Close())
            self._finish()
        elif isinstance(performative, Begin):
            self._on_begin(frame.channel, performative)
        elif session is None:
            return
        elif isinstance(performative, End):
            session.send(End())
            self._forget(session)
        else:
            session.handle(performative, frame.body[position:])

    def _on_open(self, client: Open) -> None:
        self.max_frame_size = max(MIN_MAX_FRAME_SIZE, min(client.max_frame_size, _MAX_FRAME_SIZE))
        self._say(Open(self.broker.container_id, None, _MAX_FRAME_SIZE, _CHANNEL_MAX, _IDLE_SECONDS * 1000))
        if client.idle_timeout:
            self._repeat(max(client.idle_timeout / 3000, _MIN_BEAT_SECONDS), self._beat)
        self._repeat(_IDLE_SECONDS, self._check_silence)

    def _on_begin(self, channel: int, begin: Begin) -> None:
        if channel in self._sessions:
            self.close(NOT_ALLOWED, f"A session is open on channel {channel} already.")
            return
        self._sessions[channel] = Session(self, channel, begin)

    def _repeat(self, seconds: float, action: Callable[[], None]) -> None:
        def run() -> None:
            if not self._closed:
                action()
                self._timers[place] = self._loop.call_later(seconds, run)

        place = len(self._timers)
        self._timers.append(self._loop.call_later(seconds, run))

    def _beat(self) -> None:
        self.send(EMPTY_FRAME)

    def _check_silence(self) -> None:
        if self._loop.time() - self._heard > 2 * _IDLE_SECONDS:
            self.abort()
