"""The error hierarchy, by what must happen next.

* BridgeError
  x ConfigError       -> the run does not start; exit 78
  x UsageRefused      -> the graph would lose or hold messages; it is not built; exit 78
  x ServiceUnreachable -> the broker cannot be reached; exit 69
  x NotPermitted      -> the broker or sink refuses us; exit 77
  x SinkUnavailable   -> the write may succeed if tried again; hold
  x Fenced            -> another bridge has taken the sink over; stop, and do not start again; exit 75
  x MessageRejected   -> this message goes to quarantine; the others go on
"""


class BridgeError(Exception):
    """What the bridge raises on purpose: one sentence, what happened and what to do."""


class ConfigError(BridgeError):
    """The configuration is wrong.  The message lists every fault, a line each."""


class UsageRefused(BridgeError):
    """A pipeline is put together in a way that would hold or lose messages."""


class ServiceUnreachable(BridgeError):
    """Service Bus, or an entity in it, cannot be reached."""


class NotPermitted(BridgeError):
    """Service Bus or a sink refuses the credential."""


class SinkUnavailable(BridgeError):
    """A sink cannot take data now: locked, full, away.  Trying again may help."""


class Fenced(BridgeError):
    """Another bridge has taken a sink over: this one must stop, and not start again by itself."""


class MessageRejected(BridgeError):
    """A message cannot become rows.

    Attributes:
        reason: A stable code, see :class:`cdsbridge.model.verdict.Reason`.
        sentence: What is wrong and what to do, for a person.
        where: Byte offset or path of the fault, or the empty string.
    """

    def __init__(self, reason: str, sentence: str, where: str = "") -> None:
        super().__init__(sentence)
        self.reason = reason
        self.sentence = sentence
        self.where = where

    def __reduce__(self) -> "tuple[type[MessageRejected], tuple[str, str, str]]":
        """Pickle by the three parts."""
        return MessageRejected, (self.reason, self.sentence, self.where)
