"""Each role, by the calls that it must be able to make and by those beside them that it must not.

The table must have every role of the template, and the calls that work must use every action that a role is granted:
a new role and a new grant fail here until somebody says what they are for.
"""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from include import names
from tests.integration.least_privilege.calls import (
    BUCKET,
    DENIED,
    PREFIXES,
    Call,
    abort_upload,
    archive_reads,
    batch_get,
    batch_write,
    call,
    cases,
    delete,
    delete_item,
    function_logs,
    get,
    get_item,
    get_iterator,
    get_records,
    get_version,
    invoke,
    list_objects,
    mapping_reads,
    partiql,
    publish_alert,
    put,
    put_item,
    put_log_events,
    put_records,
    query,
    scan,
)

pytestmark = pytest.mark.integration

ARCHIVE_LOGS = "/aws/kinesisfirehose/raw-archive"


def archive_bucket(stream: str) -> list[Call]:
    """How Firehose writes."""
    return [
        call("s3", "get_bucket_location", BUCKET, Bucket=BUCKET),
        list_objects(f"{names.ARCHIVE_PREFIX}{stream}/"),
        call("s3", "list_multipart_uploads", BUCKET, Bucket=BUCKET, action="s3:ListBucketMultipartUploads"),
        put(f"{names.ARCHIVE_PREFIX}{stream}/2026/11/22/14/object.gz"),
        put(f"{names.ARCHIVE_ERROR_PREFIX}{stream}/processing-failed/2026/11/22/14/object"),
        abort_upload(f"{names.ARCHIVE_PREFIX}{stream}/2026/11/22/14/large.gz"),
        abort_upload(f"{names.ARCHIVE_ERROR_PREFIX}{stream}/processing-failed/2026/11/22/14/large"),
    ]


def archive_denied(stream: str, other: str) -> list[Call]:
    return [
        get_iterator(other),
        get_records(other),
        put_records(stream),
        put(f"{names.ARCHIVE_PREFIX}{other}/2026/11/22/14/object.gz"),
        put(f"{names.ARCHIVE_ERROR_PREFIX}{other}/processing-failed/object"),
        put(f"{names.LANDING_PREFIX}object"),
        put(f"{names.QUARANTINE_PREFIX}{stream}/object"),
        get(f"{names.ARCHIVE_PREFIX}{stream}/present"),
        delete(f"{names.ARCHIVE_PREFIX}{stream}/expendable"),
        delete(f"{names.ARCHIVE_ERROR_PREFIX}{stream}/expendable"),
        get_item(names.CLICK_TABLE),
        put_item(names.TRUCK_STATE_TABLE),
        invoke(names.CLICK_FUNCTION),
        invoke(names.TRUCK_FUNCTION),
        put_log_events(f"/aws/lambda/{names.ARCHIVE_FUNCTION}"),
    ]


def nowhere(*allowed: str) -> list[Call]:
    """Every prefix but ``allowed`` is neither written nor read, and nothing at all is deleted."""
    beside = [prefix for prefix in PREFIXES if prefix not in allowed]
    return [
        *(put(f"{prefix}object") for prefix in beside),
        *(get(f"{prefix}present") for prefix in PREFIXES),
        *(delete(f"{prefix}expendable") for prefix in PREFIXES),
    ]


