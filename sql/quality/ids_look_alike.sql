-- name: ids_look_alike
-- severity: warn
-- owner: data-platform
-- meaning: Two or more ids of trucks or items look the same and are different: in upper and lower
--   case, accents, full width, invisible characters, or letters of another alphabet. Each has a
--   history of its own. The sample spells out what is not ASCII.
-- action: Find out if they are one truck or item. If so, let its device send one spelling; the
--   history of the other stays until it is erased (truck), or ages out (item).
-- reads: truck_states, click_items
-- runbook: an-id-is-odd
with IDS as (
    select
        'truck' as KIND,
        SPELLED_OUT,
        LOOKS_LIKE
    from STAGED_TRUCK_STATES

    union all

    select
        'item' as KIND,
        SPELLED_OUT,
        LOOKS_LIKE
    from STAGED_CLICK_ITEMS
)

select
    KIND || ' ' || listagg('"' || SPELLED_OUT || '"', ' ') within group (order by SPELLED_OUT)
        as SAMPLE_KEY
from IDS
group by KIND, LOOKS_LIKE
having count(*) > 1;
