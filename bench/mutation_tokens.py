"""Numbers, dates, texts and records on which readers of messages turn."""

NUMBERS = (
    *("0", "-0", "-1", "1e400", "-1E-400", "1E+999999", "1e1000000", "0.1e-2147483649", "9" * 400),
    *("9223372036854775807", "9223372036854775808", "-9223372036854775809", "79228162514264337593543950336"),
    *("1.0", "0.00001", "NaN", "INF", "-INF", "Infinity", "00", "+1", "1_000", "0x10", "١٢"),
)
DATES = (
    *(
        "/Date(0)/",
        "\\/Date(-62135596800000)\\/",
        "\\/Date(253402300799999+1400)\\/",
        "/Date(" + "9" * 900 + ")/",
    ),
    *(
        "0001-01-01T00:00:00",
        "9999-12-31T23:59:59.9999999Z",
        "9999-12-31T23:59:59-14:00",
        "2024-02-30T00:00:00",
    ),
    *("0001-01-01T00:00:00+14:00", "2024-01-01T24:00:00", "20240101", "2024-01-01T00:00:00+99:99"),
)
TEXTS = (
    *('"', "'", "\\", "\\ud800", "\\udc00\\ud800", "\x00", "\ufeff", "\ufffe", "\u2028", "😀", "é", "]]>"),
    *(
        "&#x0;",
        "&#xD800;",
        "&#xFDD0;",
        "&#65535;",
        "&lt;",
        "&nosuch;",
        "<!--",
        "-->",
        "<?x y?>",
        "<![CDATA[",
        "</",
    ),
    *("<!DOCTYPE a [<!ENTITY b 'c'>]>", '<?xml version="1.1"?>', '<?xml version="1.0" encoding="utf-16"?>'),
    *(
        '<?xml version="1.0" encoding="cp037"?>',
        'xmlns:a="a"',
        'i:nil="true"',
        'i:type="a:Money"',
        "i:type='b:int'",
    ),
    *(
        '{"__type":"Money:x","Value":1}',
        '"__type":"Entity:x"',
        '{"key":"a","value":null}',
        "[]",
        "{}",
        "null",
        "true",
    ),
    *(
        "Target",
        "Targets",
        "key",
        "value",
        "Attributes",
        "FormattedValues",
        "KeyAttributes",
        "MessageName",
        "Merge",
    ),
    *(
        "CreateMultiple",
        "Associate",
        "Delete",
        "SetState",
        "_event_id",
        "Id",
        "id",
        "isdelete",
        "modifiedon",
        "to",
    ),
    *(
        "activityparty",
        "PrimaryEntityId",
        "00000000-0000-0000-0000-000000000000",
        "OperationCreatedOn",
        "ArrayOfint",
    ),
)
TOKENS = tuple(each.encode("utf-8", "surrogatepass") for each in (*NUMBERS, *DATES, *TEXTS))
LENGTHS = (
    b"\x7f",
    b"\x80",
    b"\xff",
    b"\xff\xff",
    b"\xff\xff\xff\x7f",
    b"\xff\xff\xff\xff",
    b"\xff" * 5,
    b"\x80\x80\x01",
)
RECORDS = bytes([*range(0x0C), *range(0x26, 0x78), *range(0x80, 0xBE), 0xFE, 0xFF])
