"""CloudFormation acts as the role that a change set names, and only who may pass that role may name it.

MiniStack creates a stack's resources as itself: it takes no notice of RoleARN, and knows neither iam:PassRole nor the
permissions boundary of a role in a template.  Here each resource is changed only if the role may make the calls that
AWS's handler of its type makes (the registry's "handlers": ``aws cloudformation describe-type``), for the properties
that our template uses.  A type that is not listed can't be deployed with a role.
"""

from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id, get_region
from ministack.services import iam
from ministack.services.cloudformation import changesets, handlers, provisioners, stacks

# Type -> (ARN, calls of a creation or an update, calls of a deletion).  An ARN takes the resource's properties, and
# {name} is what CloudFormation makes up for a resource that has no name of its own.
TYPES = {
    "AWS::Kinesis::Stream": (
        "kinesis:{region}:{account}:stream/{Name}",
        "kinesis:CreateStream kinesis:DescribeStreamSummary kinesis:IncreaseStreamRetentionPeriod "
        "kinesis:StartStreamEncryption kinesis:AddTagsToStream kinesis:ListTagsForStream",
        "kinesis:DeleteStream kinesis:DescribeStreamSummary kinesis:RemoveTagsFromStream",
    ),
    "AWS::DynamoDB::Table": (
        "dynamodb:{region}:{account}:table/{TableName}",
        "dynamodb:CreateTable dynamodb:DescribeTable dynamodb:DescribeTimeToLive dynamodb:UpdateTimeToLive "
        "dynamodb:DescribeContinuousBackups dynamodb:UpdateContinuousBackups dynamodb:DescribeContributorInsights "
        "dynamodb:ListTagsOfResource dynamodb:TagResource dynamodb:UpdateTable",
        "dynamodb:DeleteTable dynamodb:DescribeTable",
    ),
    "AWS::S3::Bucket": (
        "s3:::{BucketName}",
        "s3:CreateBucket s3:PutBucketTagging s3:PutEncryptionConfiguration s3:PutBucketNotification "
        "s3:PutLifecycleConfiguration s3:PutBucketOwnershipControls s3:PutBucketPublicAccessBlock "
        "s3:PutBucketVersioning s3:ListBucket s3:GetBucketPublicAccessBlock",
        "s3:DeleteBucket s3:ListBucket",
    ),
    "AWS::S3::BucketPolicy": (
        "s3:::{Bucket}",
        "s3:GetBucketPolicy s3:PutBucketPolicy",
        "s3:GetBucketPolicy s3:DeleteBucketPolicy",
    ),
    "AWS::Logs::LogGroup": (
        "logs:{region}:{account}:log-group:{LogGroupName}",
        "logs:CreateLogGroup logs:PutRetentionPolicy logs:TagResource logs:ListTagsForResource",
        "logs:DeleteLogGroup",
    ),
    "AWS::Logs::LogStream": (
        "logs:{region}:{account}:log-group:{LogGroupName}",
        "logs:CreateLogStream logs:DescribeLogStreams",
        "logs:DeleteLogStream",
    ),
    "AWS::IAM::Role": (
        "iam::{account}:role/{name}",
        "iam:CreateRole iam:PutRolePolicy iam:TagRole iam:UntagRole iam:GetRole iam:GetRolePolicy iam:ListRolePolicies",
        "iam:DeleteRole iam:DeleteRolePolicy iam:ListAttachedRolePolicies iam:ListRolePolicies",
    ),
    "AWS::Lambda::Function": (
        "lambda:{region}:{account}:function:{FunctionName}",
        "lambda:CreateFunction lambda:GetFunction lambda:PutFunctionConcurrency lambda:TagResource "
        "lambda:GetFunctionCodeSigningConfig lambda:GetRuntimeManagementConfig lambda:GetFunctionRecursionConfig "
        "lambda:UpdateFunctionCode lambda:UpdateFunctionConfiguration lambda:ListTags",
        "lambda:DeleteFunction lambda:GetFunction",
    ),
    "AWS::Lambda::Version": (
        "lambda:{region}:{account}:function:{FunctionName}",
        "lambda:PublishVersion lambda:GetFunctionConfiguration lambda:ListVersionsByFunction",
        "lambda:DeleteFunction",
    ),
    "AWS::Lambda::Alias": (
        "lambda:{region}:{account}:function:{FunctionName}",
        "lambda:CreateAlias lambda:UpdateAlias lambda:GetAlias",
        "lambda:DeleteAlias",
    ),
    "AWS::Lambda::EventSourceMapping": (
        "lambda:{region}:{account}:event-source-mapping:id",
        "lambda:CreateEventSourceMapping lambda:GetEventSourceMapping lambda:UpdateEventSourceMapping",
        "lambda:DeleteEventSourceMapping lambda:GetEventSourceMapping",
    ),
    "AWS::Lambda::Permission": (
        "lambda:{region}:{account}:function:{FunctionName}",
        "lambda:AddPermission lambda:GetPolicy",
        "lambda:RemovePermission lambda:GetPolicy",
    ),
    "AWS::KinesisFirehose::DeliveryStream": (
        "firehose:{region}:{account}:deliverystream/{name}",
        "firehose:CreateDeliveryStream firehose:DescribeDeliveryStream firehose:ListTagsForDeliveryStream "
        "firehose:UpdateDestination firehose:TagDeliveryStream",
        "firehose:DeleteDeliveryStream firehose:DescribeDeliveryStream",
    ),
    "AWS::KMS::Key": (
        "kms:{region}:{account}:key/id",
        "kms:CreateKey kms:TagResource kms:DescribeKey kms:EnableKeyRotation kms:GetKeyRotationStatus "
        "kms:PutKeyPolicy kms:ListResourceTags",
        "kms:DescribeKey kms:ScheduleKeyDeletion",
    ),
    "AWS::SNS::Topic": (
        "sns:{region}:{account}:{TopicName}",
        "sns:CreateTopic sns:GetTopicAttributes sns:SetTopicAttributes sns:TagResource sns:ListTagsForResource "
        "sns:ListSubscriptionsByTopic sns:GetDataProtectionPolicy",
        "sns:DeleteTopic",
    ),
    "AWS::SNS::TopicPolicy": (
        "sns:{region}:{account}:{TopicName}",
        "sns:SetTopicAttributes",
        "sns:SetTopicAttributes",
    ),
    "AWS::SNS::Subscription": (
        "sns:{region}:{account}:{TopicName}",
        "sns:Subscribe sns:ListSubscriptionsByTopic sns:GetSubscriptionAttributes",
        "sns:Unsubscribe",
    ),
    "AWS::CloudWatch::Alarm": (
        "cloudwatch:{region}:{account}:alarm:{name}",
        "cloudwatch:PutMetricAlarm cloudwatch:DescribeAlarms cloudwatch:TagResource cloudwatch:ListTagsForResource",
        "cloudwatch:DeleteAlarms cloudwatch:DescribeAlarms",
    ),
    "AWS::CloudWatch::Dashboard": (
        "cloudwatch::{account}:dashboard/{DashboardName}",
        "cloudwatch:PutDashboard cloudwatch:GetDashboard",
        "cloudwatch:DeleteDashboards cloudwatch:GetDashboard",
    ),
    "AWS::WAFv2::WebACLAssociation": (
        "apigateway:{region}::/restapis/id/stages/v1",
        "wafv2:AssociateWebACL apigateway:SetWebACL",
        "wafv2:DisassociateWebACL apigateway:SetWebACL",
    ),
    **{
        f"AWS::ApiGateway::{kind}": (
            f"apigateway:{{region}}::/{path}",
            "apigateway:POST apigateway:PUT apigateway:PATCH apigateway:GET",
            "apigateway:DELETE apigateway:GET",
        )
        for kind, path in {
            "RestApi": "restapis",
            "GatewayResponse": "restapis/id/gatewayresponses",
            "Deployment": "restapis/id/deployments",
            "Stage": "restapis/id/stages",
            "RequestValidator": "restapis/id/requestvalidators",
            "Authorizer": "restapis/id/authorizers",
            "ApiKey": "apikeys",
            "UsagePlan": "usageplans",
            "UsagePlanKey": "usageplans/id/keys",
        }.items()
    },
}


