"""What a familiar message says about the columns of its row, still sealed."""

from msgspec import Raw

from .contexts import NO_ID
from .messages import Meaning
from .rules import FlattenRules
from .sealed import Opener, Pair, SealedContext, SealedRecord, Unfamiliar


class Said:
    """Columns of one row.

    Attributes:
        columns: Key to sealed value.
        labels: Key to sealed label, of keys in ``columns``.
        sent: Keys that were sent: all but those of post images.
    """

    __slots__ = ("columns", "labels", "sent")

    def __init__(self) -> None:
        self.columns: dict[str, Raw] = {}
        self.labels: dict[str, Raw] = {}
        self.sent: list[str] = []

    def add(self, record: SealedRecord, limit: int) -> None:
        """Add a record's columns; they replace those of the same key, labels included."""
        pairs = record.Attributes
        added = {pair.key: pair.value for pair in pairs}
        if len(added) != len(pairs) or len(added) > limit:
            raise Unfamiliar
        if self.labels:
            for key in self.labels.keys() & added.keys():
                del self.labels[key]
        if record.FormattedValues:
            labels = {label.key: label.value for label in record.FormattedValues}
            if len(labels) != len(record.FormattedValues):
                raise Unfamiliar
            if not labels.keys() <= added.keys():
                labels = {key: label for key, label in labels.items() if key in added}
            self.labels.update(labels)
        self.columns.update(added)


class Listener:
    """Finds out what a message says.

    Args:
        rules: Which images count, and how many attributes are too many.
        opener: Opens records.
    """

    def __init__(self, rules: FlattenRules, opener: Opener) -> None:
        self._opener = opener
        self._rules = rules
        self._limit = rules.limits.attributes
        self._counts: dict[str, bool] = {}

    def listen(self, context: SealedContext, meaning: Meaning, key: str) -> tuple[str, Said]:
        """Return the id of the row and what is said about its columns.

        Args:
            context: The message.
            meaning: Of its message name; about one row.
            key: PrimaryEntityId, lower case; zeros where the target names the row.

        Raises:
            Unfamiliar: The message must be read thoroughly.
        """
        inputs = {pair.key: pair.value for pair in context.InputParameters}
        sealed = inputs.get(meaning.target)
        if sealed is None or len(inputs) != len(context.InputParameters):
            raise Unfamiliar
        target = self._opener.target(bytes(sealed))
        if key == NO_ID:
            key = target.Id.lower()
        said = Said()
        if meaning.op == "delete":
            self._add_images(said, context.PreEntityImages, key)
        if isinstance(target, SealedRecord):
            said.add(target, self._limit)
        if meaning.columns or meaning.content:
            self._add_parameters(said, inputs, meaning)
        said.sent = list(said.columns)
        self._add_images(said, context.PostEntityImages, key)
        return key, said

    def _add_parameters(self, said: Said, inputs: dict[str, Raw], meaning: Meaning) -> None:
        for parameter, column in (meaning.columns or {}).items():
            if parameter in inputs:
                said.columns[column] = inputs[parameter]
                said.labels.pop(column, None)
        content = inputs.get(meaning.content)
        if content is not None:
            said.add(self._opener.record(bytes(content)), self._limit)

    def _add_images(self, said: Said, images: list[Pair], key: str) -> None:
        if len(images) > 1 and len({image.key for image in images}) != len(images):
            raise Unfamiliar
        for image in images:
            counts = self._counts.get(image.key)
            if counts or (counts is None and self._count(image.key)):
                sealed = bytes(image.value)
                if sealed != b"null":
                    record = self._opener.image(sealed)
                    if record.Id == key or record.Id.lower() in {"", NO_ID, key}:
                        said.add(record, self._limit)

    def _count(self, alias: str) -> bool:
        if len(self._counts) > 10_000:
            self._counts.clear()
        counts = self._counts[alias] = self._rules.images.count(alias)
        return counts
