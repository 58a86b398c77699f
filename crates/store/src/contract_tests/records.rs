//! Adding, changing, switching off, removing, listing.

use procura_protocol::ids::ResourceId;

use super::{Harness, context, everything, get, key, put, row, small_world};
use crate::administration::{
    Add, Administration, BuiltIn, ChangeContext, Disable, Import, Line, ListQuery, Put, Refusal, Remove,
    Update,
};
use crate::change::Entity;
use crate::fields::{self, Invalid, ProfileConflict};

pub async fn what_was_put_is_there_whole(harness: &impl Harness) {
    let directory = harness.open();
    small_world(&directory).await;
    let contact = [
        ("contact_id", "ana"),
        ("email_address", "ana@example.com"),
        ("first_name", "Ana"),
        ("last_name", "Ñúñez"),
        ("name", "Ana Ñúñez"),
        ("status", "disabled"),
        ("language", "es"),
        ("locale", "es"),
        ("time_zone", "Europe/Madrid"),
        ("country_code", "ES"),
        ("country_name", "España"),
        ("address_line_1", "Calle 1"),
        ("address_line_2", "2º"),
        ("city", "Murcia"),
        ("post_code", "30001"),
        ("home_contact_number", "1"),
        ("mobile_contact_number", "2"),
        ("work_contact_number", "3"),
        ("password_reset_required", "true"),
    ];
    let client = [
        ("client_id", "acme"),
        ("client_name", "Acme"),
        ("brand_name", "Bank"),
        ("status", "Blocked"),
        ("address_line_1", "1"),
        ("address_line_2", "2"),
        ("city", "3"),
        ("post_code", "4"),
        ("state_province", "5"),
    ];
    let application = [
        ("application_id", "app_2"),
        ("name", "Two"),
        ("trusted", "true"),
        ("status", "disabled"),
        ("resources", "https://b.example/ https://a.example/"),
        ("id_token_alg", "EdDSA"),
        ("auth_methods", "client_secret_post private_key_jwt tls_client_auth"),
        ("certificate", "required"),
        ("certificate_bound_tokens", "false"),
        ("certificate_subject_dn", "CN=erp,O=Klapp,C=AT"),
        ("certificate_san_dns", ""),
        ("certificate_san_uri", ""),
        ("certificate_san_ip", ""),
        ("certificate_san_email", ""),
        ("jwks_uri", "https://partner.example/jwks"),
        ("assertion_audience", "endpoint"),
        ("assertion_alg", "RS256"),
        ("dpop_bound_access_tokens", "true"),
        ("profile", "standard"),
    ];
    let mandate = [
        ("contact_id", "ana"),
        ("client_id", "acme"),
        ("permissions", "can_authorise_payments can_trade"),
        ("from", "2025-01-01T00:00:00Z"),
        ("until", "2027-01-01T00:00:00Z"),
        ("status", "suspended"),
        ("has_online_access", "true"),
    ];
    let trust = [
        ("client_id", "acme"),
        ("application_id", "app_2"),
        ("contacts", "ana con"),
        ("ceiling", "all can_manage_contacts"),
        ("from", "2025-01-01T00:00:00Z"),
        ("until", "2027-01-01T00:00:00Z"),
        ("status", "withdrawn"),
        ("reason", "signed agreement"),
    ];
    let resource =
        |id| [("resource_id", id), ("name", "API"), ("status", "active"), ("access_token_alg", "PS256")];
    let (a, b) = (resource("https://a.example/"), resource("https://b.example/"));
    let rows: [(Entity, &[(&str, &str)]); 7] = [
        (Entity::Resource, &a),
        (Entity::Resource, &b),
        (Entity::Contact, &contact),
        (Entity::Client, &client),
        (Entity::Application, &application),
        (Entity::Mandate, &mandate),
        (Entity::Trust, &trust),
    ];
    for (entity, pairs) in rows {
        assert_eq!(pairs.len(), fields::of(entity).len(), "a field of {entity} is not tested");
        let row = row(entity, pairs);
        assert_eq!(directory.put(context(), row.clone()).await.unwrap(), Put::Added, "{entity}");
        assert_eq!(directory.get(row.key()).await.unwrap(), Some(row), "{entity}");
    }
}

