"""The tables of the state database."""

from __future__ import annotations

SCHEMA_VERSION = 7
"""Raised with each change of the tables; a database of an earlier version is set aside."""

TABLES = """
CREATE TABLE IF NOT EXISTS inventory (
    directory TEXT, path TEXT, digest TEXT NOT NULL, agent TEXT NOT NULL, dialect TEXT NOT NULL, source TEXT NOT NULL,
    source_url TEXT NOT NULL, source_path TEXT NOT NULL, "commit" TEXT NOT NULL, blob TEXT NOT NULL,
    size INTEGER, mtime_ns INTEGER, ctime_ns INTEGER, inode TEXT, observed_ns INTEGER,
    PRIMARY KEY (directory, path)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sources (
    name TEXT, url TEXT, ref TEXT, "commit" TEXT NOT NULL,
    fetched_at REAL, applied_at REAL, rejected_commit TEXT NOT NULL, rejected_reason TEXT NOT NULL, error TEXT NOT NULL,
    committed_at REAL, verified_by TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (name, url, ref)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tips (
    name TEXT, url TEXT, ref TEXT, "commit" TEXT NOT NULL, first_at REAL NOT NULL, last_at REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS tips_by_source ON tips (name, url, ref);
CREATE TABLE IF NOT EXISTS syncs (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, started_at REAL NOT NULL, finished_at REAL,
    result TEXT NOT NULL, commits TEXT NOT NULL, counts TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS changes (
    sync_id TEXT NOT NULL REFERENCES syncs (id) ON DELETE CASCADE, directory TEXT NOT NULL, path TEXT NOT NULL,
    action TEXT NOT NULL, agent TEXT NOT NULL, target TEXT NOT NULL, old TEXT, new TEXT, base TEXT
);
CREATE INDEX IF NOT EXISTS changes_by_sync ON changes (sync_id);
CREATE TABLE IF NOT EXISTS intents (
    sync_id TEXT NOT NULL REFERENCES syncs (id), directory TEXT NOT NULL, path TEXT NOT NULL, action TEXT NOT NULL,
    agent TEXT NOT NULL, target TEXT NOT NULL, old TEXT, new TEXT, temp TEXT NOT NULL, recorded TEXT, base TEXT
);
CREATE INDEX IF NOT EXISTS intents_by_path ON intents (directory, path);
CREATE TABLE IF NOT EXISTS fingerprint (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS reported (diagnostic INTEGER PRIMARY KEY);
CREATE TABLE IF NOT EXISTS refused (
    source TEXT, path TEXT, target TEXT, since REAL NOT NULL, PRIMARY KEY (source, path, target)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS suspension (since REAL NOT NULL, reason TEXT NOT NULL);
"""
