"""What OpenLineage learns of a task: which data it read and changed, how much, and what the quality rules found.

Airflow's OpenLineage provider asks an operator for it; without the provider nothing here runs (docs/telemetry.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow.sdk import Asset
from attrs import fields_dict

from include import assets, sql
from include.contracts import METRICS

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage
    from openlineage.client.event_v2 import InputDataset, OutputDataset
    from openlineage.client.facet_v2 import DatasetFacet, data_quality_assertions_dataset

    from include.quality import Rule, RuleResult

# Of the facts about an asset (describe_outlets), those that count rows that were written to it, and files.
WRITTEN_ROWS = ("rows", "rows_inserted", "rows_updated", "rules", "hours")
WRITTEN_FILES = "files"
# What a rule may read beside Snowflake's tables -> where that is from.
STAGED = {
    "truck_states": assets.TRUCK_STATES,
    "click_items": assets.CLICK_ROWS,
    "recent_clicks": assets.CLICK_ROWS,
    "new_readings": assets.RAW,
    "last_hour": assets.RAW,
}
_ENVELOPE = ("stream_name", "shard_id", "sequence_number", "sub_sequence_number", "arrival_time", "partition_key")
_LANDED = ("truck_id", "event_time", *(metric.name for metric in METRICS), *_ENVELOPE, "nulled_metrics")
# Names of the assets (from, to) -> column -> the field that it is made of.  Airflow 3.1's assets can't be keys.
COLUMNS: Mapping[tuple[str, str], Mapping[str, str]] = {
    (assets.LANDING_ZONE.name, assets.RAW.name): {field.upper(): field for field in _LANDED},
    (assets.RAW.name, assets.HISTORY.name): {
        "TRUCK_ID": "TRUCK_ID",
        "LOAD_TIMESTAMP": "LOAD_TIMESTAMP",
        **dict.fromkeys(("EFFECTIVE_START_DATE", "EFFECTIVE_END_DATE", "IS_CURRENT"), "EVENT_TIME"),
        **{column: column for column in sql.ATTRIBUTES},
    },
}


class WithLineage:
    """Mixin for operators: the inlets and outlets of a task are what it reads and changes.

    Attributes:
        written: what the task says about the data that it changed (describe_outlets).
        checked: the quality rules that it checked, and their results.
    """

    inlets: list[Any]
    outlets: list[Any]
    written: Mapping[str, Any] = {}
    checked: Sequence[tuple[Rule, RuleResult]] = ()

    def get_openlineage_facets_on_start(self) -> OperatorLineage[Any, Any]:
        return _lineage(_datasets(self.inlets), _datasets(self.outlets), {}, ())

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage[Any, Any]:
        """Also of a task that failed: the provider then asks for the same."""
        return _lineage(_datasets(self.inlets), _datasets(self.outlets), self.written, self.checked)


def dataset_name(asset: Asset) -> tuple[str, str]:
    """Return an asset's (namespace, name) as OpenLineage's naming specification has them.

    It does not name streams of Kinesis and tables of DynamoDB: their namespace is the asset's account.
    """
    address = urlsplit(asset.uri)
    path = address.path.strip("/")
    name = path.replace("/", ".") if address.scheme == "snowflake" else path
    return f"{address.scheme}://{address.netloc}", name


def _datasets(listed: Sequence[Any]) -> list[Asset]:
    """Return the assets without the dashboard, which is no data."""
    return [each for each in listed if isinstance(each, Asset) and each.name != assets.DASHBOARD.name]


def _lineage(
    read: Sequence[Asset],
    changed: Sequence[Asset],
    written: Mapping[str, Any],
    checked: Sequence[tuple[Rule, RuleResult]],
) -> OperatorLineage[Any, Any]:
    from airflow.providers.openlineage.extractors import OperatorLineage

    return OperatorLineage(
        inputs=[_input(asset, checked) for asset in read],
        outputs=[_output(asset, read, written) for asset in changed],
    )


def _input(asset: Asset, checked: Sequence[tuple[Rule, RuleResult]]) -> InputDataset:
    from openlineage.client.event_v2 import InputDataset
    from openlineage.client.facet_v2 import data_quality_assertions_dataset as quality

    namespace, name = dataset_name(asset)
    columns = [field for (source, _), each in COLUMNS.items() if source == asset.name for field in each.values()]
    about = [_assertion(rule, result) for rule, result in checked if _is_about(rule, asset)]
    return InputDataset(
        namespace,
        name,
        facets=_schema(dict.fromkeys(columns)),
        inputFacets={"dataQualityAssertions": quality.DataQualityAssertionsDatasetFacet(about)} if about else {},
    )


def _output(asset: Asset, read: Sequence[Asset], written: Mapping[str, Any]) -> OutputDataset:
    from openlineage.client.event_v2 import OutputDataset
    from openlineage.client.facet_v2 import column_lineage_dataset as lineage
    from openlineage.client.facet_v2 import output_statistics_output_dataset as statistics

    facets: dict[str, DatasetFacet] = {}
    for source in read:
        if columns := COLUMNS.get((source.name, asset.name)):
            fields = {
                column: lineage.Fields([lineage.InputField(*dataset_name(source), field)])
                for column, field in columns.items()
            }
            facets = {**_schema(columns), "columnLineage": lineage.ColumnLineageDatasetFacet(fields=fields)}
    rows = [written[fact] for fact in WRITTEN_ROWS if fact in written]
    wrote = statistics.OutputStatisticsOutputDatasetFacet(rowCount=sum(rows), fileCount=written.get(WRITTEN_FILES))
    return OutputDataset(*dataset_name(asset), facets=facets, outputFacets={"outputStatistics": wrote} if rows else {})


def _schema(columns: Iterable[str]) -> dict[str, DatasetFacet]:
    from openlineage.client.facet_v2 import schema_dataset

    fields = [schema_dataset.SchemaDatasetFacetFields(column) for column in columns]
    return {"schema": schema_dataset.SchemaDatasetFacet(fields)} if fields else {}


def _is_about(rule: Rule, asset: Asset) -> bool:
    """Whether the rule reads this data: the statement has the table's name, or it was staged for the statement."""
    table = asset.uri.rsplit("/", 1)[-1]
    return table in rule.statement or asset in [STAGED[source] for source in rule.reads]


def _assertion(rule: Rule, result: RuleResult) -> data_quality_assertions_dataset.Assertion:
    from openlineage.client.facet_v2 import data_quality_assertions_dataset as quality

    more: dict[str, Any] = {
        "severity": "error" if rule.severity == "fail" else "warn",
        "description": rule.meaning,
        "expected": "0",
        "actual": str(result.failed_count),
    }
    # The provider of Airflow 3.1 comes with a client that does not know these yet.
    known = fields_dict(quality.Assertion)
    return quality.Assertion(
        assertion=rule.name,
        success=result.status == "pass",
        **{name: value for name, value in more.items() if name in known},
    )