pub async fn an_application_says_how_it_proves_itself_and_a_secret_is_the_rule(harness: &impl Harness) {
    let directory = harness.open();
    put(&directory, Entity::Application, &[("application_id", "app_1")]).await;
    let read = async |field| get(&directory, Entity::Application, &["app_1"], field).await;
    for (field, value) in [
        ("auth_methods", Some("client_secret_basic client_secret_post")),
        ("certificate", Some("ignored")),
        ("certificate_bound_tokens", Some("true")),
        ("jwks_uri", None),
        ("assertion_audience", Some("issuer")),
        ("assertion_alg", None),
        ("dpop_bound_access_tokens", Some("false")),
        ("profile", Some("standard")),
    ] {
        assert_eq!(read(field).await.as_deref(), value, "{field}");
    }
    let mut before = None;
    for (field, value) in [
        ("certificate_subject_dn", "CN=erp"),
        ("certificate_san_dns", "erp.partner.example"),
        ("certificate_san_uri", "urn:partner:erp"),
        ("certificate_san_ip", "2001:db8::1"),
        ("certificate_san_email", "erp@partner.example"),
    ] {
        let key = ("application_id", "app_1");
        let row = [key, ("auth_methods", "tls_client_auth"), (field, value)];
        if let Some(before) = before {
            let both = put(&directory, Entity::Application, &row).await;
            assert_eq!(both, Put::Refused(Refusal::Invalid(Invalid::CertificateSubjects)), "{field}");
            put(&directory, Entity::Application, &[key, (before, ""), (field, value)]).await;
        } else {
            put(&directory, Entity::Application, &row).await;
        }
        assert_eq!(read(field).await.as_deref(), Some(value));
        before = Some(field);
    }
    let bare = [("application_id", "app_2"), ("auth_methods", "tls_client_auth")];
    let refused = put(&directory, Entity::Application, &bare).await;
    assert_eq!(refused, Put::Refused(Refusal::Invalid(Invalid::NoCertificateSubject)));
}

pub async fn what_contradicts_the_profile_is_refused_by_every_verb(harness: &impl Harness) {
    let directory = harness.open();
    small_world(&directory).await;
    let good = [
        ("application_id", "app_2"),
        ("profile", "fapi2"),
        ("auth_methods", "private_key_jwt"),
        ("dpop_bound_access_tokens", "true"),
    ];
    let refused = |conflict| Refusal::Invalid(Invalid::Profile(conflict));
    for (field, value, conflict) in [
        ("auth_methods", "client_secret_basic private_key_jwt", ProfileConflict::Secrets),
        ("dpop_bound_access_tokens", "false", ProfileConflict::Unbound),
        ("id_token_alg", "RS256", ProfileConflict::Algorithm { field: "id_token_alg" }),
        ("assertion_alg", "RS256", ProfileConflict::Algorithm { field: "assertion_alg" }),
        ("assertion_audience", "endpoint", ProfileConflict::Audience),
    ] {
        let mut pairs: Vec<_> = good.into_iter().filter(|(name, _)| *name != field).collect();
        pairs.push((field, value));
        let whole = row(Entity::Application, &pairs);
        let added = directory.add(context(), whole.clone()).await.unwrap();
        assert_eq!(added, Add::Refused(refused(conflict)), "{field}");
        assert_eq!(directory.put(context(), whole.clone()).await.unwrap(), Put::Refused(refused(conflict)));
        let what = Import { entity: Entity::Application, dry_run: false };
        let lines = vec![Line { number: 1, row: Ok(whole) }].into_iter();
        let report = directory.import(context(), what, lines, drop).await.unwrap();
        assert!(!report.committed, "{field}");
        assert_eq!(report.bad[0].refusal, refused(conflict));
        // One that has it is not led away from it piece by piece.
        put(&directory, Entity::Application, &good).await;
        let piece = row(Entity::Application, &[("application_id", "app_2"), (field, value)]);
        let updated = directory.update(context(), piece).await.unwrap();
        assert_eq!(updated, Update::Refused(refused(conflict)), "{field}");
        directory.remove(context(), key(Entity::Application, &["app_2"])).await.unwrap();
    }
}

