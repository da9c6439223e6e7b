"""Messages for the peers: seeded, in the dialect of DataContractJsonSerializer.

Four tables as wide as Dataverse's own (87 to 136 columns) and three custom
ones; 72 % Update, 16 % Create, 7 % Delete, 5 % Assign; post images on most
updates, pre images on deletes, labels, parent contexts on 30 %, nested twice on
6 %; text with escapes, CJK and emoji; decimals with trailing zeros, and with more
digits than a double holds.
"""

import json
import random
from collections.abc import Iterator
from typing import Final

CONTRACTS: Final = ":http:\\/\\/schemas.microsoft.com\\/xrm\\/2011\\/Contracts"
ZERO: Final = "00000000-0000-0000-0000-000000000000"
SIZES: Final = {
    "account": 131,
    "contact": 136,
    "opportunity": 111,
    "incident": 87,
    "new_project": 79,
    "new_visit": 45,
    "new_asset": 26,
}
"""Table to its columns."""

WEIGHTS: Final = (24, 24, 16, 16, 8, 7, 5)
SHARES: Final = {
    "text": 38,
    "choice": 14,
    "lookup": 13,
    "boolean": 9,
    "money": 8,
    "instant": 7,
    "integer": 4,
    "decimal": 3,
    "date": 2,
    "double": 1,
    "choices": 1,
}
"""Kind to its share of a table's columns."""

WORDS: Final = (
    *(
        "offer",
        "pending",
        "invoice",
        "Müller & Söhne",
        "route_66",
        "café",
        "“quoted”",
        "注文",
        "東京",
        "Ελλάδα",
    ),
    *("50/50", "follow-up", "😀", "C:\\temp", 'say "hi"', "renewal", "Q3", "North", "delivery", "contract"),
    *("été", "naïve", "alpha", "beta", "gamma"),
)


def schema() -> dict[str, dict[str, str]]:
    """Return table to column to kind."""
    found = {}
    for table, size in SIZES.items():
        rng = random.Random(f"columns of {table}")
        kinds = rng.choices(list(SHARES), list(SHARES.values()), k=size - 6)
        columns = {f"{table}id": "text", "name": "text", "modifiedon": "instant", "createdon": "instant"}
        columns |= {"ownerid": "lookup", "statecode": "choice"}
        found[table] = columns | {f"{table[:3]}_{kind}{at}": kind for at, kind in enumerate(kinds)}
    return found


