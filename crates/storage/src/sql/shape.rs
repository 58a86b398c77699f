//! How the fields of each kind of record lie in columns.

use procura_protocol::algorithm::Algorithm;
use procura_protocol::application_auth::AuthMethods;
use procura_protocol::permission::{Ceiling, Permissions};
use procura_protocol::time::{UnixSeconds, Window};
use procura_store::administration::StoreError;
use procura_store::change::Entity;
use procura_store::fields::{self, Kind, ceiling_text};
use procura_store::records::{ClientNo, ContactNo, Coverage, Mandate, Trust};

use super::text::{application, client, contact, mandate, resource, trust};
use super::{Cells, CellsExt, Sql, Value, number, one_text};

/// Where the fields of one kind of record are.
pub(crate) struct Shape {
    /// The whole record by its id, or by its two numbers.
    pub(crate) get: &'static str,
    pub(crate) count: &'static str,
    pub(crate) main: Part,
    pub(crate) detail: Option<Part>,
}

/// The fields that lie in one table.
pub(crate) struct Part {
    /// Their names, in the order of the `$n`. What follows them is the number or the two numbers.
    pub(crate) fields: &'static [&'static str],
    /// Of the main part of a record with an id of its own, the id comes before all.
    pub(crate) insert: &'static str,
    pub(crate) update: &'static str,
    pub(crate) delete: &'static str,
}

/// The shape of a kind of record that has fields.
pub(crate) fn of(entity: Entity) -> Result<&'static Shape, StoreError> {
    match entity {
        Entity::Application => Ok(&APPLICATION),
        Entity::Client => Ok(&CLIENT),
        Entity::Contact => Ok(&CONTACT),
        Entity::Mandate => Ok(&MANDATE),
        Entity::Trust => Ok(&TRUST),
        Entity::Resource => Ok(&RESOURCE),
        Entity::Key | Entity::Token => Err(StoreError::Damaged("keys and tokens have no fields")),
    }
}

/// Whether the record is named by two others.
pub(crate) fn is_pair(entity: Entity) -> bool {
    matches!(entity, Entity::Mandate | Entity::Trust)
}

/// Whether the record has a number and an id of its own.
pub(crate) fn is_named(entity: Entity) -> bool {
    !is_pair(entity) && entity != Entity::Token
}

/// The text that finds the number of an id.
pub(crate) fn number_text(entity: Entity) -> Result<&'static str, StoreError> {
    match entity {
        Entity::Application => Ok(application::NUMBER),
        Entity::Client => Ok(client::NUMBER),
        Entity::Contact => Ok(contact::NUMBER),
        Entity::Resource => Ok(resource::NUMBER),
        Entity::Key => Ok(super::text::key::WITH_KID),
        Entity::Mandate | Entity::Trust | Entity::Token => {
            Err(StoreError::Damaged("neither a pair nor a token has a number of its own"))
        }
    }
}

/// The text that finds the id of a number.
pub(crate) fn name_text(entity: Entity) -> Result<&'static str, StoreError> {
    match entity {
        Entity::Application => Ok(application::NAME),
        Entity::Client => Ok(client::NAME),
        Entity::Contact => Ok(contact::NAME),
        Entity::Resource => Ok(resource::NAME),
        Entity::Key => Ok(super::text::key::NAME),
        Entity::Mandate | Entity::Trust | Entity::Token => {
            Err(StoreError::Damaged("neither a pair nor a token has a name of its own"))
        }
    }
}

const APPLICATION: Shape = Shape {
    get: application::GET,
    count: application::COUNT,
    main: Part {
        fields: &[
            "name",
            "trusted",
            "status",
            "id_token_alg",
            "auth_methods",
            "certificate",
            "certificate_bound_tokens",
            "certificate_subject_dn",
            "certificate_san_dns",
            "certificate_san_uri",
            "certificate_san_ip",
            "certificate_san_email",
            "jwks_uri",
            "assertion_audience",
            "assertion_alg",
            "dpop_bound_access_tokens",
            "profile",
        ],
        insert: application::INSERT,
        update: application::UPDATE,
        delete: application::DELETE,
    },
    detail: None,
};

