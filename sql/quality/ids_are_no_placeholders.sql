-- name: ids_are_no_placeholders
-- severity: warn
-- owner: data-platform
-- meaning: A truck or item is called like a value that nobody set: NO_IMEI, unknown, null, N/A,
--   000000, 123456789012345, or a template's variable. Several devices may share that id.
-- action: Find the device by the partition key and arrival of its records (raw-archive/), and set
--   its id. Until then the readings of all such devices make one mixed history.
-- reads: truck_states, click_items
-- runbook: an-id-is-odd
with IDS as (
    select
        'truck' as KIND,
        TRUCK_ID as ID,
        regexp_replace(upper(TRUCK_ID), '[[:punct:][:space:]]', '') as CORE
    from STAGED_TRUCK_STATES

    union all

    select
        'item' as KIND,
        ITEM_ID as ID,
        regexp_replace(upper(ITEM_ID), '[[:punct:][:space:]]', '') as CORE
    from STAGED_CLICK_ITEMS
)

select KIND || ' ' || ID as SAMPLE_KEY
from IDS
where
    -- NO_IMEI, unknown truck, ${TRUCK_ID}, <device-id>
    regexp_replace(CORE, '^(NO|NOT|MISSING|INVALID|UNKNOWN|DEFAULT|EMPTY|TEST|MY|YOUR)', '') in (
        'ID', 'IMEI', 'VIN', 'SERIAL', 'SERIALNO', 'SERIALNUMBER', 'NAME', 'DEVICE', 'DEVICEID',
        'TRUCK', 'TRUCKID', 'VEHICLE', 'VEHICLEID', 'ITEM', 'ITEMID', 'PRODUCT', 'PRODUCTID'
    )
    -- null, N/A, [object Object]
    or CORE in (
        'NULL', 'NONE', 'NIL', 'NA', 'NAN', 'UNDEFINED', 'UNKNOWN', 'UNSET', 'UNNAMED', 'NOTSET',
        'NOTAVAILABLE', 'MISSING', 'INVALID', 'EMPTY', 'DEFAULT', 'TEST', 'TODO', 'TBD', 'CHANGEME',
        'EXAMPLE', 'DUMMY', 'DEMO', 'PLACEHOLDER', 'STRING', 'REF', 'OBJECTOBJECT', 'TRUE', 'FALSE',
        'DEADBEEF'
    )
    -- -, ??, ..., 0, -1, 000, xxx
    or ID rlike '[-_.?*#/]+'
    or ID = '-1'
    or CORE rlike '0+|X{3,}'
    -- FF:FF:FF:FF:FF:FF, 111111, 123456789012345, 987654. Shorter ones may be numbers of trucks.
    or (length(CORE) >= 6 and replace(CORE, left(CORE, 1), '') = '')
    or (length(CORE) >= 6 and contains('012345678901234567890123456789', CORE))
    or (length(CORE) >= 6 and contains('987654321098765432109876543210', CORE));
