"""The settings of a deployment, as the environment has them."""

import pytest

from include.settings import SettingsError, read_settings

pytestmark = pytest.mark.unit

REQUIRED = {"CTD_DEPLOYMENT_BUCKET": "bundles"}


def test_a_metric_policy_is_read_as_text():
    given = {"CTD_NULL_OUT_OF_RANGE": "gps_latitude", "CTD_METRIC_DECIMALS": "gps_latitude=5"}
    settings = read_settings(REQUIRED | given)
    assert (settings.null_out_of_range, settings.metric_decimals) == ("gps_latitude", "gps_latitude=5")


def test_parameters_of_the_stack_are_unset_unless_somebody_sets_them():
    assert read_settings(REQUIRED).stream_retention_hours is None
    given = {"CTD_STREAM_RETENTION_HOURS": "168", "CTD_API_ACCESS_LOG": "true", "CTD_ALERT_EMAIL": "a@example.com"}
    settings = read_settings(REQUIRED | given)
    assert (settings.stream_retention_hours, settings.api_access_log, settings.alert_email) == (
        168,
        True,
        "a@example.com",
    )


@pytest.mark.parametrize("hours", ["23", "8761", "a day"])
def test_a_retention_that_kinesis_refuses_is_refused_before_it_is_deployed(hours):
    with pytest.raises(SettingsError, match="stream_retention_hours"):
        read_settings(REQUIRED | {"CTD_STREAM_RETENTION_HOURS": hours})


@pytest.mark.parametrize(
    ("setting", "text"), [("CTD_NULL_OUT_OF_RANGE", "gps_latitud"), ("CTD_METRIC_DECIMALS", "gps_latitude:5")]
)
def test_an_unusable_metric_policy_is_refused_before_it_is_deployed(setting, text):
    with pytest.raises(SettingsError, match=f"{setting.removeprefix('CTD_').lower()}='{text}'"):
        read_settings(REQUIRED | {setting: text})


@pytest.mark.parametrize(
    ("setting", "text"),
    [
        ("CTD_SNOWFLAKE_ALLOWED_IPS", "10.0.0.1'); drop user ADMIN; --"),
        ("CTD_SNOWFLAKE_ALLOWED_IPS", "office"),
        ("CTD_SNOWFLAKE_POSITION_ROLES", "DISPATCH, two words"),
        ("CTD_SNOWFLAKE_ERROR_INTEGRATION", "X; drop pipe P"),
        ("CTD_SNOWFLAKE_EXTERNAL_ID", "it's"),
        ("CTD_SNOWFLAKE_USER_ARN", "arn:aws:iam::1:role/r"),
    ],
)
def test_a_text_that_becomes_sql_or_trust_has_a_form(setting, text):
    with pytest.raises(SettingsError, match="matching regex"):
        read_settings({"CTD_DEPLOYMENT_BUCKET": "b", setting: text})


def test_lists_of_addresses_and_roles_are_read():
    given = {"CTD_SNOWFLAKE_ALLOWED_IPS": "10.0.0.0/8, 192.0.2.7", "CTD_SNOWFLAKE_POSITION_ROLES": "DISPATCH, ops"}
    read = read_settings({"CTD_DEPLOYMENT_BUCKET": "b"} | given)
    assert (read.snowflake_allowed_ips, read.snowflake_position_roles) == tuple(given.values())
