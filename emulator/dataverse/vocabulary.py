"""Words for text columns: several scripts, and the characters that break careless code."""

import random
from typing import Final

_COMPANIES: Final = (
    "Nordwind", "Adler & Söhne", "Blue Heron", "Café Lumière", "Große Mühle", "O'Reilly",
    "Tailwind", "さくら商事", "東方電機", "한빛소프트", "Łódź Textil", "Ångström Instruments",
    "Rocket 🚀 Labs", 'The "Fine" Print', "A/S Fjord", "Заря", "Al-Noor النور", "Back\\Slash Media",
    "Ōtautahi Farms", "Quintessa",
)  # fmt: skip
_FORMS: Final = ("GmbH", "Ltd", "Inc.", "S.A.", "AG", "BV", "株式会社", "Oy", "Group", "& Co. KG")
_FIRST_NAMES: Final = (
    "Anna", "Björn", "Chloé", "Dmitri", "Eva", "François", "Grażyna", "Hiroshi", "Ines", "José",
    "Kateřina", "Liam", "Mei", "Noël", "Oluwaseun", "Priya", "Quentin", "Rosa", "Søren", "Thị",
    "花子", "민준", "Zoë",
)  # fmt: skip
_LAST_NAMES: Final = (
    "Almeida", "Bauer", "Çelik", "D'Angelo", "Eriksson", "Fernández", "Großmann", "Haddad",
    "Ivanova", "Jensen", "Kowalczyk", "Løvås", "Müller", "Nguyễn", "O'Brien", "Petrović", "Quist",
    "Rossi", "佐藤", "김", "Žižka",
)  # fmt: skip
_CITIES: Final = (
    "Zürich", "London", "København", "大阪", "São Paulo", "Kraków", "Wien", "Portland", "Nîmes",
    "서울", "Reykjavík", "Sydney", "تونس", "Köln",
)  # fmt: skip
_COUNTRIES: Final = (
    "Schweiz",
    "United Kingdom",
    "Danmark",
    "日本",
    "Brasil",
    "Polska",
    "Österreich",
    "USA",
    "France",
)
_REGIONS: Final = (
    "ZH",
    "Greater London",
    "Hovedstaden",
    "大阪府",
    "SP",
    "Małopolskie",
    "OR",
    "Île-de-France",
)
_STREETS: Final = (
    "Bahnhofstrasse",
    "Main St.",
    "Rue de l'Église",
    "Łąkowa",
    "中央通り",
    "Calle Mayor",
    "Ringstraße",
)
_TITLES: Final = (
    "Head of Sales",
    "CTO / CIO",
    "Buyer",
    "Geschäftsführerin",
    "Directeur général",
    "部長",
    "Engineer II",
)
_WORDS: Final = (
    "delivery", "late", "replace", "quote", "agreed", "pump", "valve", "invoice", "meeting",
    "follow-up", "budget", "called", "customer", "asks", "for", "the", "and", "but", "with",
    "today", "offer", "signed", "open", "review", "warranty", "Lieferung", "prüfen", "Rückruf",
    "naïve", "coût", "très", "señal", "注文", "確認", "納期", "배송", "срочно", "😀", "👍🏽",
    "“quoted”", '"as is"', "C:\\temp", "50/50", "a\tb", "<b>", "&amp;", "—", "{0}", "50%",
)  # fmt: skip
_CODES: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ"

ODD: Final = (
    "true", "null", "0", "00123", "1e5", "/Date(abc)/", "NaN", " leading", "trailing ",
    "line1\r\nline2", "\u2028", "=1+1", "'); DROP TABLE account;--", "\x85", "\ufeffmark",
    "zero\u200bwidth", "\U0001d518\U0001d52b", "-0", "{}", "[]", "__type",
)  # fmt: skip
"""Texts that look like something else, or that some encoding escapes."""


def pick(rng: random.Random, items: tuple[str, ...]) -> str:
    """Return one of the items."""
    return items[int(rng.random() * len(items))]


def company(rng: random.Random) -> str:
    """Return the name of a company."""
    return f"{pick(rng, _COMPANIES)} {pick(rng, _FORMS)}"


def first_name(rng: random.Random) -> str:
    """Return a given name."""
    return pick(rng, _FIRST_NAMES)


def last_name(rng: random.Random) -> str:
    """Return a family name."""
    return pick(rng, _LAST_NAMES)


def phrase(rng: random.Random, words: int) -> str:
    """Return some words."""
    return " ".join([pick(rng, _WORDS) for _ in range(words)])


def memo(rng: random.Random) -> str:
    """Return lines of text: mostly a few, rarely pages."""
    lines = 1 + int(rng.expovariate(0.04 if rng.random() < 0.06 else 0.8))
    return "\n".join([phrase(rng, 6 + int(rng.random() * 20)) for _ in range(lines)])


def _number(rng: random.Random, digits: int) -> str:
    return f"{int(rng.random() * 10**digits):0{digits}d}"


def _code(rng: random.Random) -> str:
    return f"{pick(rng, tuple(_CODES))}{pick(rng, tuple(_CODES))}-{_number(rng, 6)}"


def text(rng: random.Random, column: str) -> str:
    """Return a text that suits the column's name; one in a hundred is odd."""
    if rng.random() < 0.01:
        return pick(rng, ODD)
    for part, make in _BY_NAME:
        if part in column:
            return make(rng)
    return phrase(rng, 1 + int(rng.random() * 5))


_BY_NAME: Final = (
    ("emailaddress", lambda rng: f"user{_number(rng, 4)}@example.com"),
    ("phone", lambda rng: f"+{_number(rng, 2)} {_number(rng, 3)} {_number(rng, 7)}"),
    ("fax", lambda rng: f"+{_number(rng, 2)} {_number(rng, 8)}"),
    ("url", lambda rng: f"https://www.example.com/{_number(rng, 5)}?q=a%20b&r=1"),
    ("firstname", first_name),
    ("lastname", last_name),
    ("_line1", lambda rng: f"{pick(rng, _STREETS)} {1 + int(rng.random() * 200)}"),
    ("_city", lambda rng: pick(rng, _CITIES)),
    ("_stateorprovince", lambda rng: pick(rng, _REGIONS)),
    ("_postalcode", lambda rng: _number(rng, 5)),
    ("_country", lambda rng: pick(rng, _COUNTRIES)),
    ("jobtitle", lambda rng: pick(rng, _TITLES)),
    ("number", _code),
    ("code", _code),
    ("reference", _code),
    ("suppliername", company),
    ("name", lambda rng: f"{company(rng)} {_number(rng, 3)}"),
)
"""Part of a column's name to the maker of its text; the first that fits counts."""
