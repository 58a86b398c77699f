-- Revocations by request.

-- Of a mark on tokens of one application: the subject of a mark on that application.
ALTER TABLE mark ADD COLUMN application BLOB;

CREATE INDEX mark_on ON mark (subject);
CREATE INDEX mark_in ON mark (application, kind);

-- actor: a user number of the host; -1, the server; -2, an application; -3, a contact for whom an
-- application acted. subject: of a token that was revoked, the subject of its mark.
ALTER TABLE change ADD COLUMN actor_application INTEGER;
ALTER TABLE change ADD COLUMN actor_contact INTEGER;
ALTER TABLE change ADD COLUMN subject BLOB;
