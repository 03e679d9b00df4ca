-- The tables of the SQLite ledger. `records` is the ledger itself, one row per record; the other
-- tables are views of it, written beside it under the column names Capsem's tools read. Capsem has
-- none for `rate_limits`, whose columns are those of the record.

CREATE TABLE IF NOT EXISTS records (
    seq    INTEGER PRIMARY KEY,
    at     TEXT NOT NULL,
    kind   TEXT NOT NULL,
    record TEXT NOT NULL
);

CREATE TABLE IF NOT EXISTS net_events (
    id                    INTEGER PRIMARY KEY,
    event_id              TEXT NOT NULL,
    timestamp             TEXT NOT NULL,
    domain                TEXT NOT NULL,
    port                  INTEGER NOT NULL DEFAULT 443,
    decision              TEXT NOT NULL,
    process_name          TEXT,
    pid                   INTEGER,
    method                TEXT,
    path                  TEXT,
    query                 TEXT,
    status_code           INTEGER,
    bytes_sent            INTEGER NOT NULL DEFAULT 0,
    bytes_received        INTEGER NOT NULL DEFAULT 0,
    duration_ms           INTEGER NOT NULL DEFAULT 0,
    matched_rule          TEXT,
    request_headers       TEXT,
    response_headers      TEXT,
    request_body_preview  TEXT,
    response_body_preview TEXT,
    conn_type             TEXT NOT NULL DEFAULT 'https',
    policy_mode           TEXT,
    policy_action         TEXT,
    policy_rule           TEXT,
    policy_reason         TEXT,
    trace_id              TEXT,
    turn_id               TEXT,
    credential_ref        TEXT
);

CREATE TABLE IF NOT EXISTS model_calls (
    id                    INTEGER PRIMARY KEY,
    event_id              TEXT NOT NULL,
    timestamp             TEXT NOT NULL,
    provider              TEXT NOT NULL,
    protocol              TEXT,
    model                 TEXT,
    process_name          TEXT,
    pid                   INTEGER,
    method                TEXT NOT NULL,
    path                  TEXT NOT NULL,
    stream                INTEGER NOT NULL DEFAULT 0,
    system_prompt_preview TEXT,
    messages_count        INTEGER,
    tools_count           INTEGER,
    request_bytes         INTEGER NOT NULL DEFAULT 0,
    request_body_preview  TEXT,
    message_id            TEXT,
    status_code           INTEGER,
    text_content          TEXT,
    thinking_content      TEXT,
    stop_reason           TEXT,
    input_tokens          INTEGER,
    output_tokens         INTEGER,
    duration_ms           INTEGER NOT NULL DEFAULT 0,
    response_bytes        INTEGER NOT NULL DEFAULT 0,
    estimated_cost_usd    REAL,
    trace_id              TEXT,
    turn_id               TEXT,
    usage_details         TEXT,
    credential_ref        TEXT
);

CREATE TABLE IF NOT EXISTS tool_calls (
    id               INTEGER PRIMARY KEY,
    event_id         TEXT NOT NULL,
    timestamp        TEXT NOT NULL,
    model_call_id    INTEGER REFERENCES model_calls (id),
    provider         TEXT NOT NULL,
    status           TEXT NOT NULL,
    call_index       INTEGER NOT NULL,
    call_id          TEXT,
    tool_name        TEXT,
    arguments        TEXT,
    response_preview TEXT,
    origin           TEXT NOT NULL DEFAULT 'native',
    transport        TEXT NOT NULL DEFAULT 'unknown',
    server_name      TEXT,
    method           TEXT,
    request_id       TEXT,
    decision         TEXT NOT NULL DEFAULT 'allowed',
    duration_ms      INTEGER NOT NULL DEFAULT 0,
    error_message    TEXT,
    process_name     TEXT,
    bytes_sent       INTEGER NOT NULL DEFAULT 0,
    bytes_received   INTEGER NOT NULL DEFAULT 0,
    policy_mode      TEXT,
    policy_action    TEXT,
    policy_rule      TEXT,
    policy_reason    TEXT,
    trace_id         TEXT,
    turn_id          TEXT,
    credential_ref   TEXT
);

CREATE TABLE IF NOT EXISTS tool_responses (
    id              INTEGER PRIMARY KEY,
    model_call_id   INTEGER NOT NULL REFERENCES model_calls (id),
    call_id         TEXT,
    content_preview TEXT,
    is_error        INTEGER,
    trace_id        TEXT,
    turn_id         TEXT,
    credential_ref  TEXT
);

CREATE TABLE IF NOT EXISTS rate_limits (
    id             INTEGER PRIMARY KEY,
    event_id       TEXT NOT NULL,
    timestamp      TEXT NOT NULL,
    provider       TEXT NOT NULL,
    source         TEXT NOT NULL,
    plan           TEXT,
    limit_name     TEXT NOT NULL,
    limit_value    REAL,
    remaining      REAL,
    used_percent   REAL,
    window_minutes INTEGER,
    resets_at      TEXT,
    resets_in_ms   INTEGER,
    status         TEXT
);

CREATE INDEX IF NOT EXISTS net_events_by_event ON net_events (event_id);
CREATE INDEX IF NOT EXISTS model_calls_by_event ON model_calls (event_id);
CREATE INDEX IF NOT EXISTS tool_calls_of_model_call ON tool_calls (model_call_id);
CREATE INDEX IF NOT EXISTS rate_limits_by_event ON rate_limits (event_id);
CREATE INDEX IF NOT EXISTS tool_responses_of_model_call ON tool_responses (model_call_id);