pub async fn adding_twice_says_that_it_exists(harness: &impl Harness) {
    let directory = harness.open();
    let contact = row(Entity::Contact, &[("contact_id", "con"), ("name", "First")]);
    assert_eq!(directory.add(context(), contact).await.unwrap(), Add::Added);
    let again = row(Entity::Contact, &[("contact_id", "con"), ("name", "Second")]);
    assert_eq!(directory.add(context(), again).await.unwrap(), Add::Exists);
    assert_eq!(get(&directory, Entity::Contact, &["con"], "name").await.as_deref(), Some("First"));
}

pub async fn updating_leaves_what_is_absent_and_clears_what_is_empty(harness: &impl Harness) {
    let directory = harness.open();
    let all = [("contact_id", "con"), ("name", "Ana"), ("city", "Murcia"), ("locale", "es")];
    put(&directory, Entity::Contact, &all).await;
    let some = row(Entity::Contact, &[("contact_id", "con"), ("name", ""), ("city", "Lorca")]);
    assert_eq!(directory.update(context(), some).await.unwrap(), Update::Updated);
    assert_eq!(get(&directory, Entity::Contact, &["con"], "name").await, None);
    assert_eq!(get(&directory, Entity::Contact, &["con"], "city").await.as_deref(), Some("Lorca"));
    assert_eq!(get(&directory, Entity::Contact, &["con"], "locale").await.as_deref(), Some("es"));
}

pub async fn what_is_not_there_is_not_found(harness: &impl Harness) {
    let directory = harness.open();
    let contact = row(Entity::Contact, &[("contact_id", "con")]);
    assert_eq!(directory.update(context(), contact.clone()).await.unwrap(), Update::NotFound);
    assert_eq!(directory.disable(context(), contact.key()).await.unwrap(), Disable::NotFound);
    assert_eq!(directory.remove(context(), contact.key()).await.unwrap(), Remove::NotFound);
    assert_eq!(directory.get(contact.key()).await.unwrap(), None);
    let mandate = row(Entity::Mandate, &[("contact_id", "con"), ("client_id", "cli")]);
    assert_eq!(directory.update(context(), mandate.clone()).await.unwrap(), Update::NotFound);
    assert_eq!(directory.remove(context(), mandate.key()).await.unwrap(), Remove::NotFound);
    assert_eq!(directory.credentials(key(Entity::Application, &["app_1"])).await.unwrap(), None);
    assert_eq!(directory.status().await.unwrap().version.0, 0);
}

pub async fn a_row_that_changes_nothing_writes_nothing(harness: &impl Harness) {
    let directory = harness.open();
    small_world(&directory).await;
    let before = directory.status().await.unwrap();
    let trust = [("client_id", "cli"), ("application_id", "app_1"), ("contacts", "con"), ("ceiling", "all")];
    assert_eq!(put(&directory, Entity::Trust, &trust).await, Put::Unchanged);
    let contact = row(Entity::Contact, &[("contact_id", "con"), ("status", "active")]);
    assert_eq!(directory.update(context(), contact).await.unwrap(), Update::Unchanged);
    assert_eq!(directory.status().await.unwrap(), before);
}

pub async fn a_pair_needs_both_its_records(harness: &impl Harness) {
    let directory = harness.open();
    put(&directory, Entity::Client, &[("client_id", "cli"), ("client_name", "Client")]).await;
    for (entity, pairs, field) in [
        (Entity::Mandate, [("contact_id", "con"), ("client_id", "cli")], "contact_id"),
        (Entity::Trust, [("client_id", "cli"), ("application_id", "app_1")], "application_id"),
    ] {
        let Put::Refused(Refusal::NotThere { field: named, .. }) = put(&directory, entity, &pairs).await
        else {
            panic!("{entity} without its records");
        };
        assert_eq!(named, field);
    }
}

