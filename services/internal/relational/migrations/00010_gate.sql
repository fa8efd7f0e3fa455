-- +goose Up
-- How each version stood the past, beside what it is to replace.
CREATE TABLE model_reports (
  name    TEXT NOT NULL,
  version INTEGER NOT NULL,
  state   TEXT NOT NULL CHECK (state IN ('waiting', 'done', 'failed')),
  verdict TEXT NOT NULL DEFAULT '', -- better, same, worse, untested
  why     TEXT NOT NULL DEFAULT '[]', -- JSON, what speaks against it
  report  TEXT NOT NULL DEFAULT '', -- gate.Report, JSON
  at      BIGINT NOT NULL, -- wall
  then_by TEXT NOT NULL DEFAULT '', -- who wants it on as soon as it has passed
  PRIMARY KEY (name, version)
);
ALTER TABLE models ADD COLUMN deprecated TEXT NOT NULL DEFAULT ''; -- why it is not to be put on any more
ALTER TABLE activations ADD COLUMN canary BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE activations ADD COLUMN reason TEXT NOT NULL DEFAULT ''; -- why it was put on against its report

-- What was really the matter, and when: failures, from where they begin to where the machine fails.
CREATE TABLE labels (
  drill   TEXT NOT NULL,
  kind    TEXT NOT NULL,
  from_ts BIGINT NOT NULL,
  to_ts   BIGINT NOT NULL,
  value   TEXT NOT NULL DEFAULT '',
  by_whom TEXT NOT NULL,
  at      BIGINT NOT NULL, -- wall
  PRIMARY KEY (drill, kind, from_ts, to_ts)
);

-- +goose Down
DROP TABLE labels;
ALTER TABLE activations DROP COLUMN reason;
ALTER TABLE activations DROP COLUMN canary;
ALTER TABLE models DROP COLUMN deprecated;
DROP TABLE model_reports;