# --- The table --------------------------------------------------------------------------------------------------------
# Role -> calls that its function's work needs.
WORKS: dict[str, list[Call]] = {
    "ClickFunctionRole": [
        *mapping_reads(names.CLICK_STREAM),
        batch_write(names.CLICK_TABLE),
        batch_write(names.CLICK_ITEM_TABLE),
        put(f"{names.QUARANTINE_PREFIX}{names.CLICK_STREAM}/2026/11/22/14/object.json"),
        put(f"{names.ON_FAILURE_PREFIX}mapping/shard/object"),
        list_objects(names.ON_FAILURE_PREFIX),
        *function_logs(names.CLICK_FUNCTION),
    ],
    "TruckFunctionRole": [
        *mapping_reads(names.TRUCK_STREAM),
        put_item(names.TRUCK_STATE_TABLE),
        partiql("Update", names.TRUCK_STATE_TABLE),
        put(f"{names.LANDING_PREFIX}2026/11/22/14/object.json.gz"),
        put(f"{names.QUARANTINE_PREFIX}{names.TRUCK_STREAM}/2026/11/22/14/object.json"),
        put(f"{names.ON_FAILURE_PREFIX}mapping/shard/object"),
        list_objects(names.ON_FAILURE_PREFIX),
        *function_logs(names.TRUCK_FUNCTION),
    ],
    "ApiFunctionRole": [
        put_records(names.TRUCK_STREAM),
        get_item(names.TRUCK_STATE_TABLE),
        batch_get(names.TRUCK_STATE_TABLE),
        scan(names.TRUCK_STATE_TABLE),
        get_item(names.API_CALLER_TABLE),
        *function_logs(names.API_FUNCTION),
    ],
    "IntakeFunctionRole": [
        get(f"{names.ON_FAILURE_PREFIX}present"),
        delete(f"{names.ON_FAILURE_PREFIX}expendable"),
        list_objects(names.ON_FAILURE_PREFIX),
        put(f"{names.QUARANTINE_PREFIX}{names.CLICK_STREAM}/2026/11/22/14/object.json"),
        put(f"{names.QUARANTINE_PREFIX}{names.TRUCK_STREAM}/2026/11/22/14/object.json"),
        put(f"{names.ABANDONED_PREFIX}object.json"),
        *function_logs(names.INTAKE_FUNCTION),
    ],
    "ArchiveFunctionRole": function_logs(names.ARCHIVE_FUNCTION),
    "ClickArchiveRole": [
        *archive_reads(names.CLICK_STREAM),
        *archive_bucket(names.CLICK_STREAM),
        call("lambda", "get_function_configuration", names.ARCHIVE_FUNCTION, FunctionName=names.ARCHIVE_FUNCTION),
        invoke(names.ARCHIVE_FUNCTION),
        put_log_events(ARCHIVE_LOGS, names.CLICK_STREAM),
    ],
    "TruckArchiveRole": [
        *archive_reads(names.TRUCK_STREAM),
        *archive_bucket(names.TRUCK_STREAM),
        call("lambda", "get_function_configuration", names.ARCHIVE_FUNCTION, FunctionName=names.ARCHIVE_FUNCTION),
        invoke(names.ARCHIVE_FUNCTION),
        put_log_events(ARCHIVE_LOGS, names.TRUCK_STREAM),
    ],
    "SnowflakeRole": [
        get(f"{names.LANDING_PREFIX}present"),
        get_version(f"{names.LANDING_PREFIX}present"),
        list_objects(names.LANDING_PREFIX),
        list_objects(f"{names.LANDING_PREFIX}2026/"),
        call("s3", "get_bucket_location", BUCKET, Bucket=BUCKET),
    ],
}

