-- +goose Up
-- What a device calls its readings: telemetry.Name by name, JSON.
ALTER TABLE devices ADD COLUMN names TEXT NOT NULL DEFAULT '{}';

-- +goose Down
ALTER TABLE devices DROP COLUMN names;
