-- +goose Up
-- Times of equipment are event time, Unix ns; told is the process clock's.
CREATE TABLE sites (
  id      TEXT PRIMARY KEY,
  name    TEXT NOT NULL DEFAULT '',
  country TEXT NOT NULL DEFAULT ''
);

CREATE TABLE wells (
  id        TEXT PRIMARY KEY,
  name      TEXT NOT NULL DEFAULT '',
  site      TEXT NOT NULL DEFAULT '',
  drill     TEXT NOT NULL DEFAULT '', -- that drills it
  spudded   BIGINT NOT NULL DEFAULT 0,
  completed BIGINT NOT NULL DEFAULT 0
);

ALTER TABLE drills ADD COLUMN site TEXT NOT NULL DEFAULT '';
ALTER TABLE drills ADD COLUMN dogleg_limit REAL NOT NULL DEFAULT 0; -- degrees per 30 m; 0: none

CREATE TABLE parts (
  serial        TEXT PRIMARY KEY,
  kind          TEXT NOT NULL,
  maker         TEXT NOT NULL DEFAULT '',
  model         TEXT NOT NULL DEFAULT '',
  note          TEXT NOT NULL DEFAULT '',
  numbers       TEXT NOT NULL DEFAULT '{}', -- its geometry, JSON
  hours_before  REAL NOT NULL DEFAULT 0,
  metres_before REAL NOT NULL DEFAULT 0,
  by_whom       TEXT NOT NULL
);

-- Which part was where, from when to when; until 0: it is there.
CREATE TABLE runs (
  id       TEXT PRIMARY KEY,
  drill    TEXT NOT NULL,
  position TEXT NOT NULL,
  serial   TEXT NOT NULL REFERENCES parts (serial),
  since    BIGINT NOT NULL,
  until    BIGINT NOT NULL DEFAULT 0,
  reason   TEXT NOT NULL DEFAULT '',
  grade    TEXT NOT NULL DEFAULT '',
  told     BIGINT NOT NULL,
  by_whom  TEXT NOT NULL,
  UNIQUE (drill, position, since)
);
CREATE INDEX runs_of_part ON runs (serial, since);

CREATE TABLE maintenance (
  id        TEXT PRIMARY KEY,
  drill     TEXT NOT NULL,
  position  TEXT NOT NULL,
  at        BIGINT NOT NULL,
  activity  TEXT NOT NULL, -- ISO 14224 codes
  category  TEXT NOT NULL,
  mode      TEXT NOT NULL DEFAULT '',
  mechanism TEXT NOT NULL DEFAULT '',
  resets    BOOLEAN NOT NULL,
  note      TEXT NOT NULL DEFAULT '',
  told      BIGINT NOT NULL,
  by_whom   TEXT NOT NULL
);
CREATE INDEX maintenance_of ON maintenance (drill, at);

-- +goose Down
DROP TABLE maintenance;
DROP TABLE runs;
DROP TABLE parts;
ALTER TABLE drills DROP COLUMN dogleg_limit;
ALTER TABLE drills DROP COLUMN site;
DROP TABLE wells;
DROP TABLE sites;