# Role -> calls beside its work.
REFUSED: dict[str, list[Call]] = {
    "ClickFunctionRole": [
        *nowhere(f"{names.QUARANTINE_PREFIX}{names.CLICK_STREAM}/", names.ON_FAILURE_PREFIX),
        batch_write(names.TRUCK_STATE_TABLE),
        *(each(names.CLICK_TABLE) for each in (get_item, query, scan, put_item, delete_item)),
        *(each(names.CLICK_ITEM_TABLE) for each in (get_item, scan, delete_item)),
        partiql("Select", names.CLICK_TABLE),
        partiql("Delete", names.CLICK_TABLE),
        get_iterator(names.TRUCK_STREAM),
        get_records(names.TRUCK_STREAM),
        put_records(names.CLICK_STREAM),
        invoke(names.CLICK_FUNCTION),
        invoke(names.TRUCK_FUNCTION),
        put_log_events(f"/aws/lambda/{names.TRUCK_FUNCTION}"),
        publish_alert(),
    ],
    "TruckFunctionRole": [
        *nowhere(names.LANDING_PREFIX, f"{names.QUARANTINE_PREFIX}{names.TRUCK_STREAM}/", names.ON_FAILURE_PREFIX),
        *(put_item(table) for table in (names.CLICK_TABLE, names.CLICK_ITEM_TABLE)),
        *(partiql("Update", table) for table in (names.CLICK_TABLE, names.CLICK_ITEM_TABLE)),
        *(each(names.TRUCK_STATE_TABLE) for each in (get_item, query, scan, delete_item, batch_write)),
        partiql("Select", names.TRUCK_STATE_TABLE),
        partiql("Delete", names.TRUCK_STATE_TABLE),
        get_iterator(names.CLICK_STREAM),
        get_records(names.CLICK_STREAM),
        put_records(names.TRUCK_STREAM),
        invoke(names.TRUCK_FUNCTION),
        invoke(names.API_FUNCTION),
        put_log_events(f"/aws/lambda/{names.CLICK_FUNCTION}"),
        publish_alert(),
    ],
    "ApiFunctionRole": [
        *nowhere(),
        put_records(names.CLICK_STREAM),
        get_iterator(names.TRUCK_STREAM),
        get_records(names.TRUCK_STREAM),
        *(each(names.TRUCK_STATE_TABLE) for each in (put_item, delete_item, batch_write)),
        *(each(names.API_CALLER_TABLE) for each in (put_item, delete_item, batch_write, batch_get, scan)),
        partiql("Update", names.TRUCK_STATE_TABLE),
        *(each(names.CLICK_TABLE) for each in (get_item, scan, put_item)),
        invoke(names.TRUCK_FUNCTION),
        put_log_events(f"/aws/lambda/{names.TRUCK_FUNCTION}"),
        publish_alert(),
    ],
    "IntakeFunctionRole": [
        *(put(f"{prefix}object") for prefix in PREFIXES if not prefix.startswith(names.QUARANTINE_PREFIX)),
        *(get(f"{prefix}present") for prefix in PREFIXES if prefix != names.ON_FAILURE_PREFIX),
        *(delete(f"{prefix}expendable") for prefix in PREFIXES if prefix != names.ON_FAILURE_PREFIX),
        get_item(names.CLICK_TABLE),
        put_item(names.TRUCK_STATE_TABLE),
        get_iterator(names.CLICK_STREAM),
        put_records(names.TRUCK_STREAM),
        invoke(names.CLICK_FUNCTION),
        invoke(names.INTAKE_FUNCTION),
        put_log_events(f"/aws/lambda/{names.CLICK_FUNCTION}"),
        publish_alert(),
    ],
    "ArchiveFunctionRole": [
        *nowhere(),
        list_objects(names.ARCHIVE_PREFIX),
        get_iterator(names.CLICK_STREAM),
        put_records(names.CLICK_STREAM),
        get_item(names.CLICK_TABLE),
        put_item(names.TRUCK_STATE_TABLE),
        invoke(names.ARCHIVE_FUNCTION),
        put_log_events(ARCHIVE_LOGS),
        put_log_events(f"/aws/lambda/{names.CLICK_FUNCTION}"),
        publish_alert(),
    ],
    "ClickArchiveRole": archive_denied(names.CLICK_STREAM, names.TRUCK_STREAM),
    "TruckArchiveRole": archive_denied(names.TRUCK_STREAM, names.CLICK_STREAM),
    "SnowflakeRole": [
        *(put(f"{prefix}object") for prefix in PREFIXES),
        *(delete(f"{prefix}expendable") for prefix in PREFIXES),
        *(get(f"{prefix}present") for prefix in PREFIXES if prefix != names.LANDING_PREFIX),
        get_version(f"{names.QUARANTINE_PREFIX}{names.TRUCK_STREAM}/present"),
        *(list_objects(prefix) for prefix in ("", "telemetry", *PREFIXES[1:])),
        get_iterator(names.TRUCK_STREAM),
        get_item(names.TRUCK_STATE_TABLE),
        invoke(names.TRUCK_FUNCTION),
        publish_alert(),
    ],
}


def test_every_role_of_the_template_is_in_the_table(account):
    assert account.roles == sorted(WORKS) == sorted(REFUSED)


@pytest.mark.parametrize("role", WORKS)
def test_every_granted_action_is_used_by_a_call_that_works(policies, role):
    assert policies[role] == {each.action for each in WORKS[role]}


@pytest.mark.parametrize(("role", "allowed"), cases(WORKS))
def test_role_can_do_its_work(filled, role, allowed):
    allowed.make(filled.as_role(role, allowed.service), filled)


@pytest.mark.parametrize(("role", "beside"), cases(REFUSED))
def test_role_is_denied_what_is_beside_its_work(filled, assert_root_gets_through, role, beside):
    with pytest.raises(ClientError) as refused:
        beside.make(filled.as_role(role, beside.service), filled)
    assert refused.value.response["Error"]["Code"] in DENIED
    assert_root_gets_through(filled, beside)
