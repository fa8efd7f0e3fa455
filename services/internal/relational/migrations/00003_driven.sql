-- +goose Up
-- When a message in quarantine was sent again, and by whom.
CREATE TABLE driven (
  id      TEXT NOT NULL,
  at      BIGINT NOT NULL, -- wall
  by_whom TEXT NOT NULL
);
CREATE INDEX driven_of ON driven (id, at);

-- +goose Down
DROP TABLE driven;
