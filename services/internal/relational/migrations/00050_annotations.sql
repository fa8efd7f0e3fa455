-- +goose Up
-- What people wrote at a moment or a stretch of a drill's time.
CREATE TABLE annotations (
  id      TEXT PRIMARY KEY,
  drill   TEXT NOT NULL,
  from_ts BIGINT NOT NULL, -- event time, Unix ns
  to_ts   BIGINT NOT NULL, -- the same: a moment
  text    TEXT NOT NULL,
  by_whom TEXT NOT NULL,
  told    BIGINT NOT NULL -- process clock, Unix ns
);
CREATE INDEX annotations_by_drill ON annotations (drill, from_ts);
CREATE INDEX annotations_by_time ON annotations (from_ts);

-- +goose Down
DROP TABLE annotations;
