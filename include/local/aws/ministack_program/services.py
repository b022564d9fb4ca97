"""MiniStack's Firehose would store one object per record of a Kinesis source, without the record's metadata;
include/local/aws/firehose_delivery delivers instead.  No setting turns that off (docs/adr/0033).

Its CloudFormation refuses alarms on metric math: they are created here, and stay in INSUFFICIENT_DATA.  Its API Gateway
does not tell a function which API key called it.
"""

from ministack.services import apigateway_v1, firehose
from ministack.services.cloudformation import provisioners

firehose.ingest_from_kinesis_source = lambda stream_arn, records: None

alarm_on_one_metric = provisioners._cw_metric_alarm_record


def alarm_record(name, properties):
    if not properties.get("Metrics"):
        return alarm_on_one_metric(name, properties)
    (result,) = [each for each in properties["Metrics"] if each.get("ReturnData", True) not in (False, "false")]
    plain = {key: value for key, value in properties.items() if key != "Metrics"}
    return alarm_on_one_metric(name, {**plain, "Namespace": "metric math", "MetricName": result["Expression"]})


provisioners._cw_metric_alarm_record = alarm_record

event_without_key = apigateway_v1._build_lambda_event_v1


def event_with_key(api_id, stage_name, stage, resource, request_path, method, headers, *more, **options):
    event = event_without_key(api_id, stage_name, stage, resource, request_path, method, headers, *more, **options)
    key = apigateway_v1._resolve_api_key(apigateway_v1._api_key_from_request(headers))
    event["requestContext"]["identity"]["apiKeyId"] = key["id"] if key else None
    return event


apigateway_v1._build_lambda_event_v1 = event_with_key
