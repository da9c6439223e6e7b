"""Spark, local: typed from_json with values as text, map_from_entries, and get_json_object a column."""

from job import AUTOMATIC, CONTEXT, arguments
from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as f

PAIRS = "array<struct<key:string,value:string>>"
ENTITY = f"Attributes {PAIRS}, FormattedValues {PAIRS}"


def instant(text: Column) -> Column:
    return f.timestamp_millis(f.regexp_extract(text, "(-?[0-9]+)", 1).cast("bigint"))


def typed(name: str, kind: str) -> list[Column]:
    """Return the columns of one attribute."""
    text, label = f.col("found")[name], f.col("labels")[name]
    inner = f.get_json_object(text, "$.Value")
    if kind == "lookup":
        return [
            f.get_json_object(text, "$.Id").alias(name),
            f.get_json_object(text, "$.LogicalName").alias(f"{name}_entitytype"),
            f.coalesce(f.get_json_object(text, "$.Name"), label).alias(f"{name}name"),
        ]
    plain = {
        "integer": lambda: text.cast("bigint"),
        "double": lambda: text.cast("double"),
        "decimal": lambda: text.cast("decimal(38,10)"),
        "money": lambda: inner.cast("decimal(38,4)"),
        "choice": lambda: inner.cast("bigint"),
        "choices": lambda: f.regexp_extract_all(text, f.lit(r'"Value":(-?[0-9]+)'), 1).cast("array<bigint>"),
        "boolean": lambda: text.cast("boolean"),
        "instant": lambda: instant(text),
        "date": lambda: instant(text).cast("date"),
    }.get(kind, lambda: text)()
    found = [plain.alias(name)]
    if kind in {"choice", "boolean"}:
        found.append(f.when(text.isNotNull(), label).alias(f"{name}name"))
    return found


def main() -> None:
    messages, folder, schema = arguments()
    spark = (
        SparkSession.builder.master("local[1]")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.parquet.compression.codec", "zstd")
        .config("spark.sql.mapKeyDedupPolicy", "LAST_WIN")
        .config("spark.driver.memory", "3g")
        .config("spark.sql.debug.maxToStringFields", "5")
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("ERROR")
    members = ["MessageName", "PrimaryEntityName", "PrimaryEntityId", "OperationCreatedOn", *CONTEXT.values()]
    shell = ", ".join(f"{name} string" for name in dict.fromkeys(members))
    shell += "".join(
        f", {name} {PAIRS}" for name in ("InputParameters", "PreEntityImages", "PostEntityImages")
    )
    read = spark.read.text(str(messages)).select(
        f.monotonically_increasing_id().alias("_sequence_number"), f.from_json("value", shell).alias("m")
    )
    named = read.select("_sequence_number", "m.*").where("MessageName IN ('Create', 'Update', 'Delete')")
    first = "IF(MessageName = 'Delete', PreEntityImages, filter(InputParameters, p -> p.key = 'Target'))"
    told = f"filter(concat({first}, PostEntityImages), p -> p.key <> '{AUTOMATIC}')"
    entities = named.withColumn("entities", f.expr(f"transform({told}, p -> from_json(p.value, '{ENTITY}'))"))
    parts = (
        entities.withColumn("found", f.expr("map_from_entries(flatten(entities.Attributes))"))
        .withColumn("labels", f.expr("map_from_entries(flatten(entities.FormattedValues))"))
        .drop("entities", "InputParameters", "PreEntityImages", "PostEntityImages")
        .cache()
    )
    for (table,) in parts.select("PrimaryEntityName").distinct().collect():
        parts.where(f.col("PrimaryEntityName") == table).select(
            "_sequence_number",
            f.col("PrimaryEntityId").alias("Id"),
            *(f.col(member).alias(column) for column, member in CONTEXT.items()),
            instant(f.col("OperationCreatedOn")).alias("_occurred"),
            *(each for name, kind in schema[table].items() for each in typed(name, kind)),
        ).write.parquet(str(folder / table))
    spark.stop()


if __name__ == "__main__":
    main()
