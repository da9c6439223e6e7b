"""What the management API answers to requests no well-behaved client sends."""

import pytest

from cdsbridge.emulator.admin.http import HttpRequest, HttpResponse
from cdsbridge.emulator.admin.service import AdminService
from cdsbridge.emulator.admin.xml import Element, XmlError, parse
from cdsbridge.emulator.entities.clock import ManualClock
from cdsbridge.emulator.entities.message import Content
from cdsbridge.emulator.entities.namespace import Namespace

ENTRY = '<entry xmlns="http://www.w3.org/2005/Atom"><content type="application/xml">{}</content></entry>'
CONNECT = 'xmlns="http://schemas.microsoft.com/netservices/2010/10/servicebus/connect"'
QUEUE = ENTRY.format(f"<QueueDescription {CONNECT}/>")


@pytest.fixture
def namespace() -> Namespace:
    made = Namespace(ManualClock(1000.0))
    made.create_queue("q")
    made.create_topic("a/t")
    made.create_subscription("a/t", "s")
    return made


def ask(
    namespace: Namespace, method: str, path: str, body: str | bytes = b"", query: str = "", **headers: str
) -> HttpResponse:
    service = AdminService(namespace, lambda header, path: header == f"may {path}" or header == "may", "ns")
    known = {"authorization": "may", "host": "here:1"} | {k.replace("_", "-"): v for k, v in headers.items()}
    content = body.encode() if isinstance(body, str) else body
    answer = service.answer(HttpRequest(method, f"{path}?api-version=2021-05{query}", known, content))
    assert answer is not None
    return answer


def refused(answer: HttpResponse) -> tuple[int, str]:
    error = parse(answer.body)
    assert (error.name, error.value("Code")) == ("Error", str(answer.status))
    assert answer.content_type.startswith("application/xml")
    return answer.status, error.value("Detail") or ""


def test_a_request_for_something_else_is_left_to_others(namespace: Namespace) -> None:
    service = AdminService(namespace, lambda header, path: True, "ns")
    assert service.answer(HttpRequest("GET", "/q")) is None


@pytest.mark.parametrize(("header", "status"), [("", 401), ("may not", 401), ("may q", 200), ("may", 200)])
def test_a_request_wants_the_right_to_manage(namespace: Namespace, header: str, status: int) -> None:
    answer = ask(namespace, "GET", "/q", authorization=header)
    assert answer.status == status
    if status == 401:
        assert refused(answer)[0] == 401


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/q", 405),
        ("PATCH", "/a/t/subscriptions/s", 405),
        ("POST", "/a/t/subscriptions/s/rules/$Default", 405),
        ("DELETE", "/a/t/subscriptions", 405),
        ("PUT", "/$Resources/queues", 400),
        ("GET", "/$Resources/relays", 400),
        ("GET", "/a/t/subscriptions/s/messages/1", 404),
        ("GET", "/a/t/subscriptions/s/rules/r/more", 404),
        ("GET", "/", 404),
        ("GET", "/q/$DeadLetterQueue", 404),
        ("DELETE", "/$namespaceinfo", 200),
    ],
)
def test_what_is_not_offered_is_refused(namespace: Namespace, method: str, path: str, status: int) -> None:
    answer = ask(namespace, method, path)
    assert answer.status == status
    if status != 200:
        refused(answer)


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"", "no XML"),
        (b"\xff\xfe", "no XML"),
        ("<a>", "no XML"),
        ("<a/>", "no entry with one of: QueueDescription, TopicDescription"),
        (ENTRY.format("<RuleDescription/>"), "no entry with one of"),
        ('<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', "document type"),
        ('<!DOCTYPE a [<!ENTITY b "c"><!ENTITY d "&b;&b;">]><a>&d;</a>', "document type"),
        ("<a>" * 30 + "</a>" * 30, "deeper than"),
        ("<a>" + "<b/>" * 6000 + "</a>", "elements"),
        (
            ENTRY.format(f"<QueueDescription {CONNECT}><LockDuration>1 m</LockDuration></QueueDescription>"),
            "LockDuration",
        ),
        (
            ENTRY.format(
                f"<QueueDescription {CONNECT}><RequiresSession>1</RequiresSession></QueueDescription>"
            ),
            "neither",
        ),
        (
            ENTRY.format(
                f"<QueueDescription {CONNECT}><MaxDeliveryCount>x</MaxDeliveryCount></QueueDescription>"
            ),
            "x",
        ),
    ],
)
def test_a_body_that_is_no_description_is_refused(
    namespace: Namespace, body: str | bytes, sentence: str
) -> None:
    status, detail = refused(ask(namespace, "PUT", "/new", body))
    assert status == 400
    assert sentence in detail
    assert namespace.names() == ["q"]


