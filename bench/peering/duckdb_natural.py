"""DuckDB as one would write it: a typed shell, unnest, and an aggregate for each column."""

import duckdb
from duckdb_sql import MEMBERS, PARTS, instant
from job import AUTOMATIC, CONTEXT, arguments

PAIRS = "STRUCT(key VARCHAR, value JSON)[]"
ENTITY = f"STRUCT(Attributes {PAIRS}, FormattedValues {PAIRS})"


def of(column: str, source: str) -> str:
    """Return SQL for what the last entity says that names a column."""
    return f"arg_max_null({source}, rank) FILTER (key = '{column}')"


def columns(kinds: dict[str, str]) -> str:
    """Return SQL for the columns of one table."""
    made = []
    for name, kind in kinds.items():
        value, label = of(name, "value"), of(name, "label")
        text, inner = f"({value}) ->> '$'", f"({value}) ->> '$.Value'"
        if kind == "lookup":
            made += [
                f"({value}) ->> '$.Id' AS \"{name}\"",
                f"({value}) ->> '$.LogicalName' AS \"{name}_entitytype\"",
                f"coalesce(({value}) ->> '$.Name', {label}) AS \"{name}name\"",
            ]
            continue
        plain = {
            "text": text,
            "integer": f"CAST({text} AS BIGINT)",
            "decimal": f"CAST({text} AS DECIMAL(38,10))",
            "double": f"CAST({text} AS DOUBLE)",
            "boolean": f"CAST({text} AS BOOLEAN)",
            "money": f"CAST({inner} AS DECIMAL(38,4))",
            "choice": f"CAST({inner} AS BIGINT)",
            "choices": f"CAST(({value}) -> '$[*].Value' AS BIGINT[])",
            "instant": instant(text),
            "date": f"CAST({instant(text)} AS DATE)",
        }[kind]
        made.append(f'{plain} AS "{name}"')
        if kind in {"choice", "boolean"}:
            made.append(f'{label} AS "{name}name"')
    return ", ".join(made)


def main() -> None:
    messages, folder, schema = arguments()
    base = duckdb.connect()
    base.execute("SET threads = 1; SET preserve_insertion_order = false")
    named = f"STRUCT(key VARCHAR, value {ENTITY})[]"
    shell = dict.fromkeys(MEMBERS, "VARCHAR") | dict.fromkeys(PARTS[1:], named)
    shell["InputParameters"] = "STRUCT(key VARCHAR, value JSON)[]"
    beside = ", ".join(f'{member} AS "{column}"' for column, member in CONTEXT.items())
    base.execute(
        f"""CREATE TEMP TABLE messages AS
        SELECT _sequence_number, PrimaryEntityName AS of, PrimaryEntityId AS "Id", {beside},
          {instant("OperationCreatedOn")} AS _occurred, InputParameters, PreEntityImages, PostEntityImages
        FROM (SELECT row_number() OVER () - 1 AS _sequence_number, *
          FROM read_ndjson('{messages}', columns = {shell}, maximum_object_size = 4000000))
        WHERE MessageName IN ('Create', 'Update', 'Delete');
        CREATE TEMP TABLE entities AS
        SELECT _sequence_number, of, 0 AS rank, unnest(PreEntityImages, max_depth := 2)
          FROM messages WHERE _message = 'Delete'
        UNION ALL SELECT _sequence_number, of, 1, pair.key, from_json(pair.value, '{shape()}')
          FROM (SELECT _sequence_number, of, _message, unnest(InputParameters) AS pair FROM messages)
          WHERE pair.key = 'Target' AND _message <> 'Delete'
        UNION ALL SELECT _sequence_number, of, 2, unnest(PostEntityImages, max_depth := 2) FROM messages"""
    )
    context = f'_sequence_number, "Id", {", ".join(CONTEXT)}, _occurred'
    for (table,) in base.execute("SELECT DISTINCT of FROM messages").fetchall():
        base.execute(
            f"""COPY (WITH own AS (SELECT * FROM entities WHERE of = '{table}' AND key <> '{AUTOMATIC}'),
              told AS (SELECT _sequence_number, rank, unnest(value.Attributes, max_depth := 2) FROM own),
              shown AS (SELECT _sequence_number, rank, pair.key, pair.value ->> '$' AS label FROM
                (SELECT _sequence_number, rank, unnest(value.FormattedValues) AS pair FROM own)),
              pairs AS (SELECT * FROM told LEFT JOIN shown USING (_sequence_number, rank, key))
              SELECT {context}, found.* EXCLUDE (_sequence_number)
              FROM messages JOIN (SELECT _sequence_number, {columns(schema[table])}
                FROM pairs GROUP BY _sequence_number) AS found USING (_sequence_number))
            TO '{folder}/{table}.parquet' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 20000)"""
        )


def shape() -> str:
    """Return the shape of an entity, as ``from_json`` wants it."""
    pairs = '[{"key":"VARCHAR","value":"JSON"}]'
    return f'{{"Attributes":{pairs},"FormattedValues":{pairs}}}'


if __name__ == "__main__":
    main()
