\set ON_ERROR_STOP on
\conninfo
\d
\d health
\dv+ readings
SELECT count(*) > 0 AS rows FROM readings WHERE drill = 'RIG-07';
SELECT drill, frames > 0 AS some FROM drills;
PREPARE never AS SELECT 1;
