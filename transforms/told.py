"""A familiar message, and what it tells about the columns of its row."""

from dataclasses import dataclass

from msgspec import Raw

from ..model.envelope import Envelope
from .messages import Meaning
from .sealed import Pair, SealedContext, SealedRecord


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done with messages of one name about one table.

    Attributes:
        taken: The rules take them; else they are skipped.
        meaning: Of the message name.
        table: Logical name of the table.
        number: The table's number.
        codes: Numbers of its columns.
    """

    taken: bool
    meaning: Meaning
    table: str
    number: int
    codes: dict[str, int]


class Told:
    """A familiar message, values sealed.

    Attributes:
        position, envelope, context, plan: Where it stands, and what it is.
        familiar: Nothing about it was unfamiliar so far.
        inputs: Input parameters by name.
        target: The parameter that names the row; empty if there is none.
        key: Id of the row, lower case.
        before, record, after: Pre images, target and post images, in the order in
            which later ones replace columns of earlier ones.
        columns: Key to sealed value.
        labels: Key to sealed label, of keys in ``columns``.
        sent: Keys that were sent: all but those of post images only.
    """

    __slots__ = (
        "after",
        "before",
        "columns",
        "context",
        "envelope",
        "familiar",
        "inputs",
        "key",
        "labels",
        "plan",
        "position",
        "record",
        "sent",
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
        self.before: list[SealedRecord] = []
        self.record: SealedRecord | None = None
        self.after: list[SealedRecord] = []
        self.columns: dict[str, Raw] = {}
        self.labels: dict[str, Raw] = {}
        self.sent: list[str] = []

    def compose(self, limit: int) -> None:
        """Find out what is told about each column, from sources of so many attributes at most."""
        for image in self.before:
            self._add(image, limit)
        if self.record is not None:
            self._add(self.record, limit)
        for parameter, column in (self.plan.meaning.columns or {}).items():
            if parameter in self.inputs:
                self.columns[column] = self.inputs[parameter]
                self.labels.pop(column, None)
        self.sent = list(self.columns)
        for image in self.after:
            self._add(image, limit)

    def _add(self, record: SealedRecord, limit: int) -> None:
        """Add a record's columns; they replace those of the same key, labels included."""
        pairs = record.Attributes
        added = {pair.key: pair.value for pair in pairs}
        if len(added) != len(pairs) or len(added) > limit:
            self.familiar = False
        if self.labels:
            for key in self.labels.keys() & added.keys():
                del self.labels[key]
        if record.FormattedValues:
            self._add_labels(record.FormattedValues, added)
        if self.columns:
            self.columns.update(added)
        else:
            self.columns = added

    def _add_labels(self, pairs: list[Pair], added: dict[str, Raw]) -> None:
        labels = {label.key: label.value for label in pairs}
        if len(labels) != len(pairs):
            self.familiar = False
        if not labels.keys() <= added.keys():
            labels = {key: label for key, label in labels.items() if key in added}
        self.labels.update(labels)