pub async fn a_trust_names_only_contacts_that_are_there(harness: &impl Harness) {
    let directory = harness.open();
    small_world(&directory).await;
    let trust = [("client_id", "cli"), ("application_id", "app_1"), ("contacts", "con nobody")];
    let refusal = Refusal::NotThere { field: "contacts", id: "nobody".to_owned() };
    assert_eq!(put(&directory, Entity::Trust, &trust).await, Put::Refused(refusal));
    assert_eq!(directory.remove(context(), key(Entity::Contact, &["con"])).await.unwrap(), Remove::Removed);
    assert_eq!(get(&directory, Entity::Trust, &["cli", "app_1"], "contacts").await, None);
}

pub async fn disabling_uses_the_word_of_each_kind(harness: &impl Harness) {
    let directory = harness.open();
    small_world(&directory).await;
    put(&directory, Entity::Resource, &[("resource_id", "https://a.example/")]).await;
    for (entity, parts, word) in [
        (Entity::Mandate, &["con", "cli"][..], "suspended"),
        (Entity::Trust, &["cli", "app_1"], "withdrawn"),
        (Entity::Contact, &["con"], "disabled"),
        (Entity::Application, &["app_1"], "disabled"),
        (Entity::Client, &["cli"], "Inactive"),
        (Entity::Resource, &["https://a.example/"], "disabled"),
    ] {
        let key = key(entity, parts);
        assert_eq!(directory.disable(context(), key.clone()).await.unwrap(), Disable::Disabled, "{entity}");
        assert_eq!(directory.disable(context(), key).await.unwrap(), Disable::AlreadyOff, "{entity}");
        assert_eq!(get(&directory, entity, parts, "status").await.as_deref(), Some(word));
    }
}

pub async fn a_trust_that_is_withdrawn_says_why(harness: &impl Harness) {
    let directory = harness.open();
    small_world(&directory).await;
    let parts = &["cli", "app_1"];
    let why = ChangeContext { reason: Some("letter of 3 May".to_owned()), ..context() };
    directory.disable(why, key(Entity::Trust, parts)).await.unwrap();
    assert_eq!(get(&directory, Entity::Trust, parts, "reason").await.as_deref(), Some("letter of 3 May"));
}

pub async fn removing_takes_along_what_hangs_on_it(harness: &impl Harness) {
    for (entity, id, gone) in [
        (Entity::Client, "cli", &[Entity::Mandate, Entity::Trust][..]),
        (Entity::Contact, "con", &[Entity::Mandate]),
        (Entity::Application, "app_1", &[Entity::Trust]),
    ] {
        let directory = harness.open();
        small_world(&directory).await;
        assert_eq!(directory.remove(context(), key(entity, &[id])).await.unwrap(), Remove::Removed);
        for other in [Entity::Mandate, Entity::Trust] {
            let rows = directory.list(everything(other)).await.unwrap().rows;
            assert_eq!(rows.is_empty(), gone.contains(&other), "{other} after {entity}");
        }
        for (other, id) in [(Entity::Client, "cli"), (Entity::Contact, "con"), (Entity::Application, "app_1")]
        {
            let removed = directory.remove(context(), key(other, &[id])).await.unwrap();
            assert_eq!(removed == Remove::Removed, other != entity);
        }
    }
}

pub async fn a_number_is_never_used_twice(harness: &impl Harness) {
    let directory = harness.open();
    let mut numbers = Vec::new();
    for _ in 0..3 {
        put(&directory, Entity::Contact, &[("contact_id", "con")]).await;
        let all = directory.numbers_of(Entity::Contact, "con".to_owned()).await.unwrap();
        numbers.push(*all.last().unwrap());
        assert_eq!(all, numbers);
        directory.remove(context(), key(Entity::Contact, &["con"])).await.unwrap();
    }
    numbers.dedup();
    assert_eq!(numbers.len(), 3);
}

