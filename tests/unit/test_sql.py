"""Our SQL renders the same for every reader."""

import jinja2
import pytest

from include import sql
from include.contracts import METRICS

pytestmark = pytest.mark.unit

FILES = sorted(path.relative_to(sql.SQL_DIRECTORY).as_posix() for path in sql.SQL_DIRECTORY.rglob("*.sql"))
PARAMETERS = {
    "storage_role_arn": "arn:aws:iam::123456789012:role/snowflake",
    "telemetry_bucket": "landing",
    **{f"{job}_public_key": "MIIB" for job in ("deployer", "transformer", "repairer", "reader", "eraser")},
}


def test_there_is_sql():
    assert "merge/truck_telemetry_scd2.sql" in FILES


@pytest.mark.parametrize("path", FILES)
def test_file_renders_whole(path):
    text = sql.render(path, **PARAMETERS)
    assert "{{" not in text
    assert "{%" not in text
    assert text.endswith(";\n")


@pytest.mark.parametrize("path", FILES)
def test_airflow_renders_the_same_text(path):
    """As a DAG does: template_searchpath, user_defined_macros and params."""
    airflow = jinja2.Environment(loader=jinja2.FileSystemLoader(sql.SQL_DIRECTORY), keep_trailing_newline=True)  # noqa: S701
    airflow.globals.update(sql.CONTEXT)
    assert airflow.get_template(path).render(params=PARAMETERS) == sql.render(path, **PARAMETERS)


def test_missing_parameter_is_an_error():
    with pytest.raises(jinja2.UndefinedError, match="storage_role_arn"):
        sql.render("ddl/030_landing_zone.sql", telemetry_bucket="landing")


def test_missing_file_is_an_error():
    with pytest.raises(jinja2.TemplateNotFound):
        sql.render("merge/nothing.sql")


def test_attributes_are_the_metrics_in_order():
    assert [metric.name.upper() for metric in METRICS] == sql.attributes().split(", ")


def test_attributes_of_a_table():
    assert sql.attributes("R").startswith("R.GPS_LATITUDE, R.GPS_LONGITUDE, ")


def test_columns_of_the_history_end_with_the_attributes():
    assert sql.history_columns("R") == f"R.{', R.'.join(sql.HISTORY_COLUMNS[:5])}, {sql.attributes('R')}"


def test_assignments_name_both_sides():
    assert sql.attribute_assignments("C").startswith("GPS_LATITUDE = C.GPS_LATITUDE, ")


def test_a_text_is_out_of_range_by_its_length():
    conditions = {metric.name: sql.is_out_of_range(metric) for metric in METRICS}
    assert conditions["gps_latitude"] == "GPS_LATITUDE not between -90.0 and 90.0"
    assert conditions["brake_status"].startswith("not (length(BRAKE_STATUS) between 1 and 64 and ")
    assert all(condition.isascii() and condition.isprintable() for condition in conditions.values())


def test_bound_value_is_left_to_the_driver():
    assert sql.bind("since") == "%(since)s"


def test_window_of_one_instant_can_be_of_a_table():
    assert sql.last_arrival_first("R").replace("R.", "") == sql.last_arrival_first()