const CLIENT: Shape = Shape {
    get: client::GET,
    count: client::COUNT,
    main: Part {
        fields: &["client_name", "status"],
        insert: client::INSERT,
        update: client::UPDATE,
        delete: client::DELETE,
    },
    detail: Some(Part {
        fields: &["brand_name", "address_line_1", "address_line_2", "city", "post_code", "state_province"],
        insert: client::INSERT_DETAIL,
        update: client::UPDATE_DETAIL,
        delete: client::DELETE_DETAIL,
    }),
};

const CONTACT: Shape = Shape {
    get: contact::GET,
    count: contact::COUNT,
    main: Part {
        fields: &["status"],
        insert: contact::INSERT,
        update: contact::UPDATE,
        delete: contact::DELETE,
    },
    detail: Some(Part {
        fields: &[
            "email_address",
            "first_name",
            "last_name",
            "name",
            "language",
            "locale",
            "time_zone",
            "country_code",
            "country_name",
            "address_line_1",
            "address_line_2",
            "city",
            "post_code",
            "home_contact_number",
            "mobile_contact_number",
            "work_contact_number",
            "password_reset_required",
        ],
        insert: contact::INSERT_DETAIL,
        update: contact::UPDATE_DETAIL,
        delete: contact::DELETE_DETAIL,
    }),
};

const MANDATE: Shape = Shape {
    get: mandate::GET,
    count: mandate::COUNT,
    main: Part {
        fields: &["permissions", "from", "until", "status", "has_online_access"],
        insert: mandate::INSERT,
        update: mandate::UPDATE,
        delete: mandate::DELETE,
    },
    detail: None,
};

const TRUST: Shape = Shape {
    get: trust::GET,
    count: trust::COUNT,
    main: Part {
        fields: &["contacts", "ceiling", "from", "until", "status", "reason"],
        insert: trust::INSERT,
        update: trust::UPDATE,
        delete: trust::DELETE,
    },
    detail: None,
};

const RESOURCE: Shape = Shape {
    get: resource::GET,
    count: resource::COUNT,
    main: Part {
        fields: &["name", "status", "access_token_alg"],
        insert: resource::INSERT,
        update: resource::UPDATE,
        delete: resource::DELETE,
    },
    detail: None,
};

/// The number of a record; of a mandate those of contact and client, of a trust those of application
/// and client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Numbers {
    pub(crate) number: u32,
    pub(crate) client: u32,
}

impl Numbers {
    pub(crate) fn values(&self, entity: Entity) -> Vec<Value<'static>> {
        let mut values = vec![Value::Integer(self.number.into())];
        if is_pair(entity) {
            values.push(Value::Integer(self.client.into()));
        }
        values
    }
}

/// A whole record as it is kept.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) entity: Entity,
    pub(crate) numbers: Numbers,
    /// Values in the order of the fields, in normal form.
    pub(crate) values: Vec<Option<String>>,
    /// Of a trust, the numbers of the contacts it names; `None` is all.
    pub(crate) named: Option<Vec<u32>>,
}

impl Stored {
    /// Takes the numbers and values out of a row of one of the `GET` or `LIST` texts. The contacts of a
    /// trust are still numbers then: see [`Stored::name_contacts`].
    pub(crate) fn from_cells(entity: Entity, cells: &dyn Cells) -> Result<Stored, StoreError> {
        let first = if is_pair(entity) { 2 } else { 1 };
        let client = if is_pair(entity) { cells.u32(1)? } else { 0 };
        let mut stored = Stored {
            entity,
            numbers: Numbers { number: cells.u32(0)?, client },
            values: Vec::with_capacity(fields::of(entity).len()),
            named: None,
        };
        for (at, field) in fields::of(entity).iter().enumerate() {
            if field.kind == Kind::Contacts {
                stored.named = cells.bytes(first + at)?.map(unpack).transpose()?;
                stored.values.push(None);
            } else {
                stored.values.push(decode(field.kind, cells, first + at)?);
            }
        }
        Ok(stored)
    }