pub async fn the_built_in_resource_stays_and_is_nobodys_own(harness: &impl Harness) {
    let directory = harness.open();
    let id = |text: &str| ResourceId::parse(text).unwrap();
    let set = async |text| directory.set_built_in_resource(context(), id(text)).await.unwrap();
    assert_eq!(set("http://one.example/api").await, BuiltIn::Set);
    assert_eq!(set("http://one.example/api").await, BuiltIn::Unchanged);
    assert_eq!(set("http://two.example/api").await, BuiltIn::Set);
    put(&directory, Entity::Resource, &[("resource_id", "https://a.example/")]).await;
    assert_eq!(set("https://a.example/").await, BuiltIn::Taken);
    let application =
        [("application_id", "app_1"), ("resources", "http://two.example/api https://a.example/")];
    assert_eq!(put(&directory, Entity::Application, &application).await, Put::Added);
    let own = get(&directory, Entity::Application, &["app_1"], "resources").await;
    assert_eq!(own.as_deref(), Some("https://a.example/"));
    assert_eq!(put(&directory, Entity::Application, &application).await, Put::Unchanged);
    let remove = async |id| directory.remove(context(), key(Entity::Resource, &[id])).await.unwrap();
    assert_eq!(remove("http://two.example/api").await, Remove::Refused(Refusal::IsBuiltIn));
    let in_use = Refusal::InUse { application: "app_1".to_owned() };
    assert_eq!(remove("https://a.example/").await, Remove::Refused(in_use));
    put(&directory, Entity::Application, &[("application_id", "app_1"), ("resources", "")]).await;
    assert_eq!(remove("https://a.example/").await, Remove::Removed);
}

pub async fn lists_come_in_pages_and_filtered(harness: &impl Harness) {
    let directory = harness.open();
    for client in ["k1", "k2", "k3"] {
        put(&directory, Entity::Client, &[("client_id", client), ("client_name", "Client")]).await;
    }
    for contact in ["c1", "c2", "c3"] {
        let status = if contact == "c2" { "disabled" } else { "active" };
        put(&directory, Entity::Contact, &[("contact_id", contact), ("status", status)]).await;
        for client in ["k1", "k2", "k3"] {
            put(&directory, Entity::Mandate, &[("contact_id", contact), ("client_id", client)]).await;
        }
    }
    let pages = async |entity, filters: &[(&'static str, &str)]| {
        let filters = filters.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let mut query = ListQuery { entity, filters, after: None, limit: 2 };
        let mut keys = Vec::new();
        loop {
            let page = directory.list(query.clone()).await.unwrap();
            assert!(page.rows.len() <= 2);
            keys.extend(page.rows.iter().map(crate::fields::Row::key));
            match page.next {
                Some(next) => query.after = Some(next),
                None => return keys,
            }
        }
    };
    assert_eq!(pages(Entity::Contact, &[]).await.len(), 3);
    assert_eq!(pages(Entity::Contact, &[("status", "disabled")]).await, [key(Entity::Contact, &["c2"])]);
    assert_eq!(pages(Entity::Contact, &[("contact_id", "c3")]).await, [key(Entity::Contact, &["c3"])]);
    assert_eq!(pages(Entity::Contact, &[("status", "none")]).await, []);
    assert_eq!(pages(Entity::Mandate, &[]).await.len(), 9);
    let over_k2 = ["c1", "c2", "c3"].map(|contact| key(Entity::Mandate, &[contact, "k2"]));
    assert_eq!(pages(Entity::Mandate, &[("client_id", "k2")]).await, over_k2);
    let of_c1 = ["k1", "k2", "k3"].map(|client| key(Entity::Mandate, &["c1", client]));
    assert_eq!(pages(Entity::Mandate, &[("contact_id", "c1"), ("status", "active")]).await, of_c1);
    assert_eq!(pages(Entity::Mandate, &[("contact_id", "c1"), ("client_id", "k3")]).await, of_c1[2..]);
    assert_eq!(pages(Entity::Mandate, &[("contact_id", "nobody")]).await, []);
    let window = [("contact_id", "c1"), ("client_id", "k1"), ("until", "2030-01-01T00:00:00Z")];
    put(&directory, Entity::Mandate, &window).await;
    let from = [("contact_id", "c1"), ("client_id", "k1"), ("from", "2031-01-01T00:00:00Z")];
    assert_eq!(put(&directory, Entity::Mandate, &from).await, Put::Refused(Invalid::Window.into()));
}
