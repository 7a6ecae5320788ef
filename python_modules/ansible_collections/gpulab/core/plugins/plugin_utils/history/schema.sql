-- Version 1 of the history. A later version is a further file's worth of statements in history.py;
-- what stands here is never changed.
CREATE TABLE runs (
  run_id TEXT PRIMARY KEY,
  at TEXT NOT NULL,               -- when its first record was made, UTC; it orders the runs
  lab TEXT NOT NULL,
  verdict TEXT NOT NULL
) STRICT;

-- A node in a run, also one that left no record.
CREATE TABLE node_runs (
  run_id TEXT NOT NULL REFERENCES runs,
  node TEXT NOT NULL,
  place TEXT NOT NULL,
  verdict TEXT NOT NULL,
  reason TEXT NOT NULL,
  cohort TEXT NOT NULL,
  kinds TEXT NOT NULL,            -- kinds of parts that were looked for: "disk gpu nic node"
  PRIMARY KEY (run_id, node)
) STRICT;
CREATE INDEX node_runs_by_node ON node_runs (node);

CREATE TABLE parts (
  key TEXT PRIMARY KEY,           -- kind:what is engraved on it
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  serial TEXT NOT NULL,
  uuid TEXT NOT NULL
) STRICT;

-- Where a part was seen.
CREATE TABLE sightings (
  run_id TEXT NOT NULL REFERENCES runs,
  node TEXT NOT NULL,
  part TEXT NOT NULL REFERENCES parts (key),
  bdf TEXT NOT NULL,
  slot TEXT NOT NULL,
  PRIMARY KEY (run_id, node, part)
) STRICT;
CREATE INDEX sightings_by_part ON sightings (part);

-- All that did not pass, and a pass where the same check had not passed before.
CREATE TABLE findings (
  run_id TEXT NOT NULL REFERENCES runs,
  node TEXT NOT NULL,
  part TEXT NOT NULL,             -- its key, or empty: known by its node alone
  label TEXT NOT NULL,
  check_id TEXT NOT NULL,
  status TEXT NOT NULL,
  severity TEXT NOT NULL,
  told TEXT NOT NULL,
  action TEXT NOT NULL
) STRICT;
CREATE INDEX findings_by_part ON findings (part);
CREATE INDEX findings_by_run ON findings (run_id, node);

CREATE TABLE metrics (
  run_id TEXT NOT NULL REFERENCES runs,
  node TEXT NOT NULL,
  cohort TEXT NOT NULL,
  id TEXT NOT NULL,
  scope TEXT NOT NULL,
  unit TEXT NOT NULL,
  value REAL NOT NULL,
  outlier INTEGER NOT NULL,       -- 1: worse than its baseline by more than is usual
  passed INTEGER NOT NULL,        -- 1: the node's record passed or only warned
  PRIMARY KEY (run_id, node, id, scope)
) STRICT;
CREATE INDEX metrics_by_cohort ON metrics (cohort, id);

-- Each time that a node was taken in or out of service.
CREATE TABLE admissions (
  node TEXT NOT NULL,
  at TEXT NOT NULL,
  state TEXT NOT NULL,
  reason TEXT NOT NULL,
  run_id TEXT NOT NULL,           -- empty where a person did it
  actor TEXT NOT NULL,            -- the person; empty where a run did it
  PRIMARY KEY (node, at, state)
) STRICT;
