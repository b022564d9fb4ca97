import pytest
from botocore.exceptions import EndpointConnectionError

from include.local.aws.event_source_mapping.iterator_age import PUBLISH_INTERVAL, IteratorAge

pytestmark = pytest.mark.unit


class CloudWatch:
    def __init__(self) -> None:
        self.calls: list[dict] = []
        self.reachable = True

    def put_metric_data(self, **request: object) -> None:
        self.calls.append(request)
        if not self.reachable:
            raise EndpointConnectionError(endpoint_url="http://127.0.0.1:1")


@pytest.fixture
def cloudwatch() -> CloudWatch:
    return CloudWatch()


@pytest.fixture
def now() -> list[float]:
    return [0.0]


@pytest.fixture
def ages(cloudwatch, now) -> IteratorAge:
    return IteratorAge(cloudwatch, clock=lambda: now[0])


def test_ages_are_put_as_lambda_names_them(ages, cloudwatch, now):
    for age in (0.5, 2.0, 1.0):
        ages.observe("clicks", age)
    ages.observe("trucks", -0.1)  # The stream's clock is a little ahead.
    now[0] = PUBLISH_INTERVAL
    ages.publish()
    (call,) = cloudwatch.calls
    assert call["Namespace"] == "AWS/Lambda"
    clicks, trucks = call["MetricData"]
    assert clicks == {
        "MetricName": "IteratorAge",
        "Dimensions": [{"Name": "FunctionName", "Value": "clicks"}],
        "Unit": "Milliseconds",
        "StatisticValues": {"SampleCount": 3, "Sum": 3500.0, "Minimum": 500.0, "Maximum": 2000.0},
    }
    assert trucks["StatisticValues"] == {"SampleCount": 1, "Sum": 0.0, "Minimum": 0.0, "Maximum": 0.0}


def test_ages_are_put_rarely_and_only_if_there_are_any(ages, cloudwatch, now):
    ages.observe("clicks", 1.0)
    ages.publish()
    assert cloudwatch.calls == []
    now[0] += PUBLISH_INTERVAL
    ages.publish()
    now[0] += PUBLISH_INTERVAL
    ages.publish()
    assert len(cloudwatch.calls) == 1


def test_a_put_that_fails_is_logged_once_and_delays_nothing(ages, cloudwatch, now, caplog):
    cloudwatch.reachable = False
    for _ in range(3):
        ages.observe("clicks", 1.0)
        now[0] += PUBLISH_INTERVAL
        ages.publish()
    assert caplog.text.count("metric IteratorAge") == 1
    cloudwatch.reachable = True
    ages.observe("clicks", 1.0)
    now[0] += PUBLISH_INTERVAL
    ages.publish()
    assert cloudwatch.calls[-1]["MetricData"][0]["StatisticValues"]["SampleCount"] == 1
