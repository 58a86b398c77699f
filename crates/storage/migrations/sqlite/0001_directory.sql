-- The directory. Narrow tables are read whole when a server starts; wide ones only for people.
--
-- Numbers are never used twice (AUTOINCREMENT). Statuses are 1 + the place in the list of
-- procura_store::fields::status, algorithms 1 + the place in Algorithm::ALL, times Unix seconds unless
-- the name says otherwise, permissions the bits of procura_protocol::permission.

CREATE TABLE fact (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- One row, written first by every change: whoever has it has the write lock.
CREATE TABLE version (
    one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    version INTEGER NOT NULL
) STRICT;

INSERT INTO version (one, version) VALUES (1, 0);

CREATE TABLE resource (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    status INTEGER NOT NULL,
    access_token_alg INTEGER NOT NULL,
    built_in INTEGER NOT NULL,
    name TEXT
) STRICT;

CREATE TABLE application (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    status INTEGER NOT NULL,
    trusted INTEGER NOT NULL,
    id_token_alg INTEGER NOT NULL,
    name TEXT
) STRICT;

-- Resources that an application has beside the built-in one.
CREATE TABLE application_resource (
    application_no INTEGER NOT NULL REFERENCES application (number),
    position INTEGER NOT NULL,
    resource_no INTEGER NOT NULL REFERENCES resource (number),
    PRIMARY KEY (application_no, position)
) STRICT, WITHOUT ROWID;

-- Live secrets of applications (owner 1) and resources (owner 6), as SHA-256.
CREATE TABLE secret (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    owner INTEGER NOT NULL,
    owner_no INTEGER NOT NULL,
    hash BLOB NOT NULL,
    created_at_ms INTEGER NOT NULL,
    expires_at_ms INTEGER
) STRICT;

CREATE INDEX secret_of ON secret (owner, owner_no);

CREATE TABLE client (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    status INTEGER NOT NULL,
    client_name TEXT NOT NULL
) STRICT;

CREATE TABLE client_detail (
    number INTEGER NOT NULL PRIMARY KEY REFERENCES client (number),
    brand_name TEXT,
    address_line_1 TEXT,
    address_line_2 TEXT,
    city TEXT,
    post_code TEXT,
    state_province TEXT
) STRICT;

CREATE TABLE contact (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    status INTEGER NOT NULL
) STRICT;

CREATE TABLE contact_detail (
    number INTEGER NOT NULL PRIMARY KEY REFERENCES contact (number),
    email_address TEXT,
    first_name TEXT,
    last_name TEXT,
    name TEXT,
    language TEXT,
    locale TEXT,
    time_zone TEXT,
    country_code TEXT,
    country_name TEXT,
    address_line_1 TEXT,
    address_line_2 TEXT,
    city TEXT,
    post_code TEXT,
    home_contact_number TEXT,
    mobile_contact_number TEXT,
    work_contact_number TEXT,
    password_reset_required INTEGER
) STRICT;

CREATE TABLE mandate (
    contact_no INTEGER NOT NULL REFERENCES contact (number),
    client_no INTEGER NOT NULL REFERENCES client (number),
    status INTEGER NOT NULL,
    permissions INTEGER NOT NULL,
    from_at INTEGER,
    until_at INTEGER,
    has_online_access INTEGER NOT NULL,
    PRIMARY KEY (contact_no, client_no)
) STRICT, WITHOUT ROWID;

CREATE INDEX mandate_over ON mandate (client_no);

-- contacts: absent for all, else their numbers, ascending, four bytes each, little end first. Numbers of
-- contacts that were removed may stay: nobody else ever gets them.
CREATE TABLE trust (
    application_no INTEGER NOT NULL REFERENCES application (number),
    client_no INTEGER NOT NULL REFERENCES client (number),
    status INTEGER NOT NULL,
    ceiling INTEGER NOT NULL,
    from_at INTEGER,
    until_at INTEGER,
    contacts BLOB,
    reason TEXT,
    PRIMARY KEY (application_no, client_no)
) STRICT, WITHOUT ROWID;

CREATE INDEX trust_of ON trust (client_no);

-- The names of numbers whose record was removed. Erasing deletes them.
CREATE TABLE former_name (
    entity INTEGER NOT NULL,
    number INTEGER NOT NULL,
    id TEXT NOT NULL,
    PRIMARY KEY (entity, number)
) STRICT, WITHOUT ROWID;

CREATE INDEX former_name_was ON former_name (entity, id);

CREATE TABLE signing_key (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    kid TEXT NOT NULL UNIQUE,
    algorithm INTEGER NOT NULL,
    purpose INTEGER NOT NULL,
    state INTEGER NOT NULL,
    announced_at INTEGER NOT NULL,
    signing_from INTEGER,
    retired_at INTEGER,
    gone_at INTEGER,
    sealed BLOB,
    public_jwk TEXT NOT NULL,
    endorsement TEXT
) STRICT;

-- Revocations. Numbered so that readers can say how far they know.
CREATE TABLE mark (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    kind INTEGER NOT NULL,
    subject BLOB NOT NULL,
    number INTEGER NOT NULL,
    client_no INTEGER NOT NULL,
    version INTEGER NOT NULL,
    keep_until INTEGER NOT NULL
) STRICT;

CREATE INDEX mark_since ON mark (version);

-- What readers apply, and the outbox of the journal. Actor: a user number of the host, or -1, the server.
CREATE TABLE change (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    version INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    actor INTEGER NOT NULL,
    entity INTEGER NOT NULL,
    action INTEGER NOT NULL,
    number INTEGER NOT NULL,
    client_no INTEGER NOT NULL,
    reason TEXT
) STRICT;
