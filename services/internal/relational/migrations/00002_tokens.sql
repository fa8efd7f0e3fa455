-- +goose Up
ALTER TABLE sessions ADD COLUMN seen BIGINT NOT NULL DEFAULT 0; -- wall; 0: not since it began

-- Tokens of programs; only their SHA-256 is kept.
CREATE TABLE tokens (
  id      TEXT PRIMARY KEY,
  hash    TEXT NOT NULL UNIQUE,
  name    TEXT NOT NULL UNIQUE,
  role    TEXT NOT NULL CHECK (role IN ('viewer', 'operator', 'engineer', 'administrator')),
  created BIGINT NOT NULL, -- wall
  expires BIGINT NOT NULL, -- wall; 0: by hand
  seen    BIGINT NOT NULL DEFAULT 0, -- wall; 0: never used
  by_whom TEXT NOT NULL
);

-- +goose Down
DROP TABLE tokens;
ALTER TABLE sessions DROP COLUMN seen;