def calls_of_function(properties):
    """What else the creation of a function asks for: its role is passed to Lambda, which reads the bundle."""
    code = properties["Code"]
    return [
        ("iam:PassRole", properties["Role"], {"iam:PassedToService": "lambda.amazonaws.com"}),
        ("s3:GetObject", f"arn:aws:s3:::{code['S3Bucket']}/{code['S3Key']}", {}),
    ]


def calls_of_delivery(properties):
    """What else the creation of a delivery stream asks for: Firehose gets the roles that read and write."""
    source, target = properties["KinesisStreamSourceConfiguration"], properties["ExtendedS3DestinationConfiguration"]
    passed = {"iam:PassedToService": "firehose.amazonaws.com"}
    return [("iam:PassRole", each["RoleARN"], passed) for each in (source, target)]


BESIDES = {"AWS::Lambda::Function": calls_of_function, "AWS::KinesisFirehose::DeliveryStream": calls_of_delivery}


def may(arn, action, resource, conditions):
    """Whether the user, role or session ``arn`` may do it by its own policies; the account's root may do everything."""
    if arn.endswith(":root"):
        return True
    account, name = arn.split(":")[4], arn.rpartition("/")[2]
    if ":assumed-role/" in arn:
        name = iam_evaluator._role_name_from_assumed_arn(arn)
    gather = iam_evaluator._gather_user_policies if ":user/" in arn else iam_evaluator._gather_role_policies
    context = iam_evaluator.EvalContext(
        principal_arn=arn,
        principal_type="AssumedRole",
        principal_account=account,
        action=action,
        resource_arn=resource,
        region=get_region(),
        secure_transport=True,
        service_context={key.lower(): value for key, value in conditions.items()},
    )
    return iam_evaluator.evaluate(context, gather(name, account)).decision == "Allow"


