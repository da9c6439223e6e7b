"""The one graph: streaming, draining and backfill differ in when reading ends, and in nothing else."""

from typing import Final

from apache_beam.pipeline import Pipeline
from apache_beam.pvalue import PCollection
from apache_beam.transforms.ptransform import PTransform

from ..model.batch import FlattenedBatch
from ..model.envelope import MicroBatch
from ..model.verdict import DispositionBatch
from ..sinks.base import Claim
from ..sinks.steps import CommitTables
from ..sources.ending import Ending, When
from ..sources.plan import ReadPlan
from ..sources.read import BundleLimits, ReadFromServiceBus
from ..sources.settle import SettleMessages
from ..tables.metadata import Metadata, load_metadata
from ..transforms.steps import FlattenContexts
from .config import BridgeConfig
from .inline import HydrateInline

_LULL: Final = 0.25
"""Seconds without a message after which a draining bridge commits what it has."""


def bridge(
    pipeline: Pipeline,
    config: BridgeConfig,
    ending: Ending,
    claim: Claim | None = None,
    plan: ReadPlan | None = None,
) -> PCollection[DispositionBatch]:
    """Lay the graph of a bridge.

    Args:
        pipeline: Where to lay it.
        config: Source, rules and sinks.
        ending: When reading ends.
        claim: This start of the bridge; without one a second bridge on the same sinks is not noticed.
        plan: Which messages are taken, and how; all of them, if not given.

    Returns:
        The dispositions, each durable and handed in to be settled.

    Raises:
        ConfigError: The metadata cannot be read, or does not suffice for inline hydration.
    """
    limits = BundleLimits(
        seconds=config.commit.seconds,
        messages=config.commit.messages,
        lull=None if ending.when is When.NEVER else _LULL,
    )
    read = ReadFromServiceBus(config.source, ending=ending, bundle=limits, journal=config.journal, plan=plan)
    committed = flattened_and_committed(pipeline | "ReceiveMessages" >> read, config, claim)
    return committed | "SettleMessages" >> SettleMessages(config.source)


def flattened_and_committed(
    batches: PCollection[MicroBatch],
    config: BridgeConfig,
    claim: Claim | None = None,
    after: PTransform[PCollection[FlattenedBatch], PCollection[FlattenedBatch]] | None = None,
) -> PCollection[DispositionBatch]:
    """Lay what every graph has between reading and settling.

    Args:
        batches: Messages, whatever they were read from.
        config: Rules and sinks.
        claim: As for :func:`bridge`.
        after: A step between flattening and commit, without a stage break.

    Raises:
        ConfigError: The metadata cannot be read, or does not suffice for inline hydration.
    """
    metadata = Metadata() if config.metadata is None else load_metadata(config.metadata)
    flattened = batches | "FlattenContexts" >> FlattenContexts(types=metadata.types, rules=config.flatten)
    if after is not None:
        flattened = flattened | "AfterFlatten" >> after
    if config.dataverse is not None and config.dataverse.hydrate == "inline":
        hydrate = HydrateInline(config.dataverse, metadata, binaries=config.flatten.binaries)
        flattened = flattened | "HydrateInline" >> hydrate
    return flattened | "CommitTables" >> CommitTables(
        config.sinks, contracts=config.contracts, claim=claim, profile=config.profile
    )
