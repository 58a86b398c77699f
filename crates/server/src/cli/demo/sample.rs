//! Made-up companies and people: contacts with three, two and one client, and one contact for each way in
//! which the rule refuses.

use procura_store::change::Entity;
use procura_store::fields::{Invalid, Row};
use procura_store::journal::{Missed, RefusalCause};

use super::certificates::PARTNER;
use super::proofs;

/// The partner's program.
pub(super) const APPLICATION: &str = "app_k7mq2vd4";

/// The program of the same partner that proves itself by a certificate alone.
pub(super) const BY_CERTIFICATE: &str = "app_n5tx3wqj";

/// A contact that it can act for.
pub(super) const OF_BY_CERTIFICATE: &str = "CON2001";

/// An API beside the server's own, for whoever tries out a guard.
pub(super) const PAYMENTS: &str = "https://payments.example";

/// Before anybody runs the demo.
const LONG_AGO: &str = "2021-07-01T00:00:00Z";
/// After.
const FAR_OFF: &str = "2099-01-01T00:00:00Z";

/// A contact that gets a token, and the clients it will list.
pub(super) struct Allowed {
    pub(super) contact: &'static str,
    pub(super) clients: &'static [&'static str],
}

/// The first has three clients.
pub(super) const ALLOWED: &[Allowed] = &[
    Allowed { contact: "CON2001", clients: &["CLI1001", "CLI1002", "CLI1003"] },
    Allowed { contact: "CON2002", clients: &["CLI1004", "CLI1005"] },
    Allowed { contact: "CON2003", clients: &["CLI1006"] },
    Allowed { contact: "CON2004", clients: &["CLI1007"] },
];

/// A contact that gets none, and the code under which the journal and `audit explain` tell why.
pub(super) struct Refused {
    pub(super) contact: &'static str,
    pub(super) why: &'static str,
}

const fn cause(contact: &'static str, cause: RefusalCause) -> Refused {
    Refused { contact, why: cause.name() }
}

const fn missed(contact: &'static str, missed: Missed) -> Refused {
    Refused { contact, why: missed.name() }
}

/// One for each way.
pub(super) const REFUSED: &[Refused] = &[
    cause("CON3000", RefusalCause::UnknownContact),
    cause("CON3001", RefusalCause::DisabledContact),
    cause("CON3002", RefusalCause::NoMandate),
    missed("CON3003", Missed::MandateSuspended),
    missed("CON3004", Missed::MandateNotYet),
    missed("CON3005", Missed::MandateOver),
    missed("CON3006", Missed::ClientInactive),
    missed("CON3007", Missed::NoTrust),
    missed("CON3008", Missed::TrustWithdrawn),
    missed("CON3009", Missed::TrustNotYet),
    missed("CON3010", Missed::TrustOver),
    missed("CON3011", Missed::NotCovered),
];

type Pairs = &'static [(&'static str, &'static str)];

const CLIENTS: &[Pairs] = &[
    &[("client_id", "CLI1001"), ("client_name", "Panadería Sol de Levante S.L."), ("city", "Alcoy")],
    &[("client_id", "CLI1002"), ("client_name", "Nordwall Werkzeugbau GmbH"), ("city", "Görlitz")],
    &[("client_id", "CLI1003"), ("client_name", "Αφοί Καραμπέτσου Ο.Ε."), ("city", "Βόλος")],
    &[("client_id", "CLI1004"), ("client_name", "みなと丸水産株式会社"), ("city", "釧路市")],
    &[("client_id", "CLI1005"), ("client_name", "Ceramika Bursztynowa Sp. z o.o."), ("city", "Łomża")],
    &[("client_id", "CLI1006"), ("client_name", "Fjällbäcks Åkeri AB"), ("city", "Östersund")],
    &[("client_id", "CLI1007"), ("client_name", "Калинова Пасіка ТОВ"), ("city", "Чернівці")],
    &[
        ("client_id", "CLI1008"),
        ("client_name", "Brasserie des Trois Écluses SARL"),
        ("city", "Béthune"),
        ("status", "Closed"),
    ],
    &[("client_id", "CLI1009"), ("client_name", "مؤسسة واحة النخيل للتجارة"), ("city", "العين")],
    &[("client_id", "CLI1010"), ("client_name", "Quinta do Vale Fundo, Lda."), ("city", "Lamego")],
    &[("client_id", "CLI1011"), ("client_name", "Waterland Bloembollen B.V."), ("city", "Hillegom")],
    &[("client_id", "CLI1012"), ("client_name", "Cartiera del Ponte S.r.l."), ("city", "Fabriano")],
];