    /// Puts the ids of named contacts where a trust says them; those of removed contacts are gone.
    pub(crate) fn name_contacts(&mut self, sql: &mut dyn Sql) -> Result<(), StoreError> {
        let Some(at) = fields::position(self.entity, "contacts") else { return Ok(()) };
        let Some(named) = &self.named else {
            self.values[at] = Some("*".to_owned());
            return Ok(());
        };
        let mut ids = Vec::with_capacity(named.len());
        for number in named {
            ids.extend(one_text(sql, contact::NAME, &[Value::Integer((*number).into())])?);
        }
        ids.sort_unstable();
        self.values[at] = (!ids.is_empty()).then(|| ids.join(" "));
        Ok(())
    }

    /// The value of a field.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.values.get(fields::position(self.entity, name)?)?.as_deref()
    }

    /// Whether its status lets something happen.
    pub(crate) fn is_on(&self) -> bool {
        self.get("status") == Some(fields::status_on(self.entity))
    }

    /// When it holds, of a mandate and a trust.
    pub(crate) fn window(&self) -> Window {
        let time = |name| self.get(name).and_then(|text| UnixSeconds::parse_rfc3339(text).ok());
        Window { from: time("from"), until: time("until") }
    }

    /// A mandate as decisions see it.
    pub(crate) fn as_mandate(&self) -> Mandate {
        Mandate {
            client: ClientNo(self.numbers.client),
            span: self.window().into(),
            permissions: Permissions::parse(self.get("permissions").unwrap_or_default())
                .unwrap_or(Permissions::NONE),
            active: self.is_on(),
        }
    }

    /// A trust as decisions see it.
    pub(crate) fn as_trust(&self) -> Trust {
        let ceiling = Ceiling::parse(self.get("ceiling").unwrap_or_default()).unwrap_or_default();
        let named = |named: &Vec<u32>| named.iter().copied().map(ContactNo).collect();
        Trust {
            client: ClientNo(self.numbers.client),
            span: self.window().into(),
            ceiling: ceiling.permissions(),
            active: self.is_on(),
            contacts: self.named.as_ref().map_or(Coverage::All, |numbers| Coverage::Named(named(numbers))),
        }
    }
}

