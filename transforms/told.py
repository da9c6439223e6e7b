"""A familiar message on its way into a pool."""

from dataclasses import dataclass

from msgspec import Raw

from ..model.envelope import Envelope
from .messages import Meaning
from .sealed import SealedContext, SealedRecord


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done with messages of one name about one table.

    Attributes:
        taken: The rules take them; else they are skipped.
        meaning: Of the message name.
        table: Logical name of the table.
    """

    taken: bool
    meaning: Meaning
    table: str


class Told:
    """A familiar message, values sealed.

    Attributes:
        position, envelope, context, plan: Where it stands, and what it is.
        familiar: Nothing about it was unfamiliar so far.
        inputs: Input parameters by name.
        target: The parameter that names the row; empty if there is none.
        key: Id of the row, lower case.
        before, record, after: Pre images, target and post images; later ones
            replace columns of earlier ones.
    """

    __slots__ = (
        "after",
        "before",
        "context",
        "envelope",
        "familiar",
        "inputs",
        "key",
        "plan",
        "position",
        "record",
        "target",
    )

    def __init__(self, position: int, envelope: Envelope, context: SealedContext, plan: Plan) -> None:
        self.position = position
        self.envelope = envelope
        self.context = context
        self.plan = plan
        pairs = context.InputParameters
        self.inputs: dict[str, Raw] = {pair.key: pair.value for pair in pairs}
        sealed = self.inputs.get(plan.meaning.target)
        self.target = b"" if sealed is None else bytes(sealed)
        self.familiar = len(self.inputs) == len(pairs)
        self.key = context.PrimaryEntityId.lower()
        self.record: SealedRecord | None = None
        self.before: list[SealedRecord] | None = None
        self.after: list[SealedRecord] | None = None
