//! Records a page at a time.

use procura_store::administration::{Cursor, ListQuery, Page, StoreError};
use procura_store::change::Entity;
use procura_store::fields::{self, Key, Row};

use super::put::get;
use super::shape::{Stored, is_pair, number_of, status_code};
use super::text::{application, client, contact, mandate, resource, trust};
use super::{Sql, Value};

/// A page of records; those with an id by id, pairs by their numbers.
pub(crate) fn list(sql: &mut dyn Sql, query: &ListQuery) -> Result<Page, StoreError> {
    let nothing = Page { rows: Vec::new(), next: None };
    let Some(filters) = Filters::read(query) else { return Ok(nothing) };
    if filters.is_whole_key(query.entity) {
        return one(sql, query, &filters);
    }
    let mut found = Vec::new();
    let mut collect = |text, values: &[Value<'_>], sql: &mut dyn Sql| {
        sql.query(text, values, &mut |cells| {
            found.push(Stored::from_cells(query.entity, cells)?);
            Ok(())
        })
    };
    let (status, limit) = (Value::Integer(filters.status), Value::Integer(query.limit.into()));
    let after = query.after.as_ref().map_or("", |cursor| cursor.0.as_str());
    match list_text(query.entity) {
        Some(text) => collect(text, &[Value::Text(after), status, limit], sql)?,
        None => {
            let Some((text, from)) = pair_text(sql, query.entity, &filters, after)? else {
                return Ok(nothing);
            };
            collect(text, &[Value::Integer(from.0), Value::Integer(from.1), status, limit], sql)?;
        }
    }
    let next = match found.last() {
        Some(last) if found.len() == query.limit as usize => Some(cursor_after(last)),
        _ => None,
    };
    for stored in &mut found {
        stored.name_contacts(sql)?;
    }
    let rows = found.into_iter().map(|stored| Row::whole(stored.entity, stored.values)).collect();
    Ok(Page { rows, next })
}

/// What was asked for, in normal form; 0 is any status.
struct Filters {
    status: i64,
    keys: Vec<(&'static str, String)>,
}

impl Filters {
    /// `None` when nothing can match: the value is none that the field takes, or the field is no key.
    fn read(query: &ListQuery) -> Option<Filters> {
        let mut filters = Filters { status: 0, keys: Vec::new() };
        for (name, value) in &query.filters {
            let field = &fields::of(query.entity)[fields::position(query.entity, name)?];
            let value = field.kind.read(value).ok()??;
            if field.name == "status" {
                filters.status = status_code(query.entity, &value)?;
            } else if field.is_key() {
                filters.keys.push((field.name, value));
            } else {
                return None;
            }
        }
        Some(filters)
    }

    fn key(&self, name: &str) -> Option<&str> {
        self.keys.iter().find(|(key, _)| *key == name).map(|(_, value)| value.as_str())
    }

    fn is_whole_key(&self, entity: Entity) -> bool {
        self.keys.len() == if is_pair(entity) { 2 } else { 1 }
    }
}

fn one(sql: &mut dyn Sql, query: &ListQuery, filters: &Filters) -> Result<Page, StoreError> {
    let names = fields::of(query.entity).iter().filter(|field| field.is_key());
    let parts: Vec<&str> = names.filter_map(|field| filters.key(field.name)).collect();
    let mut page = Page { rows: Vec::new(), next: None };
    let Ok(key) = Key::read(query.entity, &parts) else { return Ok(page) };
    if query.after.is_none()
        && let Some(stored) = get(sql, &key)?
    {
        let status = stored.get("status").and_then(|status| status_code(query.entity, status));
        if filters.status == 0 || status == Some(filters.status) {
            page.rows.push(Row::whole(query.entity, stored.values));
        }
    }
    Ok(page)
}

fn list_text(entity: Entity) -> Option<&'static str> {
    match entity {
        Entity::Application => Some(application::LIST),
        Entity::Client => Some(client::LIST),
        Entity::Contact => Some(contact::LIST),
        Entity::Resource => Some(resource::LIST),
        Entity::Mandate | Entity::Trust | Entity::Key | Entity::Token => None,
    }
}

/// A text, and the two numbers that it takes.
type PairText = (&'static str, (i64, i64));

/// The text for pairs, and where it begins: `None` when what is asked for has no pairs.
fn pair_text(
    sql: &mut dyn Sql,
    entity: Entity,
    filters: &Filters,
    after: &str,
) -> Result<Option<PairText>, StoreError> {
    let (owner, owner_name, all, of_owner, of_client) = match entity {
        Entity::Trust => (
            Entity::Application,
            "application_id",
            trust::LIST,
            trust::LIST_IN_APPLICATION,
            trust::LIST_OF_CLIENT,
        ),
        _ => (
            Entity::Contact,
            "contact_id",
            mandate::LIST,
            mandate::LIST_OF_CONTACT,
            mandate::LIST_OVER_CLIENT,
        ),
    };
    let (number, client) = after
        .split_once('.')
        .and_then(|(number, client)| Some((number.parse().ok()?, client.parse().ok()?)))
        .unwrap_or((0, 0));
    if let Some(id) = filters.key(owner_name) {
        return Ok(number_of(sql, owner, id)?.map(|no| (of_owner, (no.into(), client))));
    }
    if let Some(id) = filters.key("client_id") {
        return Ok(number_of(sql, Entity::Client, id)?.map(|no| (of_client, (no.into(), number))));
    }
    Ok(Some((all, (number, client))))
}

fn cursor_after(last: &Stored) -> Cursor {
    if is_pair(last.entity) {
        Cursor(format!("{}.{}", last.numbers.number, last.numbers.client))
    } else {
        Cursor(last.values[0].clone().unwrap_or_default())
    }
}
