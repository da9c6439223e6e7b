"""Polars: typed read_ndjson, explode, pivot, and json_path_match for typed values."""

from typing import Any

import polars as pl
from job import AUTOMATIC, CONTEXT, arguments

PAIRS = pl.List(pl.Struct({"key": pl.String, "value": pl.String}))
ENTITY = pl.Struct({"Attributes": PAIRS, "FormattedValues": PAIRS})
NAMED = pl.List(pl.Struct({"key": pl.String, "value": ENTITY}))


def instant(text: pl.Expr) -> pl.Expr:
    return (text.str.extract(r"(-?[0-9]+)").cast(pl.Int64) * 1_000).cast(pl.Datetime("us", "UTC"))


def typed(name: str, kind: str, label: pl.Expr) -> list[pl.Expr]:
    """Return the columns of one attribute; its text stands in the column of its name."""
    text = pl.col(name)
    inner = text.str.json_path_match("$.Value")
    if kind == "lookup":
        return [
            text.str.json_path_match("$.Id").alias(name),
            text.str.json_path_match("$.LogicalName").alias(f"{name}_entitytype"),
            pl.coalesce(text.str.json_path_match("$.Name"), label).alias(f"{name}name"),
        ]
    plain = {
        "integer": lambda: text.cast(pl.Int64),
        "double": lambda: text.cast(pl.Float64),
        "decimal": lambda: text.cast(pl.Decimal(38, 10)),
        "money": lambda: inner.cast(pl.Decimal(38, 4)),
        "choice": lambda: inner.cast(pl.Int64),
        "choices": lambda: (
            text.str.extract_all(r'"Value": ?-?[0-9]+')
            .list.eval(pl.element().str.extract("(-?[0-9]+)"))
            .list.join(";")
        ),
        "boolean": lambda: text == "true",
        "instant": lambda: instant(text),
        "date": lambda: instant(text).cast(pl.Date),
    }.get(kind, lambda: text)()
    found = [plain.alias(name)]
    if kind in {"choice", "boolean"}:
        found.append(pl.when(text.is_not_null()).then(label).alias(f"{name}name"))
    return found


def wide(frame: pl.DataFrame, member: str) -> pl.DataFrame:
    """Return one row a message, with a column for each key of its pairs; the last pair of a key counts."""
    each = frame.select("_sequence_number", pl.col("entity").struct.field(member).alias("pair"))
    long = each.explode("pair").unnest("pair").filter(pl.col("key").is_not_null())
    return long.pivot(on="key", index="_sequence_number", values="value", aggregate_function="last")


def main() -> None:
    messages, folder, schema = arguments()
    members: dict[str, Any] = dict.fromkeys(
        ["MessageName", "PrimaryEntityName", "PrimaryEntityId", "OperationCreatedOn", *CONTEXT.values()],
        pl.String,
    )
    members |= dict.fromkeys(["InputParameters", "PreEntityImages", "PostEntityImages"], NAMED)
    read = pl.read_ndjson(messages, schema=members, ignore_errors=True).with_row_index("_sequence_number")
    key = pl.element().struct.field("key")
    of_delete = pl.col("MessageName") == "Delete"
    first = (
        pl.when(of_delete)
        .then("PreEntityImages")
        .otherwise(pl.col("InputParameters").list.filter(key == "Target"))
    )
    rows = (
        read.filter(pl.col("MessageName").is_in(["Create", "Update", "Delete"]))
        .with_columns(
            pl.concat_list(first, "PostEntityImages").list.filter(key != AUTOMATIC).alias("entities")
        )
        .drop("InputParameters", "PreEntityImages", "PostEntityImages")
    )
    for (table,), frame in rows.partition_by("PrimaryEntityName", as_dict=True).items():
        entities = (
            frame.select("_sequence_number", "entities")
            .explode("entities")
            .select("_sequence_number", pl.col("entities").struct.field("value").alias("entity"))
        )
        values, labels = wide(entities, "Attributes"), wide(entities, "FormattedValues")
        labels = labels.rename({name: f"{name}\x01" for name in labels.columns if name != "_sequence_number"})
        whole = frame.drop("entities")
        for part in (values, labels):
            whole = whole.join(part, "_sequence_number", how="left")
        columns = [
            each
            for name, kind in schema[str(table)].items()
            if name in values.columns
            for each in typed(
                name, kind, pl.col(f"{name}\x01") if f"{name}\x01" in labels.columns else pl.lit(None)
            )
        ]
        whole.select(
            "_sequence_number",
            pl.col("PrimaryEntityId").alias("Id"),
            *(pl.col(member).alias(column) for column, member in CONTEXT.items()),
            instant(pl.col("OperationCreatedOn")).alias("_occurred"),
            *columns,
        ).write_parquet(folder / f"{table}.parquet", compression="zstd")


if __name__ == "__main__":
    main()