@pytest.mark.parametrize("query", ["&$skip=-1", "&$top=x", "&$skip="])
def test_a_page_that_is_none_is_refused(namespace: Namespace, query: str) -> None:
    assert refused(ask(namespace, "GET", "/$Resources/queues", query=query))[0] == 400


def test_names_with_slashes_are_taken_encoded_or_not(namespace: Namespace) -> None:
    for path in ("/a%2Ft", "/a/t", "/A/T"):
        answer = ask(namespace, "GET", path)
        assert answer.status == 200
        assert parse(answer.body).value("title") == "a/t"
    rules = parse(ask(namespace, "GET", "/a%2Ft/Subscriptions/S/Rules").body)
    assert [entry.value("title") for entry in rules.all("entry")] == ["$Default"]


def test_a_queue_of_the_name_of_a_topic_is_refused(namespace: Namespace) -> None:
    assert refused(ask(namespace, "PUT", "/a/t", QUEUE))[0] == 409
    assert refused(ask(namespace, "PUT", "/a/t", QUEUE, if_match="*"))[0] == 409


def test_settings_do_not_change_under_locks(namespace: Namespace) -> None:
    namespace.queue("q").send([Content()])
    namespace.queue("q").receive(1, lock=True)
    body = ENTRY.format(
        f"<QueueDescription {CONNECT}><MaxDeliveryCount>5</MaxDeliveryCount></QueueDescription>"
    )
    assert refused(ask(namespace, "PUT", "/q", body, if_match="*"))[0] == 409


def test_an_update_changes_what_it_names_and_takes_away_what_can_be_left_out(namespace: Namespace) -> None:
    body = ENTRY.format(
        f"<QueueDescription {CONNECT}><MaxDeliveryCount>5</MaxDeliveryCount>"
        "<UserMetadata>a &lt; b</UserMetadata><MaxSizeInMegabytes>2048</MaxSizeInMegabytes>"
        "</QueueDescription>"
    )
    made = ask(namespace, "PUT", "/new", body)
    assert made.status == 201
    assert b"<UserMetadata>a &lt; b</UserMetadata>" in made.body
    body = ENTRY.format(f"<QueueDescription {CONNECT}><LockDuration>PT5S</LockDuration></QueueDescription>")
    answer = ask(namespace, "PUT", "/NEW", body, if_match="*")
    assert answer.status == 200
    described = parse(answer.body).find("content", "QueueDescription")
    assert isinstance(described, Element)
    assert described.value("MaxDeliveryCount") == "5"
    assert described.value("LockDuration") == "PT5S"
    assert described.value("UserMetadata") is None
    assert described.value("MaxSizeInMegabytes") == "2048"
    assert namespace.names() == ["q", "new"]


def test_a_subscription_may_begin_with_a_rule(namespace: Namespace) -> None:
    rule = (
        '<DefaultRuleDescription xmlns:i="http://www.w3.org/2001/XMLSchema-instance">'
        '<Filter i:type="FalseFilter"/>'
        "<Name>none</Name></DefaultRuleDescription>"
    )
    body = ENTRY.format(f"<SubscriptionDescription {CONNECT}>{rule}</SubscriptionDescription>")
    assert ask(namespace, "PUT", "/a/t/subscriptions/new", body).status == 201
    assert [each.name for each in namespace.subscription("a/t/Subscriptions/new").rules] == ["none"]


def test_addresses_are_those_of_the_host_that_was_asked(namespace: Namespace) -> None:
    entry = parse(ask(namespace, "GET", "/q", host="other:99").body)
    assert entry.value("id") == "https://other:99/q?api-version=2021-05"


def test_no_document_grows_when_read() -> None:
    with pytest.raises(XmlError):
        parse(b'<!DOCTYPE a [<!ENTITY b "cccccccccc">]><a>&b;</a>')
    with pytest.raises(XmlError):
        parse(b"<a>&b;</a>")
