-- +goose Up
ALTER TABLE rules ADD COLUMN note TEXT NOT NULL DEFAULT ''; -- why it was put in force

-- Edited rules, tried on what is stored before anybody puts them in force.
CREATE TABLE rule_trials (
  id      TEXT PRIMARY KEY,
  state   TEXT NOT NULL CHECK (state IN ('waiting', 'done', 'failed')),
  rules   TEXT NOT NULL, -- alarms.Rules, JSON
  back    BIGINT NOT NULL, -- ns of the past, at most
  why     TEXT NOT NULL DEFAULT '', -- it failed
  report  TEXT NOT NULL DEFAULT '', -- gate.RuleReport, JSON
  at      BIGINT NOT NULL, -- wall, Unix ns: asked for
  by_whom TEXT NOT NULL
);

-- +goose Down
DROP TABLE rule_trials;
ALTER TABLE rules DROP COLUMN note;
