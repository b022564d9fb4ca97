-- The database and schema of all other objects.  Re-runnable: nothing is ever replaced.
create database if not exists {{ env }}ECOMMERCE_DATA
comment = 'What customers click and how trucks deliver it';

create schema if not exists {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY
comment = 'Telemetry of the delivery trucks, from landing to history';
