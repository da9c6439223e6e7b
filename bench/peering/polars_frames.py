"""Polars: typed read_ndjson, explode, pivot, and json_path_match for typed values."""

from typing import Any

import polars as pl
from job import AUTOMATIC, CONTEXT, arguments

PAIRS = pl.List(pl.Struct({"key": pl.String, "value": pl.String}))
ENTITY = pl.Struct({"Attributes": PAIRS, "FormattedValues": PAIRS})
NAMED = pl.List(pl.Struct({"key": pl.String, "value": ENTITY}))


def instant(text: pl.Expr) -> pl.Expr:
    number = text.str.extract(r"Date\((-?[0-9]+)").cast(pl.Int64)
    offset = text.str.extract(r"([+-][0-9]{4})\)").cast(pl.Int64).fill_null(0)
    minutes = offset.sign() * ((offset.abs() // 100) * 60 + offset.abs() % 100)
    return ((number + minutes * 60_000) * 1_000).cast(pl.Datetime("us", "UTC"))


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
            text.str.extract_all(r'"Value": -?[0-9]+')
            .list.eval(pl.element().str.strip_prefix('"Value": '))
            .list.join(";")
            .replace("", None)
        ),
        "boolean": lambda: pl.coalesce(inner, text) == "true",
        "instant": lambda: instant(text),
        "date": lambda: (instant(text) + pl.duration(hours=1)).cast(pl.Date),
    }.get(kind, lambda: text)()
    found = [plain.alias(name)]
    if kind in {"choice", "choices", "boolean"}:
        found.append(pl.when(text.is_not_null()).then(label).alias(f"{name}name"))
    return found


def wide(frame: pl.DataFrame, member: str) -> pl.DataFrame:
    """Return one row a row, with a column for each key of a list of pairs."""
    pairs = frame.select("row", pl.col("entity").struct.field(member).alias("pair"))
    long = pairs.explode("pair").unnest("pair").filter(pl.col("key").is_not_null())
    return frame.select("row") if long.is_empty() else long.pivot(on="key", index="row", values="value")


def main() -> None:
    messages, folder, schema = arguments()
    members: dict[str, Any] = dict.fromkeys(
        ["MessageName", "PrimaryEntityName", "PrimaryEntityId", "OperationCreatedOn", *CONTEXT.values()],
        pl.String,
    )
    members |= dict.fromkeys(["InputParameters", "PreEntityImages", "PostEntityImages"], NAMED)
    read = pl.read_ndjson(messages, schema=members, ignore_errors=True).with_row_index("_sequence_number")
    key = pl.element().struct.field("key")
    target = pl.col("InputParameters").list.filter(key == "Target")
    images = pl.concat_list("PreEntityImages", "PostEntityImages").list.filter(key != AUTOMATIC)
    of_delete = pl.col("MessageName") == "Delete"
    rows = (
        read.filter(pl.col("MessageName").is_in(["Create", "Update", "Delete"]))
        .with_columns(pl.when(of_delete).then(images).otherwise(pl.concat_list(target, images)).alias("pair"))
        .drop("InputParameters", "PreEntityImages", "PostEntityImages")
        .explode("pair")
        .filter(pl.col("pair").is_not_null())
        .with_columns(
            pl.col("pair").struct.field("key").alias("_source"),
            pl.col("pair").struct.field("value").alias("entity"),
        )
        .drop("pair")
        .with_row_index("row")
    )
    for (table,), frame in rows.partition_by("PrimaryEntityName", as_dict=True).items():
        kinds = {name: kind for name, kind in schema[str(table)].items() if kind not in {"binary", "parties"}}
        values, labels = wide(frame, "Attributes"), wide(frame, "FormattedValues")
        labels = labels.rename({name: f"{name}\x01" for name in labels.columns if name != "row"})
        whole = frame.join(values, "row", how="left").join(labels, "row", how="left")
        columns = [
            each
            for name, kind in kinds.items()
            if name in values.columns
            for each in typed(
                name, kind, pl.col(f"{name}\x01") if f"{name}\x01" in labels.columns else pl.lit(None)
            )
        ]
        whole.select(
            "_sequence_number",
            "_source",
            pl.col("PrimaryEntityId").alias("Id"),
            *(pl.col(member).alias(column) for column, member in CONTEXT.items()),
            instant(pl.col("OperationCreatedOn")).alias("_occurred"),
            *columns,
        ).write_parquet(folder / f"{table}.parquet", compression="zstd")


if __name__ == "__main__":
    main()
