"""Posts in three encodings: the default is untouched, a mix is drawn by the seed, all say the same."""

import json
import xml.etree.ElementTree as ET
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest

from cdsbridge.emulator.dataverse import EXPECTED, Encoding, Organization, Poison, Post, traffic
from cdsbridge.emulator.dataverse.poison import ANY_ENCODING
from cdsbridge.model.verdict import Reason

START = datetime(2026, 3, 2, 8, tzinfo=UTC)
TYPES = {"json": "application/json", "xml": "application/xml", "binary": "application/msbin1"}
FIRST = {"json": b"{", "xml": b"<", "binary": b"@"}
CONTRACTS = "{http://schemas.microsoft.com/xrm/2011/Contracts}"


def _posts(count: int = 200, **settings: Any) -> list[Post]:
    return list(traffic(Organization(5, START), count, **settings))


@pytest.mark.parametrize("name", TYPES)
def test_every_post_is_in_the_one_encoding_that_is_named(name: str) -> None:
    posts = _posts(encodings=[name], poison=0)
    assert {post.content_type for post in posts} == {TYPES[name]}
    assert {post.body[:1] for post in posts} == {FIRST[name]}


def test_the_encoding_changes_nothing_else() -> None:
    def rest(posts: list[Post]) -> list[Any]:
        return [(post.message_id, post.properties, post.event) for post in posts]

    json_posts = _posts()
    for names in (["xml"], ["binary"], ["json", "xml", "binary"]):
        assert rest(_posts(encodings=names)) == rest(json_posts)


def test_a_mix_is_drawn_by_the_seed() -> None:
    names = list(Encoding)
    posts = _posts(900, encodings=names, poison=0)
    assert posts == _posts(900, encodings=names, poison=0)
    shares = Counter(post.content_type for post in posts)
    assert all(230 < shares[kind] < 380 for kind in TYPES.values())


def test_a_retry_is_in_the_encoding_of_the_first_post() -> None:
    forms: dict[str, set[str]] = {}
    for post in _posts(300, encodings=list(Encoding), duplicates=0.3, poison=0):
        assert post.event
        forms.setdefault(post.event.operation_id, set()).add(post.content_type)
    assert {len(each) for each in forms.values()} == {1}


@pytest.mark.parametrize(("names", "said"), [(["yaml", "json"], "yaml"), ([], "nothing")])
def test_an_unknown_encoding_is_named_beside_the_known(names: list[str], said: str) -> None:
    with pytest.raises(ValueError, match=rf"{said}; there are json, xml, binary"):
        _posts(1, encodings=names)


def test_xml_says_what_json_says() -> None:
    pairs = zip(_posts(encodings=["xml"], poison=0), _posts(poison=0), strict=True)
    for post, other in pairs:
        root, told = ET.fromstring(post.body), json.loads(other.body)
        assert [child.tag.removeprefix(CONTRACTS) for child in root] == list(told)
        for name in ("MessageName", "PrimaryEntityName", "OperationId", "InitiatingUserAgent"):
            assert (root.findtext(CONTRACTS + name) or "") == told[name]
        for name in ("InputParameters", "PostEntityImages"):
            keys = [pair[0].text or "" for pair in root.find(CONTRACTS + name) or ()]
            assert keys == [item["key"] for item in told[name]]


def test_poison_is_spoilt_in_the_encodings_that_can_be() -> None:
    posts = _posts(300, encodings=["xml", "binary"], poison=0.1)
    forms = {(post.poison, post.content_type) for post in posts if post.poison}
    assert {kind for kind, _ in forms} == set(Poison)
    assert all((form != TYPES["json"]) == (kind in ANY_ENCODING) for kind, form in forms)
    broken = [post for post in posts if post.poison is Poison.TRUNCATED]
    assert {post.content_type for post in broken} == {TYPES["xml"], TYPES["binary"]}
    for post in broken:
        if post.content_type == TYPES["xml"]:
            with pytest.raises(ET.ParseError):
                ET.fromstring(post.body)
    assert EXPECTED[Poison.TRUNCATED] == {Reason.UNDECODABLE}
