"""What is wrong with an expression, or with one message under it."""


class ExpressionError(ValueError):
    """An expression that cannot be a filter or an action.

    Attributes:
        position: Where in the text it fails, characters from 1.
        sentence: What was found there, and what belongs there.
    """

    def __init__(self, position: int, sentence: str) -> None:
        super().__init__(position, sentence)
        self.position = position
        self.sentence = sentence

    def __str__(self) -> str:
        return f"At character {self.position}: {self.sentence}"


class FilterError(Exception):
    """A filter or action that failed on one message, such as for a type it cannot compare."""
