"""MiniStack asks IAM for what AWS asks, where 1.5.33 asks for something else."""

import json
import re

from ministack.core import iam_actions

# A PartiQL statement is authorized as what it does to its table, however it is sent.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-iam.html
PARTIQL = re.compile(r'\s*(SELECT .*? FROM|UPDATE|INSERT INTO|DELETE FROM)\s+"?([\w.-]+)', re.IGNORECASE | re.DOTALL)
transaction_checks = iam_actions.dynamodb_transaction_checks


def checks_of_statements(iam_action, body, region, account_id):
    if iam_action not in ("dynamodb:ExecuteStatement", "dynamodb:BatchExecuteStatement"):
        return transaction_checks(iam_action, body, region, account_id)
    request = json.loads(body)
    checks = []
    for statement in request.get("Statements", [request]):
        verb, table = PARTIQL.match(statement["Statement"]).groups()
        action = f"dynamodb:PartiQL{verb.split()[0].capitalize()}"
        checks.append((action, f"arn:aws:dynamodb:{region}:{account_id}:table/{table}"))
    return checks


iam_actions.dynamodb_transaction_checks = checks_of_statements

# A log group's ARN ends with ":*" for these, which is how Fn::GetAtt gives it.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/iam-access-control-overview-cwl.html
resource_arn = iam_actions.extract_resource_arn


def arn_of_log_group(service, method, path, headers, *request):
    arn = resource_arn(service, method, path, headers, *request)
    operation = headers.get("x-amz-target", "").rpartition(".")[2]
    return f"{arn}:*" if service == "logs" and operation in ("CreateLogStream", "PutLogEvents") else arn


iam_actions.extract_resource_arn = arn_of_log_group

# PutMetricData can't be limited to a resource, only by this key.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/iam-cw-condition-keys-namespace.html
tag_context = iam_actions.request_tag_context


def context_of_metrics(service, iam_action, body, params):
    context = tag_context(service, iam_action, body, params)
    if iam_action == "cloudwatch:PutMetricData":
        context["cloudwatch:namespace"] = iam_actions._param(body, params, "Namespace")
    return context


iam_actions.request_tag_context = context_of_metrics
