"""DuckDB, its best SQL: pairs turned into an object by replacing text, then one typed ``from_json`` a table."""

import json
from typing import Any

import duckdb
from job import AUTOMATIC, CONTEXT, arguments

TYPES: dict[str, Any] = {
    "text": "VARCHAR",
    "integer": "BIGINT",
    "decimal": "DECIMAL(38,10)",
    "double": "DOUBLE",
    "boolean": "JSON",
    "instant": "VARCHAR",
    "date": "VARCHAR",
    "money": {"Value": "DECIMAL(38,4)"},
    "choice": {"Value": "BIGINT"},
    "choices": [{"Value": "BIGINT"}],
    "lookup": {"Id": "VARCHAR", "LogicalName": "VARCHAR", "Name": "VARCHAR"},
}
MEMBERS = "{MessageName:'VARCHAR', PrimaryEntityName:'VARCHAR', PrimaryEntityId:'VARCHAR', " + ", ".join(
    f"{member}:'VARCHAR'" for member in CONTEXT.values() if member != "MessageName"
)
PARTS = "InputParameters:'JSON', PreEntityImages:'JSON', PostEntityImages:'JSON'"


def instant(text: str) -> str:
    number = f"CAST(regexp_extract({text}, 'Date\\((-?[0-9]+)', 1) AS BIGINT)"
    offset = f"regexp_extract({text}, '([+-][0-9]{{4}})\\)', 1)"
    hours = f"CAST(nullif({offset}, '') AS BIGINT)"
    minutes = f"coalesce(({hours} // 100) * 60 + {hours} % 100, 0)"
    return f"make_timestamp(({number} + {minutes} * 60000) * 1000)"


def object_of(pairs: str) -> str:
    """Return SQL for the pairs of a list as the members of an object."""
    cut = f"replace(replace(CAST({pairs} AS VARCHAR), '}},{{\"key\":\"', ',\"'), '\",\"value\":', '\":')"
    return (
        f"CASE WHEN {pairs} IS NULL OR CAST({pairs} AS VARCHAR) = '[]' THEN '{{}}' ELSE "
        f"'{{\"' || substr({cut}, 10, length({cut}) - 11) || '}}' END"
    )


def columns(kinds: dict[str, str]) -> str:
    """Return SQL for the columns of one table, the image's value before the target's."""
    made = []
    for name, kind in kinds.items():
        value = f'coalesce(image."{name}", target."{name}")'
        label = f'coalesce(image_labels."{name}", target_labels."{name}")'
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
            "choices": f"array_to_string([each.Value for each in {value}], ';')",
            "instant": instant(value),
            "date": f"CAST({instant(value)} + INTERVAL 1 HOUR AS DATE)",
            "boolean": f"CASE WHEN json_type({value}) = 'OBJECT' THEN CAST(json_extract({value}, '$.Value') AS BOOLEAN) "
            f"ELSE CAST({value} AS BOOLEAN) END",
        }.get(kind, value)
        made.append(f'{plain} AS "{name}"')
        if kind in {"choice", "choices", "boolean"}:
            made.append(f'CASE WHEN {value} IS NULL THEN NULL ELSE {label} END AS "{name}name"')
    return ", ".join(made)


def main() -> None:
    messages, folder, schema = arguments()
    base = duckdb.connect()
    base.execute("SET threads = 1; SET preserve_insertion_order = false")
    base.execute(
        f"""CREATE TEMP TABLE parts AS
        WITH read AS (SELECT * FROM read_ndjson('{messages}', columns = {MEMBERS}, OperationCreatedOn:'VARCHAR',
                      {PARTS}}}, maximum_object_size = 4000000)),
        numbered AS (SELECT row_number() OVER () - 1 AS n, * FROM read)
        SELECT n AS _sequence_number, PrimaryEntityName AS entity, PrimaryEntityId AS "Id",
          {", ".join(f'{member} AS "{column}"' for column, member in CONTEXT.items())},
          {instant("OperationCreatedOn")} AS _occurred,
          list_filter(CAST(InputParameters AS JSON[]), lambda each: json_extract_string(each, '$.key') = 'Target')[1].json_extract('$.value') AS target,
          list_filter(CAST(CASE WHEN MessageName = 'Delete' THEN PreEntityImages ELSE PostEntityImages END AS JSON[]),
            lambda each: json_extract_string(each, '$.key') <> '{AUTOMATIC}')[1].json_extract('$.value') AS image
        FROM numbered WHERE MessageName IN ('Create', 'Update', 'Delete')"""
    )
    names = [name for (name,) in base.execute("SELECT DISTINCT entity FROM parts").fetchall()]
    for table in names:
        kinds = {name: kind for name, kind in schema[table].items() if kind in TYPES}
        typed = json.dumps({name: TYPES[kind] for name, kind in kinds.items()})
        texts = json.dumps(dict.fromkeys(kinds, "VARCHAR"))
        target = "CASE WHEN _message = 'Delete' THEN NULL ELSE json_extract(target, '$.Attributes') END"
        base.execute(
            f"""COPY (SELECT _sequence_number, "Id", {", ".join(CONTEXT)}, _occurred, {columns(kinds)} FROM (
              SELECT * EXCLUDE (target, image), from_json({object_of(target)}, '{typed}') AS target,
                from_json({object_of("json_extract(image, '$.Attributes')")}, '{typed}') AS image,
                from_json({object_of("json_extract(target, '$.FormattedValues')")}, '{texts}') AS target_labels,
                from_json({object_of("json_extract(image, '$.FormattedValues')")}, '{texts}') AS image_labels
              FROM parts WHERE entity = '{table}'
            ) AS typed) TO '{folder}/{table}.parquet' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 20000)"""
        )


if __name__ == "__main__":
    main()
