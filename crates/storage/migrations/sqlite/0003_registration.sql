-- What applications prove themselves with, beside a secret.

-- auth_methods: the bits of procura_protocol::application_auth::AuthMethods, at first those of a secret.
-- certificate and assertion_audience: codes of SecondFactor and AssertionAudience, at first ignored and
-- issuer. assertion_alg: as other algorithms, absent where any but RS256 will do.
ALTER TABLE application ADD COLUMN auth_methods INTEGER NOT NULL DEFAULT 3;
ALTER TABLE application ADD COLUMN certificate INTEGER NOT NULL DEFAULT 1;
ALTER TABLE application ADD COLUMN certificate_bound_tokens INTEGER NOT NULL DEFAULT 1;
ALTER TABLE application ADD COLUMN certificate_subject_dn TEXT;
ALTER TABLE application ADD COLUMN certificate_san_dns TEXT;
ALTER TABLE application ADD COLUMN certificate_san_uri TEXT;
ALTER TABLE application ADD COLUMN certificate_san_ip TEXT;
ALTER TABLE application ADD COLUMN certificate_san_email TEXT;
ALTER TABLE application ADD COLUMN jwks_uri TEXT;
ALTER TABLE application ADD COLUMN assertion_audience INTEGER NOT NULL DEFAULT 1;
ALTER TABLE application ADD COLUMN assertion_alg INTEGER;

-- Secrets become one kind of credential. kind: the code of procura_store::credential::CredentialKind; what
-- was there is a secret. value: of a secret its SHA-256, of a certificate its DER, of a key its JWK in UTF-8.
-- Numbers go on where those of secrets ended.
DROP INDEX secret_of;
ALTER TABLE secret RENAME TO credential;
ALTER TABLE credential RENAME COLUMN hash TO value;
ALTER TABLE credential ADD COLUMN kind INTEGER NOT NULL DEFAULT 1;

CREATE INDEX credential_of ON credential (owner, owner_no);
