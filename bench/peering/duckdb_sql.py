"""DuckDB, its best SQL: pairs become an object by replacing text, then one typed ``from_json`` a table."""

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
            "choices": f"array_to_string([each.Value for each in {value}], ';')",
            "instant": instant(value),
            "date": f"CAST({instant(value)} + INTERVAL 1 HOUR AS DATE)",
            "boolean": f"CAST(CASE WHEN json_type({value}) = 'OBJECT' "
            f"THEN json_extract({value}, '$.Value') ELSE {value} END AS BOOLEAN)",
        }.get(kind, value)
        made.append(f'{plain} AS "{name}"')
        if kind in {"choice", "choices", "boolean"}:
            made.append(f'CASE WHEN {value} IS NULL THEN NULL ELSE {label} END AS "{name}name"')
    return ", ".join(made)


def main() -> None:
    messages, folder, schema = arguments()
    base = duckdb.connect()
    base.execute("SET threads = 1; SET preserve_insertion_order = false")
    beside = ", ".join(f'{member} AS "{column}"' for column, member in CONTEXT.items())
    base.execute(
        f"""CREATE TEMP TABLE parts AS
        WITH read AS (
          SELECT row_number() OVER () - 1 AS _sequence_number, *
          FROM read_ndjson('{messages}', maximum_object_size = 4000000,
            columns = {MEMBERS}, OperationCreatedOn:'VARCHAR', {PARTS}}})),
        numbered AS (
          SELECT _sequence_number, PrimaryEntityName AS table_name, PrimaryEntityId AS "Id", {beside},
            {instant("OperationCreatedOn")} AS _occurred, InputParameters, PreEntityImages, PostEntityImages
          FROM read WHERE MessageName IN ('Create', 'Update', 'Delete')),
        pairs AS (
          SELECT * EXCLUDE (InputParameters, PreEntityImages, PostEntityImages),
            unnest(list_filter(CAST(InputParameters AS JSON[]),
              lambda each: json_extract_string(each, '$.key') = 'Target' AND _message <> 'Delete')
            || list_filter(CAST(PreEntityImages AS JSON[]) || CAST(PostEntityImages AS JSON[]),
              lambda each: json_extract_string(each, '$.key') <> '{AUTOMATIC}')) AS pair
          FROM numbered)
        SELECT * EXCLUDE (pair), json_extract_string(pair, '$.key') AS _source,
          json_extract(pair, '$.value.Attributes') AS attributes,
          json_extract(pair, '$.value.FormattedValues') AS formatted FROM pairs"""
    )
    names = [name for (name,) in base.execute("SELECT DISTINCT table_name FROM parts").fetchall()]
    for table in names:
        kinds = {name: kind for name, kind in schema[table].items() if kind in TYPES}
        typed = json.dumps({name: TYPES[kind] for name, kind in kinds.items()})
        texts = json.dumps(dict.fromkeys(kinds, "VARCHAR"))
        base.execute(
            f"""COPY (SELECT _sequence_number, _source, "Id", {", ".join(CONTEXT)}, _occurred,
              {columns(kinds)} FROM (SELECT *, from_json({object_of("attributes")}, '{typed}') AS found,
                from_json({object_of("formatted")}, '{texts}') AS labels
              FROM parts WHERE table_name = '{table}'
            ) AS typed) TO '{folder}/{table}.parquet'
              (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 20000)"""
        )


if __name__ == "__main__":
    main()
