"""What OpenLineage learns of a task: names by its specification, counts, columns, and what the quality rules found."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from airflow.sdk import Asset
from clicks_to_deliveries.operators.asset_events import describe_outlets
from clicks_to_deliveries.operators.lineage import COLUMNS, STAGED, WithLineage, dataset_name
from clicks_to_deliveries.operators.merge_history import MergeHistoryOperator
from openlineage.client.naming.dataset import S3, Snowflake

from include import assets, names, quality, sql
from include.quality.rules import RELATIONS
from include.quality.staged_items import SOURCES

pytestmark = pytest.mark.unit


class Events(dict[Asset, Any]):
    """The asset events of a task."""

    def __missing__(self, asset: Asset) -> Any:
        self[asset] = type("Event", (), {"extra": {}})()
        return self[asset]


def test_names_are_those_of_the_specification() -> None:
    account = Asset(name="t", uri="snowflake://myorg-prod/ECOMMERCE_DATA/TRUCK_TELEMETRY/T")
    naming = Snowflake("myorg", "prod", "ECOMMERCE_DATA", "TRUCK_TELEMETRY", "T")
    assert dataset_name(account) == (naming.get_namespace(), naming.get_name())
    landing = S3("kinesis-telemetry-data-bucket", "telemetry-data")
    assert dataset_name(assets.LANDING_ZONE) == (landing.get_namespace(), landing.get_name())
    assert dataset_name(assets.READINGS) == ("kinesis://aws_default", names.TRUCK_STREAM)
    assert dataset_name(assets.CLICK_ROWS) == ("dynamodb://aws_default", names.CLICK_TABLE)


def test_a_merge_says_what_it_read_and_wrote_column_by_column() -> None:
    merge = MergeHistoryOperator(task_id="merge", inlets=[assets.RAW], outlets=[assets.HISTORY, assets.DASHBOARD])
    started = merge.get_openlineage_facets_on_start()
    assert [each.outputFacets for each in started.outputs] == [{}]
    describe_outlets(merge, {"outlet_events": Events()}, rounds=2, rows_inserted=5, rows_updated=3, rows_deleted=1)
    lineage = merge.get_openlineage_facets_on_complete(None)
    (read,), (written,) = lineage.inputs, lineage.outputs
    assert (written.namespace, written.name) == dataset_name(assets.HISTORY)
    assert written.outputFacets["outputStatistics"].rowCount == 8
    (field,) = written.facets["columnLineage"].fields["EFFECTIVE_START_DATE"].inputFields
    assert ((field.namespace, field.name), field.field) == (dataset_name(assets.RAW), "EVENT_TIME")
    assert "EVENT_TIME" in {column.name for column in read.facets["schema"].fields}


def test_the_columns_are_those_of_the_tables() -> None:
    created = sql.render("ddl/050_history.sql").split("(", 1)[1].split("cluster by")[0]
    history = re.findall(r"^\s+([A-Z_]+) (?:string|float|timestamp_ntz|boolean)\b", created, re.MULTILINE)
    assert history
    assert sorted(COLUMNS[assets.RAW.name, assets.HISTORY.name]) == sorted(history)
    fields = re.findall(r"\$1:(\w+)", sql.render("ddl/060_pipe.sql"))
    assert sorted(COLUMNS[assets.LANDING_ZONE.name, assets.RAW.name].values()) == sorted(fields)


def test_each_rule_is_an_assertion_about_the_data_that_it_reads() -> None:
    class Checking(WithLineage):
        inlets = [assets.RAW, assets.HISTORY, assets.CLICK_ROWS]  # noqa: RUF012
        outlets: list[Any] = []  # noqa: RUF012

    by_name = {rule.name: rule for rule in quality.rules()}
    checking, now = Checking(), datetime.now(UTC)
    checking.checked = [
        (
            by_name[name],
            quality.RuleResult(
                rule=name, severity=by_name[name].severity, status=status, failed_count=count, checked_at=now
            ),
        )
        for name, status, count in (
            ("metrics_are_in_range", "pass", 0),
            ("clicks_are_valid", "fail", 3),
            ("positions_do_not_jump", "pass", 0),
        )
    ]
    found = {
        each.name.rsplit(".", 1)[-1]: {a.assertion: a for a in each.inputFacets["dataQualityAssertions"].assertions}
        for each in checking.get_openlineage_facets_on_complete(None).inputs
    }
    assert {table: set(about) for table, about in found.items()} == {
        names.RAW_TABLE: {"positions_do_not_jump"},
        names.HISTORY_TABLE: {"metrics_are_in_range"},
        names.CLICK_TABLE: {"clicks_are_valid"},
    }
    clicks = found[names.CLICK_TABLE]["clicks_are_valid"]
    assert (clicks.success, clicks.severity, clicks.expected, clicks.actual) == (False, "error", "0", "3")


def test_every_rule_reads_data_that_the_lineage_knows() -> None:
    assert set(STAGED) == {*SOURCES, *RELATIONS}
