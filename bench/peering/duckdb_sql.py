"""DuckDB, its best SQL: pairs become an object by replacing text, then one typed ``from_json`` a table.

Of a key that an object has twice ``from_json`` takes the first, so what counts
stands first.  No reader of the manual would come to either trick.
"""

import json
from typing import Any

import duckdb
from job import AUTOMATIC, CONTEXT, arguments

TYPES: dict[str, Any] = {
    "text": "VARCHAR",
    "integer": "BIGINT",
    "decimal": "DECIMAL(38,10)",
    "double": "DOUBLE",
    "boolean": "BOOLEAN",
    "instant": "VARCHAR",
    "date": "VARCHAR",
    "money": {"Value": "DECIMAL(38,4)"},
    "choice": {"Value": "BIGINT"},
    "choices": [{"Value": "BIGINT"}],
    "lookup": {"Id": "VARCHAR", "LogicalName": "VARCHAR", "Name": "VARCHAR"},
}
MEMBERS = ["MessageName", "PrimaryEntityName", "PrimaryEntityId", "OperationCreatedOn"]
MEMBERS += [member for member in CONTEXT.values() if member not in MEMBERS]
PARTS = ["InputParameters", "PreEntityImages", "PostEntityImages"]


def instant(text: str) -> str:
    return f"make_timestamp(CAST(regexp_extract({text}, '-?[0-9]+') AS BIGINT) * 1000)"


def entities(member: str, test: str) -> str:
    """Return SQL for the entities of a collection whose key passes a test."""
    return f"[each.value for each in list_filter({member}, lambda pair: pair.key {test})]"


def pairs(member: str) -> str:
    """Return SQL for the pairs of all entities of a row, as members of one object."""
    lists = f"[CAST(json_extract(each, '$.{member}') AS VARCHAR) for each in entities]"
    inner = f"[substr(text, 2, length(text) - 2) for text in {lists} if length(text) > 2]"
    text = f"array_to_string({inner}, ',')"
    cut = f"replace(replace({text}, '}},{{\"key\":\"', ',\"'), '\",\"value\":', '\":')"
    return f"CASE WHEN {text} = '' THEN '{{}}' ELSE '{{\"' || substr({cut}, 9) END"


def columns(kinds: dict[str, str]) -> str:
    """Return SQL for the columns of one table."""
    made = []
    for name, kind in kinds.items():
        value, label = f'found."{name}"', f'labels."{name}"'
        if kind == "lookup":
            made += [
                f'{value}.Id AS "{name}"',
                f'{value}.LogicalName AS "{name}_entitytype"',
                f'coalesce({value}.Name, {label}) AS "{name}name"',
            ]
            continue
        plain = {
            "choice": f"{value}.Value",
            "money": f"{value}.Value",
            "choices": f"[each.Value for each in {value}]",
            "instant": instant(value),
            "date": f"CAST({instant(value)} AS DATE)",
        }.get(kind, value)
        made.append(f'{plain} AS "{name}"')
        if kind in {"choice", "boolean"}:
            made.append(f'CASE WHEN {value} IS NULL THEN NULL ELSE {label} END AS "{name}name"')
    return ", ".join(made)


def main() -> None:
    messages, folder, schema = arguments()
    base = duckdb.connect()
    base.execute("SET threads = 1; SET preserve_insertion_order = false")
    shell = dict.fromkeys(MEMBERS, "VARCHAR") | dict.fromkeys(PARTS, "STRUCT(key VARCHAR, value JSON)[]")
    images = [entities(member, f"<> '{AUTOMATIC}'") for member in PARTS[1:]]
    base.execute(
        f"""CREATE TEMP TABLE messages AS
        SELECT row_number() OVER () - 1 AS _sequence_number, PrimaryEntityName AS of, PrimaryEntityId AS "Id",
          {", ".join(f'{member} AS "{column}"' for column, member in CONTEXT.items())},
          {instant("OperationCreatedOn")} AS _occurred,
          {images[1]} || CASE WHEN MessageName = 'Delete' THEN {images[0]}
            ELSE {entities(PARTS[0], "= 'Target'")} END AS entities
        FROM read_ndjson('{messages}', columns = {shell}, maximum_object_size = 4000000)"""
    )
    rows = "_message IN ('Create', 'Update', 'Delete')"
    for (table,) in base.execute(f"SELECT DISTINCT of FROM messages WHERE {rows}").fetchall():
        kinds = schema[table]
        typed = json.dumps({name: TYPES[kind] for name, kind in kinds.items()})
        texts = json.dumps(dict.fromkeys(kinds, "VARCHAR"))
        base.execute(
            f"""COPY (SELECT _sequence_number, "Id", {", ".join(CONTEXT)}, _occurred, {columns(kinds)}
              FROM (SELECT *, from_json({pairs("Attributes")}, '{typed}') AS found,
                from_json({pairs("FormattedValues")}, '{texts}') AS labels
              FROM messages WHERE of = '{table}' AND {rows}) AS typed)
            TO '{folder}/{table}.parquet' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 20000)"""
        )


if __name__ == "__main__":
    main()