const CONTACTS: &[Pairs] = &[
    &[("contact_id", "CON2001"), ("name", "Lucía Ferrándiz"), ("language", "es"), ("country_code", "ES")],
    &[("contact_id", "CON2002"), ("name", "小野寺 澄子"), ("language", "ja"), ("country_code", "JP")],
    &[("contact_id", "CON2003"), ("name", "Åsa Lindqvist"), ("language", "sv"), ("country_code", "SE")],
    &[("contact_id", "CON2004"), ("name", "Оксана Ткач"), ("language", "uk"), ("country_code", "UA")],
    &[("contact_id", "CON3001"), ("name", "Jürgen Vossberg"), ("status", "disabled")],
    &[("contact_id", "CON3002"), ("name", "Zofia Wilczak")],
    &[("contact_id", "CON3003"), ("name", "Ελένη Μαυρίδη")],
    &[("contact_id", "CON3004"), ("name", "Iker Zubiaurre")],
    &[("contact_id", "CON3005"), ("name", "Marta Kowalik")],
    &[("contact_id", "CON3006"), ("name", "Benoît Carlier")],
    &[("contact_id", "CON3007"), ("name", "سلمى الكعبي")],
    &[("contact_id", "CON3008"), ("name", "Inês Travassos")],
    &[("contact_id", "CON3009"), ("name", "Joost van der Meij")],
    &[("contact_id", "CON3010"), ("name", "Chiara Bellandi")],
    &[("contact_id", "CON3011"), ("name", "Тарас Бондаренко")],
];

const PAYER: &str = "can_manage_payments can_make_same_currency_payments can_trade";
const CLERK: &str = "can_manage_beneficiaries can_manage_payments";

const MANDATES: &[Pairs] = &[
    &[("contact_id", "CON2001"), ("client_id", "CLI1001"), ("permissions", PAYER)],
    &[("contact_id", "CON2001"), ("client_id", "CLI1002"), ("permissions", PAYER)],
    &[("contact_id", "CON2001"), ("client_id", "CLI1003"), ("permissions", CLERK)],
    &[("contact_id", "CON2002"), ("client_id", "CLI1004"), ("permissions", CLERK), ("until", FAR_OFF)],
    &[("contact_id", "CON2002"), ("client_id", "CLI1005")],
    &[("contact_id", "CON2003"), ("client_id", "CLI1006"), ("permissions", PAYER), ("from", LONG_AGO)],
    // Also a client that is closed: it does not appear in the token.
    &[("contact_id", "CON2003"), ("client_id", "CLI1008"), ("permissions", PAYER)],
    &[("contact_id", "CON2004"), ("client_id", "CLI1007"), ("permissions", CLERK)],
    &[("contact_id", "CON3001"), ("client_id", "CLI1001"), ("permissions", PAYER)],
    &[("contact_id", "CON3003"), ("client_id", "CLI1003"), ("permissions", PAYER), ("status", "suspended")],
    &[("contact_id", "CON3004"), ("client_id", "CLI1001"), ("permissions", PAYER), ("from", FAR_OFF)],
    &[("contact_id", "CON3005"), ("client_id", "CLI1005"), ("permissions", PAYER), ("until", LONG_AGO)],
    &[("contact_id", "CON3006"), ("client_id", "CLI1008"), ("permissions", PAYER)],
    &[("contact_id", "CON3007"), ("client_id", "CLI1009"), ("permissions", PAYER)],
    &[("contact_id", "CON3008"), ("client_id", "CLI1010"), ("permissions", PAYER)],
    &[("contact_id", "CON3009"), ("client_id", "CLI1011"), ("permissions", PAYER)],
    &[("contact_id", "CON3010"), ("client_id", "CLI1012"), ("permissions", PAYER)],
    &[("contact_id", "CON3011"), ("client_id", "CLI1007"), ("permissions", CLERK)],
];

