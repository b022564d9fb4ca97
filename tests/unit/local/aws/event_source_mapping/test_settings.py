import pytest

from include.local.aws.event_source_mapping.settings import UnsupportedMappingError, is_kinesis

pytestmark = pytest.mark.unit


def test_what_the_answer_leaves_out_has_awss_default(make_settings):
    settings = make_settings()
    assert (settings.batch_size, settings.batching_window) == (100, 0)
    assert (settings.maximum_retry_attempts, settings.maximum_record_age) == (-1, -1)
    assert settings.parallelization_factor == 1
    assert (settings.bisect, settings.report_item_failures, settings.on_failure) == (False, False, None)


def test_numbers_and_booleans_may_be_text_as_a_template_has_them(make_settings):
    settings = make_settings(
        BatchSize="500",
        MaximumBatchingWindowInSeconds="1",
        MaximumRetryAttempts="-1",
        MaximumRecordAgeInSeconds="3600",
        BisectBatchOnFunctionError="true",
    )
    assert (settings.batch_size, settings.batching_window, settings.maximum_record_age) == (500, 1.0, 3600.0)
    assert settings.bisect is True


def test_names_are_read_from_the_arns(make_settings):
    settings = make_settings(FunctionArn="arn:aws:lambda:eu-west-1:123456789012:function:TruckDataProcessor:live")
    assert (settings.function_name, settings.region) == ("TruckDataProcessor", "eu-west-1")


@pytest.mark.parametrize(
    ("setting", "named"),
    [
        ({"TumblingWindowInSeconds": 30}, "TumblingWindowInSeconds"),
        ({"FilterCriteria": {"Filters": [{"Pattern": "not JSON"}]}}, "not JSON"),
        ({"StartingPosition": "AT_TIMESTAMP"}, "StartingPositionTimestamp"),
    ],
)
def test_a_setting_that_would_change_what_is_delivered_is_refused(make_settings, setting, named):
    with pytest.raises(UnsupportedMappingError, match=f"1111.*{named}"):
        make_settings(**setting)


def test_without_filters_everything_passes(make_settings):
    assert make_settings(FilterCriteria={}).filter is None
    assert make_settings(FilterCriteria={"Filters": []}).filter is None


def test_only_kinesis_mappings_are_driven():
    assert is_kinesis({"EventSourceArn": "arn:aws:kinesis:us-east-1:000000000000:stream/s"})
    assert not is_kinesis({"EventSourceArn": "arn:aws:sqs:us-east-1:000000000000:queue"})
    assert not is_kinesis({"SelfManagedEventSource": {}})
