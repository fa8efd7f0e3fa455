-- +goose Up
-- Notifications; all times are wall time, Unix ns.
CREATE TABLE notify_offsets (
  part INTEGER PRIMARY KEY, -- of the topic alarms
  next BIGINT NOT NULL
);

-- An alarm that is told again, to others, if nobody has acknowledged it by then.
CREATE TABLE notify_escalations (
  alarm  TEXT NOT NULL,
  rule   TEXT NOT NULL,
  due    BIGINT NOT NULL,
  item   TEXT NOT NULL, -- notify.Item, JSON
  PRIMARY KEY (alarm, rule)
);

-- What has been decided: one row a thing told to a target, once for ever.
CREATE TABLE notify_items (
  id       TEXT PRIMARY KEY, -- hash of alarm, event, target
  delivery TEXT NOT NULL,
  item     TEXT NOT NULL,
  at       BIGINT NOT NULL
);
CREATE INDEX notify_items_of ON notify_items (delivery, at);

-- One message: an alarm, or a digest of several.
CREATE TABLE notify_deliveries (
  id       TEXT PRIMARY KEY, -- Idempotency-Key, and Message-ID before the @
  target   TEXT NOT NULL,
  kind     TEXT NOT NULL, -- alarm, escalation, digest, test
  created  BIGINT NOT NULL,
  due      BIGINT NOT NULL, -- next try
  state    TEXT NOT NULL CHECK (state IN ('waiting', 'sending', 'sent', 'failed')),
  holder   TEXT NOT NULL DEFAULT '', -- who sends it
  tries    INTEGER NOT NULL DEFAULT 0,
  unsure   INTEGER NOT NULL DEFAULT 0, -- tries after which the server may have taken it
  error    TEXT NOT NULL DEFAULT '',
  sent     BIGINT NOT NULL DEFAULT 0,
  subject  TEXT NOT NULL DEFAULT ''
);
CREATE INDEX notify_waiting ON notify_deliveries (state, due);
CREATE INDEX notify_newest ON notify_deliveries (created);

-- Who decides and sends: one of a cluster.
CREATE TABLE notify_lease (
  one    INTEGER PRIMARY KEY CHECK (one = 1),
  holder TEXT NOT NULL,
  until  BIGINT NOT NULL
);

-- +goose Down
DROP TABLE notify_lease;
DROP TABLE notify_deliveries;
DROP TABLE notify_items;
DROP TABLE notify_escalations;
DROP TABLE notify_offsets;
