-- +goose Up
-- Times are Unix nanoseconds: "wall" ones are wall time, the others the process clock's.
CREATE TABLE facts (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
);

CREATE TABLE users (
  name     TEXT PRIMARY KEY,
  role     TEXT NOT NULL CHECK (role IN ('viewer', 'operator', 'engineer', 'administrator')),
  disabled BOOLEAN NOT NULL DEFAULT FALSE,
  created  BIGINT NOT NULL, -- wall
  by_whom  TEXT NOT NULL
);

-- One-time secrets of sign-in links; only their SHA-256 is kept.
CREATE TABLE invitations (
  hash    TEXT PRIMARY KEY,
  name    TEXT NOT NULL,
  role    TEXT NOT NULL,
  expires BIGINT NOT NULL, -- wall
  by_whom TEXT NOT NULL
);

CREATE TABLE sessions (
  hash    TEXT PRIMARY KEY,
  name    TEXT NOT NULL REFERENCES users (name) ON DELETE CASCADE,
  created BIGINT NOT NULL, -- wall
  expires BIGINT NOT NULL, -- wall
  agent   TEXT NOT NULL
);
CREATE INDEX sessions_of_user ON sessions (name);

-- A row is written before the change it tells of, and completed after: status 0
-- is a change that was under way when the process ended.
CREATE TABLE audit (
  id      INTEGER PRIMARY KEY AUTOINCREMENT,
  at      BIGINT NOT NULL, -- wall
  by_whom TEXT NOT NULL,
  role    TEXT NOT NULL,
  action  TEXT NOT NULL,
  subject TEXT NOT NULL,
  detail  TEXT NOT NULL DEFAULT '',
  remote  TEXT NOT NULL DEFAULT '',
  status  INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE drills (
  id         TEXT PRIMARY KEY,
  name       TEXT NOT NULL DEFAULT '',
  field      TEXT NOT NULL DEFAULT '',
  contractor TEXT NOT NULL DEFAULT '',
  bit_diameter_m REAL NOT NULL DEFAULT 0
);

CREATE TABLE devices (
  id       TEXT PRIMARY KEY,
  drill    TEXT NOT NULL,
  password TEXT NOT NULL, -- argon2id, PHC string
  created  BIGINT NOT NULL,
  by_whom  TEXT NOT NULL
);

CREATE TABLE channels (
  tag     TEXT PRIMARY KEY,
  channel TEXT NOT NULL, -- telemetry.Channel, JSON
  created BIGINT NOT NULL,
  by_whom TEXT NOT NULL
);

CREATE TABLE models (
  name     TEXT NOT NULL,
  version  INTEGER NOT NULL,
  sha256   TEXT NOT NULL,
  size     BIGINT NOT NULL,
  uploaded BIGINT NOT NULL,
  by_whom  TEXT NOT NULL,
  about    TEXT NOT NULL, -- models.About, JSON
  PRIMARY KEY (name, version),
  UNIQUE (name, sha256)
);

-- Every switch, in order; the last per (kind, name, shadow) says what is on.
CREATE TABLE activations (
  seq     INTEGER PRIMARY KEY AUTOINCREMENT,
  id      TEXT NOT NULL UNIQUE,
  kind    TEXT NOT NULL,
  name    TEXT NOT NULL,
  version INTEGER NOT NULL,
  shadow  BOOLEAN NOT NULL,
  action  TEXT NOT NULL,
  marker  TEXT NOT NULL -- telemetry.Marker, JSON
);
CREATE INDEX activations_of ON activations (kind, name, seq);

CREATE TABLE rules (
  version INTEGER PRIMARY KEY,
  sha256  TEXT NOT NULL, -- of what is in force: without limits where limits is false
  rules   TEXT NOT NULL, -- alarms.Rules, JSON, all of them
  limits  BOOLEAN NOT NULL,
  created BIGINT NOT NULL,
  by_whom TEXT NOT NULL
);

-- What is still to be written to the log, in order. done lists the partitions
-- of a marker that have it already.
CREATE TABLE outbox (
  seq   INTEGER PRIMARY KEY AUTOINCREMENT,
  kind  TEXT NOT NULL CHECK (kind IN ('marker', 'control')),
  key   TEXT NOT NULL,
  value BLOB,
  done  TEXT NOT NULL DEFAULT ''
);

-- +goose Down
DROP TABLE outbox;
DROP TABLE rules;
DROP TABLE activations;
DROP TABLE models;
DROP TABLE channels;
DROP TABLE devices;
DROP TABLE drills;
DROP TABLE audit;
DROP TABLE sessions;
DROP TABLE invitations;
DROP TABLE users;
DROP TABLE facts;