/// Numbers of contacts, as a trust keeps them.
pub(crate) fn pack(numbers: &[u32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

/// The numbers that [`pack`] packed.
pub(crate) fn unpack(bytes: &[u8]) -> Result<Vec<u32>, StoreError> {
    let (numbers, rest) = bytes.as_chunks::<4>();
    if !rest.is_empty() {
        return Err(StoreError::Damaged("the contacts of a trust are cut short"));
    }
    Ok(numbers.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect())
}

/// What is stored of an algorithm.
pub(crate) fn algorithm_code(algorithm: Algorithm) -> i64 {
    let at = Algorithm::ALL.iter().position(|other| *other == algorithm);
    at.map_or(0, |at| at as i64 + 1)
}

/// The algorithm that [`algorithm_code`] stood for.
pub(crate) fn algorithm_of(code: i64) -> Result<Algorithm, StoreError> {
    one_of(&Algorithm::ALL, code).copied()
}

/// What is stored of a status, which must be one of the field's.
pub(crate) fn status_code(entity: Entity, status: &str) -> Option<i64> {
    let at = fields::position(entity, "status")?;
    encode(fields::of(entity)[at].kind, Some(status)).ok().and_then(|value| match value {
        Value::Integer(code) => Some(code),
        Value::Text(_) | Value::Bytes(_) | Value::Null => None,
    })
}

fn one_of<T>(all: &[T], code: i64) -> Result<&T, StoreError> {
    usize::try_from(code - 1).ok().and_then(|at| all.get(at)).ok_or(StoreError::Damaged("an unknown code"))
}

fn permissions(bits: i64) -> Result<Permissions, StoreError> {
    u16::try_from(bits)
        .ok()
        .and_then(Permissions::from_bits)
        .ok_or(StoreError::Damaged("unknown permissions"))
}

fn auth_methods(bits: i64) -> Result<AuthMethods, StoreError> {
    let methods = u8::try_from(bits).ok().and_then(AuthMethods::from_bits);
    methods.ok_or(StoreError::Damaged("unknown ways to authenticate"))
}

fn decode(kind: Kind, cells: &dyn Cells, at: usize) -> Result<Option<String>, StoreError> {
    let not_empty = |text: String| (!text.is_empty()).then_some(text);
    match kind {
        Kind::ApplicationId
        | Kind::ContactId
        | Kind::ClientId
        | Kind::ResourceId
        | Kind::Text { .. }
        | Kind::Email
        | Kind::UpperCode
        | Kind::LowerCode
        | Kind::TimeZone
        | Kind::DistinguishedName
        | Kind::HostName
        | Kind::Uri
        | Kind::Address
        | Kind::JwksUri
        | Kind::Resources => Ok(cells.text(at)?.map(str::to_owned)),
        Kind::Boolean => {
            Ok(cells.integer(at)?.map(|value| if value == 0 { "false" } else { "true" }.to_owned()))
        }
        Kind::Choice(words) => Ok(Some((*one_of(words, cells.i64(at)?)?).to_owned())),
        Kind::Algorithm => {
            let code = cells.integer(at)?;
            code.map(|code| algorithm_of(code).map(|algorithm| algorithm.to_string())).transpose()
        }
        Kind::AuthMethods => Ok(Some(auth_methods(cells.i64(at)?)?.to_string())),
        Kind::Permissions => Ok(not_empty(permissions(cells.i64(at)?)?.to_string())),
        Kind::Ceiling => Ok(not_empty(ceiling_text(permissions(cells.i64(at)?)?))),
        Kind::Time => Ok(cells.integer(at)?.map(|seconds| UnixSeconds(seconds).to_string())),
        Kind::Contacts => Err(StoreError::Damaged("contacts are not a value")),
    }
}

/// A value in normal form as it is stored. The contacts of a trust are packed by the caller.
pub(crate) fn encode(kind: Kind, text: Option<&str>) -> Result<Value<'_>, StoreError> {
    const NOT_NORMAL: StoreError = StoreError::Damaged("a value is not in normal form");
    let code = |found: Option<usize>| found.map(|at| Value::Integer(at as i64 + 1)).ok_or(NOT_NORMAL);
    match (kind, text) {
        (Kind::Permissions, text) => {
            let permissions = Permissions::parse(text.unwrap_or_default()).map_err(|_| NOT_NORMAL)?;
            Ok(Value::Integer(permissions.bits().into()))
        }
        (Kind::Ceiling, text) => {
            let ceiling = Ceiling::parse(text.unwrap_or_default()).map_err(|_| NOT_NORMAL)?;
            Ok(Value::Integer(ceiling.permissions().bits().into()))
        }
        (_, None) => Ok(Value::Null),
        (Kind::Boolean, Some(text)) => Ok(Value::Integer((text == "true").into())),
        (Kind::Choice(words), Some(text)) => code(words.iter().position(|word| *word == text)),
        (Kind::Algorithm, Some(text)) => {
            let algorithm = text.parse::<Algorithm>().map_err(|_| NOT_NORMAL)?;
            Ok(Value::Integer(algorithm_code(algorithm)))
        }
        (Kind::AuthMethods, Some(text)) => {
            let methods = AuthMethods::parse(text).map_err(|_| NOT_NORMAL)?;
            Ok(Value::Integer(methods.bits().into()))
        }
        (Kind::Time, Some(text)) => {
            let at = UnixSeconds::parse_rfc3339(text).map_err(|_| NOT_NORMAL)?;
            Ok(Value::Integer(at.0))
        }
        (_, Some(text)) => Ok(Value::Text(text)),
    }
}

/// The number of an id.
pub(crate) fn number_of(sql: &mut dyn Sql, entity: Entity, id: &str) -> Result<Option<u32>, StoreError> {
    super::one_integer(sql, number_text(entity)?, &[Value::Text(id)])?.map(number).transpose()
}
