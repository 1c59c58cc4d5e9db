-- Tables of one namespace. {s} is the schema. Text is compared by bytes ("C"), which in UTF-8 is the order of code points.
-- Rows are keyed by a number that grows: random ids as keys would spread the writes over the whole table.
CREATE SCHEMA IF NOT EXISTS {s};

CREATE TABLE {s}.identity (
  layout int NOT NULL,
  namespace text NOT NULL,
  partitions int NOT NULL
);

-- One row per partition from the beginning: a commit locks the row, and a row that is missing cannot be locked.
CREATE TABLE {s}.fences (
  partition int PRIMARY KEY,
  epoch bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

CREATE TABLE {s}.instances (
  key bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  partition int NOT NULL,
  id text COLLATE "C" NOT NULL UNIQUE,
  version bigint NOT NULL,
  status smallint NOT NULL,
  name text COLLATE "C" NOT NULL,
  created_at bigint NOT NULL,
  completed_at bigint,
  history_length int NOT NULL,
  inbox_first int NOT NULL,
  metadata text NOT NULL,
  custom_status bytea -- a status may hold U+0000, which text may not
) WITH (fillfactor = 60); -- room for the next version of a row in its page: most commits then touch no index

CREATE INDEX instances_by_status ON {s}.instances (status, created_at, id);
CREATE INDEX instances_by_name ON {s}.instances (name, status, created_at, id);
CREATE INDEX instances_by_end ON {s}.instances (status, completed_at, id) WHERE completed_at IS NOT NULL;

CREATE TABLE {s}.history (
  key bigint,
  row int,
  event bytea NOT NULL,
  PRIMARY KEY (key, row)
);

CREATE TABLE {s}.inbox (
  key bigint,
  row int,
  message bytea NOT NULL,
  PRIMARY KEY (key, row)
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 5000);

CREATE TABLE {s}.activities (
  key bigint,
  seq bigint,
  generation bigint,
  request bytea NOT NULL,
  PRIMARY KEY (key, seq, generation)
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 5000);

-- due: nanoseconds as 21 digits. Clients send the year 9999, which 64 bits cannot hold.
CREATE TABLE {s}.reminders (
  key bigint,
  name text COLLATE "C",
  due text COLLATE "C" NOT NULL,
  instance_id text COLLATE "C" NOT NULL,
  partition int NOT NULL,
  data bytea NOT NULL,
  PRIMARY KEY (key, name)
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 5000);

CREATE INDEX reminders_by_due ON {s}.reminders (due, instance_id, name) INCLUDE (partition);