class Writer:
    """Writes messages of one seed."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)
        self._schema = schema()
        self._users = [self._guid() for _ in range(40)]

    def messages(self, count: int) -> Iterator[bytes]:
        """Yield so many bodies."""
        rng = self._rng
        for number in range(count):
            table = rng.choices(list(SIZES), WEIGHTS)[0]
            name = rng.choices(("Update", "Create", "Delete", "Assign"), (72, 16, 7, 5))[0]
            nested = rng.random()
            parents = 2 if nested < 0.06 else 1 if nested < 0.30 else 0
            yield self._context(name, table, self._guid(), number, parents).encode()

    def _context(self, name: str, table: str, key: str, number: int, parents: int) -> str:
        rng = self._rng
        user, moment = rng.choice(self._users), 1_770_000_000_000 + number * 1000
        inputs, pre, post = self._parameters(name, table, key, moment)
        parent = self._context("Update", table, key, number, parents - 1) if parents else "null"
        return (
            f'{{"BusinessUnitId":"{self._users[0]}","CorrelationId":"{self._guid()}","Depth":{1 + parents},'
            f'"InitiatingUserAgent":"Mozilla\\/5.0","InitiatingUserAzureActiveDirectoryObjectId":"{ZERO}",'
            f'"InitiatingUserId":"{user}","InputParameters":[{inputs}],"IsExecutingOffline":false,'
            f'"IsInTransaction":false,"IsOfflinePlayback":false,"IsolationMode":1,"MessageName":"{name}","Mode":1,'
            f'"OperationCreatedOn":"\\/Date({moment}+0000)\\/","OperationId":"{self._guid()}",'
            f'"OrganizationId":"{self._users[1]}","OrganizationName":"orgpeers","OutputParameters":[],'
            f'"OwningExtension":{{"Id":"{self._users[2]}","KeyAttributes":[],"LogicalName":'
            f'"sdkmessageprocessingstep","Name":null,"RowVersion":null}},"ParentContext":{parent},'
            f'"PostEntityImages":[{post}],"PreEntityImages":[{pre}],"PrimaryEntityId":"{key}",'
            f'"PrimaryEntityName":"{table}","RequestId":"{self._guid()}","SecondaryEntityName":"none",'
            f'"SharedVariables":[],"Stage":40,"UserAzureActiveDirectoryObjectId":"{ZERO}","UserId":"{user}"}}'
        )

    def _parameters(self, name: str, table: str, key: str, moment: int) -> tuple[str, str, str]:
        """Return input parameters, pre images and post images."""
        rng, size = self._rng, SIZES[table]
        reference = self._reference(table, key, None)
        automatic = self._pair("AsynchronousStepPrimaryName", self._entity(table, key, ["name"], moment, ""))
        if name == "Delete":
            pre = self._image("pre", table, key, rng.randint(size // 6, size // 2), moment)
            return self._pair("Target", reference), f"{automatic},{pre}", ""
        if name == "Assign":
            owner = self._reference("systemuser", rng.choice(self._users), None)
            return f"{self._pair('Target', reference)},{self._pair('Assignee', owner)}", "", automatic
        wide = (
            rng.randint(size // 3, size * 4 // 5)
            if name == "Create"
            else min(size, 2 + int(rng.expovariate(1 / 5)))
        )
        mark = f'"__type":"Entity{CONTRACTS}",'
        target = self._pair(
            "Target", self._entity(table, key, self._some(table, wide), moment, mark, name == "Create")
        )
        post = automatic
        if name == "Create" and rng.random() < 0.3:
            post += f",{self._image('post', table, key, size * 9 // 10, moment)}"
        elif rng.random() < 0.5:
            post += f",{self._image('post', table, key, 4 + int(rng.expovariate(1 / 12)), moment)}"
        return target, "", post

    def _image(self, alias: str, table: str, key: str, wide: int, moment: int) -> str:
        return self._pair(alias, self._entity(table, key, self._some(table, wide), moment, "", True))

    def _some(self, table: str, wide: int) -> list[str]:
        columns = list(self._schema[table])
        return [f"{table}id", "modifiedon", *self._rng.sample(columns[3:], min(wide, len(columns) - 3))]

    def _entity(
        self, table: str, key: str, columns: list[str], moment: int, mark: str, labels: bool = False
    ) -> str:
        kinds = self._schema[table]
        given = {f"{table}id": f'"{key}"', "modifiedon": f'"\\/Date({moment // 1000 * 1000})\\/"'}
        pairs = [self._pair(name, given.get(name) or self._value(kinds[name])) for name in columns]
        shown = [
            name for name in columns if labels and kinds[name] in {"choice", "boolean", "money", "instant"}
        ]
        texts = ",".join(self._pair(name, self._text(2)) for name in shown)
        return (
            f'{{{mark}"Attributes":[{",".join(pairs)}],"EntityState":null,"FormattedValues":[{texts}],'
            f'"Id":"{key}","KeyAttributes":[],"LogicalName":"{table}","RelatedEntities":[],"RowVersion":null}}'
        )

    def _value(self, kind: str) -> str:
        rng = self._rng
        if rng.random() < 0.05:
            return "null"
        match kind:
            case "text":
                return self._text(rng.randint(1, 6))
            case "choice":
                return self._typed("OptionSetValue", str(rng.randint(0, 9)))
            case "choices":
                codes = rng.sample(range(9), rng.randint(1, 4))
                return f"[{','.join(self._typed('OptionSetValue', str(code)) for code in codes)}]"
            case "lookup":
                named = self._text(2) if rng.random() < 0.5 else None
                return self._reference("contact", self._guid(), named)
            case "boolean":
                return rng.choice(("true", "false"))
            case "money":
                return self._typed("Money", self._decimal(4))
            case "integer":
                return str(rng.randint(-(2**31), 2**31))
            case "decimal":
                return self._decimal(10)
            case "double":
                return str(round(rng.uniform(-1e5, 1e5), 4))
            case "date":
                return f'"\\/Date({rng.randint(-20_000, 20_000) * 86_400_000}+0000)\\/"'
            case _:
                return f'"\\/Date({rng.randint(1_500_000_000, 1_800_000_000)}000)\\/"'

    def _decimal(self, scale: int) -> str:
        digits = self._rng.randint(1, 11 + scale)
        number = str(self._rng.randrange(10**digits)).rjust(scale + 1, "0")
        return f"{number[:-scale]}.{number[-scale:]}"

    def _text(self, words: int) -> str:
        text = " ".join(self._rng.choices(WORDS, k=words))
        escaped = json.dumps(text, ensure_ascii=False).replace("/", "\\/")
        return escaped.replace("😀", "\\ud83d\\ude00")

    def _reference(self, table: str, key: str, name: str | None) -> str:
        return (
            f'{{"__type":"EntityReference{CONTRACTS}","Id":"{key}","KeyAttributes":[],"LogicalName":"{table}",'
            f'"Name":{name or "null"},"RowVersion":null}}'
        )

    def _typed(self, name: str, value: str) -> str:
        return f'{{"__type":"{name}{CONTRACTS}","Value":{value}}}'

    def _pair(self, key: str, value: str) -> str:
        return f'{{"key":"{key}","value":{value}}}'

    def _guid(self) -> str:
        text = f"{self._rng.getrandbits(128):032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