def resource_of(stack_name, logical_id, kind, properties):
    """The ARN of a resource of a template, as far as it is known before the resource is there."""
    name = properties.get("RoleName") or f"{stack_name}-{logical_id}-0123456789AB"
    words = {key: value.rpartition("/")[2] for key, value in properties.items() if isinstance(value, str)}
    # An ARN, or a name with a qualifier.
    words["FunctionName"] = words.get("FunctionName", "").rpartition(":function:")[2].partition(":")[0]
    for topic in [*properties.get("Topics", []), properties.get("TopicArn", "")]:
        words.setdefault("TopicName", topic.rpartition(":")[2])
    words["LogGroupName"] = properties.get("LogGroupName")
    words |= {"region": get_region(), "account": get_account_id(), "name": properties.get("Path", "/")[1:] + name}
    return "arn:aws:" + TYPES[kind][0].format_map(words)


def conditions_of(properties):
    """The condition keys that the calls for a resource carry."""
    listed = properties.get("Tags") or []
    tags = {each["Key"]: each["Value"] for each in listed} if isinstance(listed, list) else listed
    function = properties.get("FunctionName", "").rpartition(":function:")[2]
    return {
        "iam:PermissionsBoundary": properties.get("PermissionsBoundary", ""),
        "lambda:FunctionArn": f"arn:aws:lambda:{get_region()}:{get_account_id()}:function:{function}",
        **{f"aws:RequestTag/{key}": value for key, value in tags.items()},
        **{f"aws:ResourceTag/{key}": value for key, value in tags.items()},
    }


def check(stack_name, logical_id, kind, properties, *, deletes=False):
    """Raise unless the stack's role may make the calls."""
    role = ROLES.get(stack_name)
    if role is None:
        return
    if kind not in TYPES:
        raise ValueError(
            f"{kind} is not in include/local/aws/ministack_program/stack_role.py: add the calls of its handler"
        )
    resource, conditions = resource_of(stack_name, logical_id, kind, properties), conditions_of(properties)
    calls = [(action, resource, conditions) for action in TYPES[kind][2 if deletes else 1].split()]
    if kind in BESIDES and not deletes:
        calls += BESIDES[kind](properties)
    for action, of, given in calls:
        if not may(role, action, of, given):
            raise ValueError(f"{role} is not authorized to perform: {action} on resource: {of}")


# Stack -> the role that it was last deployed with; as on AWS, it stays until another one is named.
ROLES = {}
create_change_set = changesets._create_change_set


def create_change_set_as_role(parameters):
    role, caller = changesets._p(parameters, "RoleARN"), iam_evaluator.caller_arn()
    if not role:
        return create_change_set(parameters)
    if not may(caller, "iam:PassRole", role, {"iam:PassedToService": "cloudformation.amazonaws.com"}):
        message = f"User: {caller} is not authorized to perform: iam:PassRole on resource: {role}"
        return changesets._error("AccessDenied", message, 403)
    known = iam._roles.get(role.rpartition("/")[2])
    if known is None or '"cloudformation.amazonaws.com"' not in known["AssumeRolePolicyDocument"]:
        return changesets._error("ValidationError", f"Role {role} is invalid or cannot be assumed")
    answer = create_change_set(parameters)
    ROLES[changesets._p(parameters, "StackName")] = role
    return answer


provision, update, delete = stacks._provision_resource, stacks._update_resource, stacks._delete_resource


def provision_as_role(kind, logical_id, properties, stack_name):
    check(stack_name, logical_id, kind, properties)
    return provision(kind, logical_id, properties, stack_name)


def update_as_role(kind, physical_id, old, new, stack_name, logical_id=None, *attributes):
    if old != new:
        check(stack_name, logical_id, kind, new)
    return update(kind, physical_id, old, new, stack_name, logical_id, *attributes)


def delete_as_role(kind, physical_id, properties, stack_name=None, logical_id=None):
    check(stack_name, logical_id, kind, properties, deletes=True)
    return delete(kind, physical_id, properties, stack_name, logical_id)


stacks._provision_resource, stacks._update_resource = provision_as_role, update_as_role
stacks._delete_resource = delete_as_role
handlers._ACTION_HANDLERS["CreateChangeSet"] = create_change_set_as_role

role_of_template = provisioners._RESOURCE_HANDLERS["AWS::IAM::Role"]
for moment in ("create", "update"):

    def with_boundary(*given, make=role_of_template[moment], properties_at={"create": 1, "update": 2}[moment]):
        name, attributes = make(*given)
        iam._roles[name]["PermissionsBoundary"] = given[properties_at].get("PermissionsBoundary")
        return name, attributes

    role_of_template[moment] = with_boundary
