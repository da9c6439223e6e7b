"""IEEE 754 decimals, in the binary encoding that AMQP uses, as decimals of Python."""

from decimal import Context, Decimal
from typing import Final, NamedTuple


class _Form(NamedTuple):
    exponent: int
    fraction: int
    bias: int


_FORMS: Final = {4: _Form(8, 23, 101), 8: _Form(10, 53, 398), 16: _Form(14, 113, 6176)}
_DIGITS: Final = {4: 7, 8: 16, 16: 34}


def decimal_of(raw: bytes) -> Decimal:
    """The number of 4, 8 or 16 bytes; an infinity or no number where they say so.

    >>> decimal_of(bytes.fromhex("303c000000000000000000000000007b"))
    Decimal('1.23')
    """
    form, bits = _FORMS[len(raw)], int.from_bytes(raw, "big")
    negative, top = bits >> (len(raw) * 8 - 1), bits >> (len(raw) * 8 - 6) & 0b11111
    if top == 0b11111:
        return Decimal("NaN")
    if top == 0b11110:
        return Decimal("-Infinity" if negative else "Infinity")
    fraction = form.fraction
    digits = bits & ((1 << fraction) - 1)
    if top >= 0b11000:
        fraction -= 2
        digits = 0b100 << fraction | bits & ((1 << fraction) - 1)
    if digits >= 10 ** _DIGITS[len(raw)]:
        digits = 0
    exponent = (bits >> fraction & ((1 << form.exponent) - 1)) - form.bias
    return Decimal((negative, tuple(int(digit) for digit in str(digits)), exponent))


def bytes_of(number: Decimal) -> bytes:
    """The 16 bytes of a number, rounded to 34 digits.

    >>> decimal_of(bytes_of(Decimal("-0.001")))
    Decimal('-0.001')
    """
    form = _FORMS[16]
    rounded = Context(prec=_DIGITS[16], Emax=6144, Emin=-6143, clamp=1).plus(number)
    sign, digits, exponent = rounded.as_tuple()
    if not isinstance(exponent, int):
        top = 0b11110 if exponent == "F" else 0b11111
        return ((sign << 127) | (top << 122)).to_bytes(16, "big")
    coefficient = int("".join(map(str, digits)) or "0")
    bits = sign << 127 | (exponent + form.bias) << form.fraction | coefficient
    return bits.to_bytes(16, "big")