/// Client, contacts, and what else differs from a plain trust in all contacts.
const TRUSTS: &[(&str, &str, Pairs)] = &[
    ("CLI1001", "*", &[]),
    ("CLI1002", "*", &[]),
    ("CLI1003", "*", &[]),
    ("CLI1004", "*", &[("until", FAR_OFF)]),
    ("CLI1005", "CON2002 CON3005", &[]),
    ("CLI1006", "*", &[("from", LONG_AGO)]),
    ("CLI1007", "CON2004", &[]),
    ("CLI1008", "*", &[]),
    ("CLI1010", "*", &[("status", "withdrawn")]),
    ("CLI1011", "*", &[("from", FAR_OFF)]),
    ("CLI1012", "*", &[("until", LONG_AGO)]),
];

/// Every row, in an order in which each names only what stands before it; `tls` adds what needs certificates.
pub(super) fn rows(tls: bool) -> Result<Vec<Row>, Invalid> {
    let resource = [("resource_id", PAYMENTS), ("name", "Quotes and payments")];
    let application = [
        ("application_id", APPLICATION),
        ("name", "Ledgerlark ERP"),
        ("trusted", "true"),
        ("status", "active"),
        ("resources", PAYMENTS),
    ];
    let mut rows = vec![Row::read(Entity::Resource, resource)?, Row::read(Entity::Application, application)?];
    if tls {
        let subject = format!("CN={PARTNER}");
        let by_certificate = [
            ("application_id", BY_CERTIFICATE),
            ("name", "Ledgerlark gateway"),
            ("trusted", "true"),
            ("status", "active"),
            ("auth_methods", "tls_client_auth"),
            ("certificate_subject_dn", &subject),
        ];
        rows.push(Row::read(Entity::Application, by_certificate)?);
    }
    for (entity, records) in
        [(Entity::Client, CLIENTS), (Entity::Contact, CONTACTS), (Entity::Mandate, MANDATES)]
    {
        for pairs in records {
            rows.push(Row::read(entity, pairs.iter().copied())?);
        }
    }
    for (client, contacts, more) in TRUSTS {
        let plain = [
            ("client_id", *client),
            ("application_id", APPLICATION),
            ("contacts", *contacts),
            ("ceiling", "all"),
            ("reason", "sample agreement of the demo"),
        ];
        rows.push(Row::read(Entity::Trust, plain.into_iter().chain(more.iter().copied()))?);
    }
    if tls {
        let trust = [
            ("client_id", "CLI1001"),
            ("application_id", BY_CERTIFICATE),
            ("contacts", OF_BY_CERTIFICATE),
            ("ceiling", "all"),
            ("reason", "sample agreement of the demo"),
        ];
        rows.push(Row::read(Entity::Trust, trust)?);
        rows.extend(proofs::rows()?);
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_one_that_the_directory_takes() {
        for (tls, more) in [(false, 0), (true, 16)] {
            let rows = rows(tls).unwrap();
            for row in &rows {
                row.applied_to(None).unwrap();
            }
            let plain = 2 + CLIENTS.len() + CONTACTS.len() + MANDATES.len() + TRUSTS.len();
            assert_eq!(rows.len(), plain + more);
        }
    }

    #[test]
    fn every_way_to_be_refused_that_depends_on_the_contact_alone_has_its_contact() {
        let told: Vec<&str> = REFUSED.iter().map(|refused| refused.why).collect();
        for missed in Missed::ALL {
            assert!(told.contains(&missed.name()), "{missed}");
        }
        for cause in [RefusalCause::UnknownContact, RefusalCause::DisabledContact, RefusalCause::NoMandate] {
            assert!(told.contains(&cause.name()), "{cause}");
        }
        let unknown = REFUSED[0].contact;
        assert!(!CONTACTS.iter().any(|contact| contact[0].1 == unknown), "{unknown} must not be there");
    }
}
