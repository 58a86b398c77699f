-- Keys that tokens are bound to, and what an application may never do less than.

-- dpop_bound_access_tokens: 1 if every token of it is bound to a key, of which it sends a proof (RFC 9449 5.2).
-- profile: the code of procura_protocol::application_auth::Profile, at first standard.
ALTER TABLE application ADD COLUMN dpop_bound_access_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE application ADD COLUMN profile INTEGER NOT NULL DEFAULT 1;
