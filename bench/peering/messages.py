"""Messages for the peers: seeded, in the dialect of DataContractJsonSerializer.

Four tables as wide as Dataverse's own (87 to 136 columns) and three custom
ones; 72 % Update, 16 % Create, 7 % Delete, 5 % Assign, SetState and Associate;
pre and post images, labels; a parent context on 30 %, two on 6 %; text with
escapes, CJK and emoji; decimals with trailing zeros, and some with more digits
than a double holds.  A post image repeats what the Target sent, but for 3 % that
later logic has changed.
"""

import random
from collections.abc import Iterable, Iterator
from typing import Final

from columns import SIZES, schema
from values import CONTRACTS, Values

WEIGHTS: Final = (24, 24, 16, 16, 8, 7, 5)
"""How often each table comes, in the order of :data:`columns.SIZES`."""

NAMES: Final = {"Update": 72, "Create": 16, "Delete": 7, "Assign": 2, "SetState": 2, "Associate": 1}
ZERO: Final = "00000000-0000-0000-0000-000000000000"
LABELLED: Final = frozenset({"choice", "boolean", "money", "instant"})


class Writer:
    """Writes messages of one seed."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)
        self._values = Values(self._rng)
        self._schema = schema()
        self._users = [self._values.guid() for _ in range(40)]

    def messages(self, count: int) -> Iterator[bytes]:
        """Yield so many bodies."""
        rng = self._rng
        for number in range(count):
            table = rng.choices(list(SIZES), WEIGHTS)[0]
            name = rng.choices(list(NAMES), list(NAMES.values()))[0]
            nested = rng.random()
            parents = 2 if nested < 0.06 else 1 if nested < 0.30 else 0
            yield self._context(name, table, self._values.guid(), number, parents).encode()

    def _context(self, name: str, table: str, key: str, number: int, parents: int) -> str:
        rng, guid = self._rng, self._values.guid
        user, moment = rng.choice(self._users), 1_770_000_000_000 + number * 1000
        inputs, pre, post = self._parameters(name, table, key, moment)
        parent = self._context("Update", table, key, number, parents - 1) if parents else "null"
        return (
            f'{{"BusinessUnitId":"{self._users[0]}","CorrelationId":"{guid()}","Depth":{1 + parents},'
            f'"InitiatingUserAgent":"Mozilla\\/5.0","InitiatingUserAzureActiveDirectoryObjectId":"{ZERO}",'
            f'"InitiatingUserId":"{user}","InputParameters":[{inputs}],"IsExecutingOffline":false,'
            f'"IsInTransaction":false,"IsOfflinePlayback":false,"IsolationMode":1,"MessageName":"{name}","Mode":1,'
            f'"OperationCreatedOn":"\\/Date({moment}+0000)\\/","OperationId":"{guid()}",'
            f'"OrganizationId":"{self._users[1]}","OrganizationName":"orgpeers","OutputParameters":[],'
            f'"OwningExtension":{{"Id":"{self._users[2]}","KeyAttributes":[],"LogicalName":'
            f'"sdkmessageprocessingstep","Name":null,"RowVersion":null}},"ParentContext":{parent},'
            f'"PostEntityImages":[{post}],"PreEntityImages":[{pre}],"PrimaryEntityId":"{key}",'
            f'"PrimaryEntityName":"{table}","RequestId":"{guid()}","SecondaryEntityName":"none",'
            f'"SharedVariables":[],"Stage":40,"UserAzureActiveDirectoryObjectId":"{ZERO}","UserId":"{user}"}}'
        )

    def _parameters(self, name: str, table: str, key: str, moment: int) -> tuple[str, str, str]:
        """Return input parameters, pre images and post images."""
        values = self._values
        reference = values.reference(table, key, "null")
        image = pair(
            "AsynchronousStepPrimaryName", entity("", table, key, [pair("name", values.text(2))], [])
        )
        match name:
            case "Delete":
                share = self._rng.uniform(0.1, 0.6)
                before = self._image("pre", table, key, moment, self._some(table, share), {})
                return pair("Target", reference), f"{image},{before}", ""
            case "Assign":
                owner = values.reference("systemuser", self._rng.choice(self._users), "null")
                return f"{pair('Target', reference)},{pair('Assignee', owner)}", "", image
            case "SetState":
                state = [pair(each, values.typed("OptionSetValue", "1")) for each in ("State", "Status")]
                return ",".join([pair("EntityMoniker", reference), *state]), "", image
            case "Associate":
                return self._associated(reference), "", ""
            case _:
                return self._written(name, table, key, moment, image)

    def _associated(self, reference: str) -> str:
        others = [self._values.reference("contact", self._values.guid(), "null") for _ in range(2)]
        name = "new_peers_contact"
        relation = f'{{"__type":"Relationship{CONTRACTS}","PrimaryEntityRole":null,"SchemaName":"{name}"}}'
        related = pair("RelatedEntities", f"[{','.join(others)}]")
        return f"{pair('Target', reference)},{pair('Relationship', relation)},{related}"

    def _written(self, name: str, table: str, key: str, moment: int, image: str) -> tuple[str, str, str]:
        """Return the parameters of a create or an update."""
        rng = self._rng
        if name == "Create":
            columns = self._some(table, rng.uniform(0.15, 0.85))
        else:
            columns = self._some(table, (1 + rng.expovariate(1 / 2.5)) / SIZES[table])
        sent: dict[str, str] = {}
        labelled = name == "Create"
        mark = f'"__type":"Entity{CONTRACTS}",'
        target = pair("Target", self._entity(mark, table, key, moment, columns, sent, labelled))
        pre = post = ""
        if name == "Update" and rng.random() < 0.15:
            pre = self._image("pre", table, key, moment, self._some(table, 0.04), {})
        if rng.random() < (0.4 if name == "Create" else 0.33):
            share = (
                rng.uniform(0.6, 0.95) if rng.random() < 0.25 else (2 + rng.expovariate(1 / 4)) / SIZES[table]
            )
            kept = {**dict.fromkeys(columns), **dict.fromkeys(self._some(table, share))}
            later = {column: text for column, text in sent.items() if rng.random() < 0.97 or text == "null"}
            post = f",{self._image('post', table, key, moment, kept, later)}"
        return target, pre, f"{image}{post}"

    def _image(
        self, alias: str, table: str, key: str, moment: int, columns: Iterable[str], known: dict[str, str]
    ) -> str:
        return pair(alias, self._entity("", table, key, moment, columns, known, labels=True))

    def _some(self, table: str, share: float) -> list[str]:
        columns = list(self._schema[table])
        wide = min(len(columns) - 3, max(1, round(share * len(columns))))
        return [f"{table}id", "modifiedon", *self._rng.sample(columns[3:], wide)]

    def _entity(
        self,
        mark: str,
        table: str,
        key: str,
        moment: int,
        columns: Iterable[str],
        known: dict[str, str],
        labels: bool,
    ) -> str:
        """Return an entity; values that are not known are drawn, and known from then on."""
        kinds = self._schema[table]
        known |= {f"{table}id": f'"{key}"', "modifiedon": f'"\\/Date({moment // 1000 * 1000})\\/"'}
        for name in columns:
            if name not in known:
                known[name] = self._values.value(kinds[name])
        shown = [name for name in columns if labels and kinds[name] in LABELLED and known[name] != "null"]
        texts = [pair(name, self._values.text(2)) for name in shown]
        return entity(mark, table, key, [pair(name, known[name]) for name in columns], texts)


def pair(key: str, value: str) -> str:
    """Return a key and its value, as members of collections are written."""
    return f'{{"key":"{key}","value":{value}}}'


def entity(mark: str, table: str, key: str, attributes: list[str], labels: list[str]) -> str:
    """Return an entity of pairs."""
    return (
        f'{{{mark}"Attributes":[{",".join(attributes)}],"EntityState":null,"FormattedValues":[{",".join(labels)}],'
        f'"Id":"{key}","KeyAttributes":[],"LogicalName":"{table}","RelatedEntities":[],"RowVersion":null}}'
    )
