-- +goose Up
-- What a target was told of an incident: later messages of it are replies to the first.
CREATE TABLE notify_threads (
  target   TEXT NOT NULL,
  incident TEXT NOT NULL, -- id of its first alarm
  kind     TEXT NOT NULL, -- escalation, or empty: all else
  first    TEXT NOT NULL, -- delivery
  priority INTEGER NOT NULL, -- the most urgent that was told
  at       BIGINT NOT NULL, -- wall, Unix ns: of the last message
  PRIMARY KEY (target, incident, kind)
);

-- +goose Down
DROP TABLE notify_threads;
