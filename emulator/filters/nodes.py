"""The tree of an expression."""

from dataclasses import dataclass
from typing import TypeAlias

from .values import Value


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant."""

    value: Value


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter by name, ``@`` included."""

    name: str


@dataclass(frozen=True, slots=True)
class Property:
    """A property of the message; ``system``: one of the message itself, else the sender's own."""

    name: str
    system: bool = False


@dataclass(frozen=True, slots=True)
class PropertyNamed:
    """``property(name)``: the sender's property of a name that is computed."""

    name: "Expression"


@dataclass(frozen=True, slots=True)
class NewId:
    """``newid()``: a new GUID."""


@dataclass(frozen=True, slots=True)
class Negative:
    """``- operand``."""

    operand: "Expression"


@dataclass(frozen=True, slots=True)
class Positive:
    """``+ operand``."""

    operand: "Expression"


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """``left operator right`` with one of ``+ - * / %``."""

    operator: str
    left: "Expression"
    right: "Expression"


@dataclass(frozen=True, slots=True)
class Comparison:
    """``left operator right`` with one of ``= <> < <= > >=``."""

    operator: str
    left: "Expression"
    right: "Expression"


@dataclass(frozen=True, slots=True)
class All:
    """Predicates joined by AND."""

    operands: "tuple[Predicate, ...]"


@dataclass(frozen=True, slots=True)
class Any:
    """Predicates joined by OR."""

    operands: "tuple[Predicate, ...]"


@dataclass(frozen=True, slots=True)
class Not:
    """``NOT operand``."""

    operand: "Predicate"


@dataclass(frozen=True, slots=True)
class IsNull:
    """``operand IS NULL``."""

    operand: Property | PropertyNamed


@dataclass(frozen=True, slots=True)
class Exists:
    """``EXISTS (operand)``."""

    operand: Property | PropertyNamed


@dataclass(frozen=True, slots=True)
class In:
    """``operand IN (choices)``."""

    operand: "Expression"
    choices: "tuple[Expression, ...]"


@dataclass(frozen=True, slots=True)
class Like:
    """``operand LIKE pattern ESCAPE escape``."""

    operand: "Expression"
    pattern: "Expression"
    escape: "Expression | None"


Expression: TypeAlias = (
    Literal | Parameter | Property | PropertyNamed | NewId | Negative | Positive | Arithmetic
)
"""What has a value."""

Predicate: TypeAlias = Comparison | All | Any | Not | IsNull | Exists | In | Like
"""What is true, false or unknown."""


@dataclass(frozen=True, slots=True)
class Set:
    """``SET target = value``."""

    target: Property
    value: Expression


@dataclass(frozen=True, slots=True)
class Remove:
    """``REMOVE target``."""

    target: Property


Statement: TypeAlias = Set | Remove
"""One step of an action."""
