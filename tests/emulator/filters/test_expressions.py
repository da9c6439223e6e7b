"""SQL expressions, as the Azure documentation of filters and actions describes them."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from cdsbridge.emulator.filters.errors import ExpressionError, FilterError
from cdsbridge.emulator.filters.evaluate import holds, value_of
from cdsbridge.emulator.filters.message import Properties
from cdsbridge.emulator.filters.nodes import Comparison
from cdsbridge.emulator.filters.parser import parse_action, parse_filter
from cdsbridge.emulator.filters.rules import CorrelationFilter, SqlAction, SqlFilter
from cdsbridge.emulator.filters.values import Value

USER: Mapping[str, Value] = {
    "color": "blue",
    "quantity": 10,
    "price": 2.5,
    "exact": Decimal("1.10"),
    "rush": True,
    "nothing": None,
    "id": UUID(int=7),
    "due": datetime(2020, 7, 5, tzinfo=UTC),
    "raw": b"x",
    "Property With Space": "spaced",
    "a]b": "bracket",
    'a"b': "quote",
    "Straße": "word",
    "min": -(2**63),
    "big": 2**64 - 1,
}
SYSTEM: Mapping[str, Value] = {"Label": "a bus", "MessageId": "m", "To": None, "SequenceNumber": 5}


def message(user: Mapping[str, Value] = USER) -> Properties:
    return Properties(lambda: SYSTEM, user)


def held(text: str, parameters: Mapping[str, Value] | None = None) -> bool | None:
    return holds(parse_filter(text), message(), parameters or {})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 = 1", True),
        ("1=0", False),
        ("color = 'blue' AND quantity=10", True),
        ("user.color = 'red'", False),
        ("COLOR = 'blue'", True),
        ("color = 'Blue'", False),
        ("color <> 'red'", True),
        ("color != 'red'", True),
        ("sys.Label LIKE '%bus%'", True),
        ("SYS.label = 'a bus'", True),
        ("sys.Subject = 'a bus'", True),
        ("sys.To IS NULL", True),
        ("sys.SequenceNumber > 4", True),
        ("[Property With Space] = 'spaced'", True),
        ("user.[a]]b] = 'bracket'", True),
        ('"a""b" = \'quote\'', True),
        ("Straße = 'word'", True),
        ("'it''s' = 'it''s'", True),
        ("color IN ('red', 'blue')", True),
        ("color NOT IN ('red', 'blue')", False),
        ("quantity in (1, 5 + 5)", True),
        ("missing IS NULL", True),
        ("nothing IS NULL", True),
        ("nothing IS NOT NULL", False),
        ("color is not null", True),
        ("EXISTS(color)", True),
        ("exists ( missing )", False),
        ("EXISTS(nothing)", True),
        ("EXISTS(user.color)", True),
        ("EXISTS(sys.To)", False),
        ("NOT EXISTS(missing)", True),
        ("rush = TRUE", True),
        ("rush = false", False),
        ("id = p('id')", True),
        ("property('co' + 'lor') = 'blue'", True),
        ("p(color) IS NULL", True),
        ("EXISTS(p('color'))", True),
        ("newid() <> newid()", True),
        ("due = p('due')", True),
        ("raw = raw", True),
        # unknown
        ("missing = 1", None),
        ("1 = missing", None),
        ("missing = missing", None),
        ("nothing = NULL", None),
        ("missing + 1 = 1", None),
        ("- missing = 1", None),
        ("missing LIKE 'a'", None),
        ("color LIKE missing", None),
        ("color LIKE 'a' ESCAPE missing", None),
        ("missing IN (1)", None),
        ("missing NOT IN (1)", None),
        ("color IN (missing, 'blue')", True),
        ("color IN (missing, 'red')", None),
        ("NOT missing = 1", None),
        ("missing = 1 AND 1 = 0", False),
        ("missing = 1 AND 1 = 1", None),
        ("missing = 1 OR 1 = 1", True),
        ("missing = 1 OR 1 = 0", None),
        # precedence
        ("1 = 0 AND 1 = 0 OR 1 = 1", True),
        ("1 = 1 OR 1 = 0 AND 1 = 0", True),
        ("(1 = 1 OR 1 = 0) AND 1 = 0", False),
        ("NOT 1 = 0 AND 1 = 0", False),
        ("NOT (1 = 0 AND 1 = 0)", True),
        ("2 + 3 * 4 = 14", True),
        ("(2 + 3) * 4 = 20", True),
        ("10 - 3 - 2 = 5", True),
        ("20 / 2 / 5 = 2", True),
        ("-2 * -3 = 6", True),
        ("- (1 + 1) = -2", True),
        ("+quantity = 10", True),
        # numbers
        ("quantity / 4 = 2", True),
        ("-7 / 2 = -3", True),
        ("-7 % 2 = -1", True),
        ("7 % -2 = 1", True),
        ("quantity / 4.0 = 2.5", True),
        ("quantity = 10.0", True),
        ("price = 25E-1", True),
        ("price > 2", True),
        ("1.0 / 0 > 1e300", True),
        ("0.0 / 0.0 = 0.0 / 0.0", False),
        ("exact > 1", True),
        ("exact + 1 = 2", False),
        ("big > 9223372036854775807", True),
        ("min = -9223372036854775808", True),
        ("1894.1204 > 1894", True),
        ("'a' < 'b'", True),
        ("color + '!' = 'blue!'", True),
        # like
        ("'ABC%' LIKE 'ABC\\%' ESCAPE '\\'", True),
        ("'ABCD' LIKE 'ABC\\%' ESCAPE '\\'", False),
        ("'abc' LIKE 'a_c'", True),
        ("'ac' LIKE 'a_c'", False),
        ("'abc' LIKE '%'", True),
        ("'' LIKE '%'", True),
        ("'' LIKE ''", True),
        ("'abcbc' LIKE '%bc'", True),
        ("'a.c' LIKE 'a.c' AND NOT 'abc' LIKE 'a.c'", True),
        ("'ABC' LIKE 'abc'", False),
        ("'a\nb' LIKE 'a%b'", True),
        ("color NOT LIKE 'r%'", True),
    ],
)
def test_what_an_expression_says(text: str, expected: bool | None) -> None:
    assert held(text) is expected


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("sys.Nonsense = 1", "no system property 'Nonsense'"),
        ("color > 1", "> does not take a string and an integer"),
        ("color = 1", "= does not take a string and an integer"),
        ("rush > FALSE", "> does not take a boolean and a boolean"),
        ("rush = 1", "a boolean and an integer"),
        ("color + 1 = 2", "+ does not take a string and an integer"),
        ("exact = 1.5", "a decimal and a double"),
        ("quantity / 0 = 1", "divided by zero"),
        ("quantity % 0 = 1", "divided by zero"),
        ("exact / 0 = 1", "divided by zero"),
        ("9223372036854775807 * 4 > 1", "does not fit 64 bits"),
        ("min - 1 = 1", "does not fit 64 bits"),
        ("-color = 'x'", "- does not take a string"),
        ("+rush = TRUE", "+ does not take a boolean"),
        ("quantity LIKE '1%'", "LIKE takes strings, not an integer"),
        ("color LIKE 1", "LIKE takes strings, not an integer"),
        ("color LIKE 'a' ESCAPE 'ab'", "ESCAPE takes one character"),
        ("color LIKE 'a!' ESCAPE '!'", "ends with its escape"),
        ("p(quantity) = 1", "property() takes a string, not an integer"),
        ("due > 1", "a time and an integer"),
        ("color IN (1)", "a string and an integer"),
    ],
)
def test_what_an_expression_cannot_say_of_a_message(text: str, sentence: str) -> None:
    with pytest.raises(FilterError) as failure:
        held(text)
    assert sentence in str(failure.value)


@pytest.mark.parametrize(
    ("text", "position", "sentence"),
    [
        ("", 1, "the end of the expression"),
        ("color", 1, "a value, not a condition"),
        ("TRUE", 1, "a value, not a condition"),
        ("(color)", 1, "a value, not a condition"),
        ("color =", 8, "a value was expected, not the end of the expression"),
        ("color = 'blue", 9, "a string begins here and does not end"),
        ("[color = 1", 1, "a delimited name begins here and does not end"),
        ('"" = 1', 1, "quoted name"),
        ("color == 1", 8, "a value was expected, not '='"),
        ("color = 1 quantity = 2", 11, "an operator or the end"),
        ("color = 1 AND quantity", 15, "where a condition belongs"),
        ("quantity OR 1 = 1", 1, "where a condition belongs"),
        ("NOT quantity", 5, "where a condition belongs"),
        ("(a = 1) = 1", 1, "a condition, where a value belongs"),
        ("a = (b = 1)", 5, "a condition, where a value belongs"),
        ("a + (b = 1) = 1", 5, "a condition, where a value belongs"),
        ("a IN ()", 7, "a value was expected"),
        ("a IN 1", 6, "'(' was expected"),
        ("a NOT 1", 7, "IN or LIKE was expected"),
        ("a IS 1", 6, "'NULL' was expected"),
        ("1 IS NULL", 1, "IS NULL takes a property"),
        ("EXISTS(1)", 8, "a property was expected"),
        ("EXISTS(newid())", 8, "a property was expected"),
        ("other.color = 1", 1, "neither sys nor user"),
        ("sys. = 1", 6, "the name of a property"),
        ("and = 1", 1, "a value was expected, not 'AND'"),
        ("nonsense() = 1", 1, "there is no function"),
        ("a = #", 5, "has no meaning here"),
        ("a = 9223372036854775808", 5, "does not fit an integer of 64 bits"),
        ("a = 1;", 6, "an operator or the end"),
        ("a\n = #", 6, "has no meaning here"),
        ("a = 12abc", 7, "an operator or the end"),
        ("a = 1.", 6, "an operator or the end"),
        ("_a = 1", 1, "has no meaning here"),
    ],
)
def test_a_malformed_expression_is_refused_with_its_place(text: str, position: int, sentence: str) -> None:
    with pytest.raises(ExpressionError) as refusal:
        parse_filter(text)
    assert sentence in refusal.value.sentence
    assert refusal.value.position == position
    assert str(refusal.value).startswith(f"At character {position}: ")


@pytest.mark.parametrize(
    "text",
    [
        "(" * 300 + "1 = 1" + ")" * 300,
        "NOT " * 250 + "1 = 1",
        "-" * 500 + "1 = 1",
        "1" + "+1" * 400 + " = 1",
        "p(" * 300 + "'a'" + ")" * 300 + " = 1",
    ],
)
def test_depth_is_bounded(text: str) -> None:
    with pytest.raises(ExpressionError, match=r"levels deep|operands"):
        parse_filter(text)


def test_length_is_bounded() -> None:
    parse_filter("'" + "x" * 1018 + "'=a")
    with pytest.raises(ExpressionError, match="1025 characters; up to 1024"):
        parse_filter("'" + "x" * 1021 + "'=a")


def test_many_conditions_of_one_level_are_allowed() -> None:
    assert held(" OR ".join(["a=1"] * 140 + ["1=1"])) is True


def test_strings_do_not_grow_without_bound() -> None:
    large = message({"a": "x" * 65536})
    with pytest.raises(FilterError, match="characters"):
        holds(parse_filter("a + 'y' = 'z'"), large, {})


def test_a_pattern_of_many_wildcards_is_matched_in_time() -> None:
    lines = message({"a": "a" * 20000})
    assert holds(parse_filter("a LIKE '" + "%a" * 100 + "%b'"), lines, {}) is False


def test_parameters_stand_for_values() -> None:
    assert held("color = @p AND quantity > @q", {"@p": "blue", "@q": 9}) is True
    assert held("due < @d", {"@d": datetime(2021, 1, 1, tzinfo=UTC)}) is True
    assert held("due = @d", {"@d": datetime(2020, 7, 5)}) is True
    with pytest.raises(ExpressionError, match="parameter @q has no value") as refusal:
        SqlFilter("color = @p AND quantity = @q", {"@p": "blue"})
    assert refusal.value.position == 27
    with pytest.raises(ExpressionError, match="parameter @q has no value"):
        SqlAction("SET a = @q")


def test_a_newid_is_a_new_guid_each_time() -> None:
    comparison = parse_filter("newid() = 1")
    assert isinstance(comparison, Comparison)
    made = {value_of(comparison.left, message(), {}) for _ in range(3)}
    assert len(made) == 3
    assert all(isinstance(each, UUID) for each in made)


def acted(text: str, parameters: Mapping[str, Value] | None = None) -> Properties:
    changed = message()
    SqlAction(text, parameters or {}).apply(changed)
    return changed


def test_an_action_sets_and_removes() -> None:
    changed = acted(
        "SET quantity = quantity / 2; SET New = 'n' + color SET [with space] = NULL; "
        "REMOVE color; REMOVE missing, SET COPY = new;"
    )
    assert changed.value("quantity") == 5
    assert changed.value("new") == "nblue"
    assert changed.has("WITH SPACE")
    assert changed.value("with space") is None
    assert not changed.has("color")
    assert changed.value("copy") == "nblue"
    assert "quantity" in changed.user
    assert USER["quantity"] == 10


def test_setting_whatever_the_case_keeps_the_name_that_is_there() -> None:
    changed = acted("SET COLOR = 'red'")
    assert changed.user["color"] == "red"
    assert "COLOR" not in changed.user


def test_an_integer_becomes_a_double_where_one_was() -> None:
    value = acted("SET price = 3").value("price")
    assert isinstance(value, float)
    assert value == 3.0
    assert acted("SET quantity = 'many'").value("quantity") == "many"


def test_an_action_sets_system_properties() -> None:
    changed = acted(
        "SET sys.Label = 'new'; SET sys.messageid = newid(); SET sys.To = 5; SET sys.TimeToLive = @t; "
        "REMOVE sys.SessionId",
        {"@t": timedelta(seconds=9)},
    )
    assert changed.changed["Label"] == "new"
    assert UUID(str(changed.changed["MessageId"]))
    assert changed.changed["To"] == "5"
    assert changed.changed["TimeToLive"] == timedelta(seconds=9)
    assert changed.changed["SessionId"] is None
    assert changed.system_value("Subject") == "new"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("SET sys.Nonsense = 1", "no system property"),
        ("SET sys.SequenceNumber = 1", "cannot be set"),
        ("REMOVE sys.SequenceNumber", "cannot be set"),
        ("SET sys.TimeToLive = 5", "cannot be an integer"),
        ("SET a = 1 / 0", "divided by zero"),
    ],
)
def test_an_action_fails_on_what_cannot_be_done(text: str, sentence: str) -> None:
    with pytest.raises(FilterError, match=sentence):
        acted(text)


@pytest.mark.parametrize(
    ("text", "position", "sentence"),
    [
        ("", 1, "SET or REMOVE was expected"),
        ("quantity = 1", 1, "SET or REMOVE was expected, not 'quantity'"),
        ("SET quantity", 13, "'=' was expected"),
        ("SET quantity = ", 16, "a value was expected"),
        ("SET quantity = a = 1", 18, "SET or REMOVE was expected"),
        ("SET quantity = (a = 1)", 16, "a condition, where a value belongs"),
        ("SET p('a') = 1", 6, "'=' was expected"),
        ("SET 5 = 1", 5, "the name of a property"),
        ("REMOVE", 7, "the name of a property"),
        ("SET a = 1;" * 33, 321, "up to 32 statements"),
    ],
)
def test_a_malformed_action_is_refused_with_its_place(text: str, position: int, sentence: str) -> None:
    with pytest.raises(ExpressionError) as refusal:
        parse_action(text)
    assert sentence in refusal.value.sentence
    assert refusal.value.position == position


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (CorrelationFilter(label="a bus"), True),
        (CorrelationFilter(label="A bus"), False),
        (CorrelationFilter(label="a bus", message_id="other"), False),
        (CorrelationFilter(to="x"), False),
        (CorrelationFilter(properties={"color": "blue", "quantity": 10}), True),
        (CorrelationFilter(properties={"color": "Blue"}), False),
        (CorrelationFilter(properties={"quantity": "10"}), False),
        (CorrelationFilter(properties={"quantity": 10.0}), False),
        (CorrelationFilter(properties={"rush": 1}), False),
        (CorrelationFilter(properties={"missing": "x"}), False),
        (CorrelationFilter(properties={"due": datetime(2020, 7, 5, tzinfo=UTC)}), True),
        (CorrelationFilter(message_id="m", properties={"id": UUID(int=7)}), True),
    ],
)
def test_a_correlation_filter_wants_all_it_names(given: CorrelationFilter, expected: bool) -> None:
    assert given.matches(message()) is expected


def test_a_correlation_filter_names_something() -> None:
    with pytest.raises(ValueError, match="at least one"):
        CorrelationFilter()
