// The tables of a store, as `.schema` shows them. Internal to store/.
#pragma once

namespace syncline {

// Read by file(1) and by people: "SLst".
constexpr int store_application_id = 0x534c7374;
// Grows with each change of the tables, or of what the engine writes into them.
//   1  the first
//   2  quarantine; rows of the log may share their change's stamp (sync/recent_log.h)
//   3  keyspaces.frontier
constexpr int store_format = 3;

// What brings an older store up to this format.
constexpr const char* store_schema_since_2 = R"sql(
ALTER TABLE keyspaces ADD COLUMN
  frontier BLOB;             -- actors (varints) whose last change no other follows; NULL: any may be
)sql";
constexpr const char* store_schema_since_1 = R"sql(
CREATE TABLE quarantine (  -- leaves that fail their checksum, until they are written anew
  keyspace INTEGER NOT NULL,
  leaf BLOB NOT NULL,
  checksum INTEGER NOT NULL,
  PRIMARY KEY (keyspace, leaf)
) STRICT, WITHOUT ROWID;
)sql";

constexpr const char* store_schema = R"sql(
CREATE TABLE meta (  -- facts about the whole store
  name TEXT PRIMARY KEY,
  value ANY NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE keyspaces (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  hlc INTEGER NOT NULL,      -- greatest timestamp at its last commit
  writer INTEGER,            -- the actor (its number) that this store writes under
  leaves INTEGER NOT NULL,   -- how many are live
  context BLOB NOT NULL,     -- digest of the version: two little-endian words, low first
  state BLOB NOT NULL,       -- digest of all live dots, in the same way
  checksum INTEGER NOT NULL
) STRICT;

CREATE TABLE actors (  -- whom leaves and log name by number; with its counter the version
  keyspace INTEGER NOT NULL,
  number INTEGER NOT NULL,
  id BLOB NOT NULL,
  counter INTEGER NOT NULL,
  checksum INTEGER NOT NULL,
  PRIMARY KEY (keyspace, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE leaves (
  keyspace INTEGER NOT NULL,
  leaf BLOB NOT NULL,        -- the key in leaf order
  value BLOB NOT NULL,       -- its live dots
  checksum INTEGER NOT NULL,
  PRIMARY KEY (keyspace, leaf)
) STRICT, WITHOUT ROWID;

CREATE TABLE log (  -- recent changes, oldest first
  number INTEGER PRIMARY KEY,
  keyspace INTEGER NOT NULL,
  actor INTEGER NOT NULL,
  first INTEGER NOT NULL,    -- counter of its first row
  entry BLOB NOT NULL,
  checksum INTEGER NOT NULL
) STRICT;

CREATE TABLE staged (  -- chunks of passes that aren't complete
  number INTEGER PRIMARY KEY,
  keyspace INTEGER NOT NULL,
  chunk BLOB NOT NULL,
  checksum INTEGER NOT NULL
) STRICT;

CREATE TABLE tokens (  -- of updates that are not to be done twice, oldest first
  number INTEGER PRIMARY KEY,
  keyspace TEXT NOT NULL,    -- its name
  token BLOB NOT NULL,
  checksum INTEGER NOT NULL
) STRICT;
)sql";

}  // namespace syncline
