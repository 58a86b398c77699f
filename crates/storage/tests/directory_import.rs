//! A directory of the shape of the sample data: companies, people, mandates, applications, trusts, made
//! up by counting.

#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

use procura_protocol::time::UnixMillis;
use procura_storage::SqliteDirectory;
use procura_store::administration::{
    Administration, ChangeContext, Import, ImportReport, Line, ListQuery, Refusal,
};
use procura_store::change::{Actor, Entity};
use procura_store::fields::{Columns, Key, Row};

const CLIENTS: usize = 100;
const CONTACTS: usize = 400;
const APPLICATIONS: usize = 10;

/// The lines of a file: names, then values.
type File = Vec<Vec<String>>;

fn clients() -> File {
    let names =
        "client_id,client_name,brand_name,status,address_line_1,address_line_2,city,post_code,state_province";
    file(
        names,
        (0..CLIENTS).map(|at| {
            let status = ["Active", "Inactive", "Closed", "Blocked"][at % 17 % 4];
            vec![
                client(at),
                format!("Söhne & Töchter, Nº {at}"),
                "Procura Bank".to_owned(),
                status.to_owned(),
                format!("\"Straße\" {at}"),
                String::new(),
                "Ελλάδα".to_owned(),
                format!("{at:05}"),
                String::new(),
            ]
        }),
    )
}

fn contacts() -> File {
    let names = "contact_id,email_address,first_name,last_name,name,status,language,locale,time_zone,country_code,mobile_contact_number";
    file(names, (0..CONTACTS).map(|at| {
        let status = if at % 19 == 0 { "disabled" } else { "active" };
        let text = format!(
            "{},contact{at}@mail.example,Ana,Ñúñez {at},Ana Ñúñez {at},{status},es,es,Europe/Madrid,ES,+34 {at:09}",
            contact(at)
        );
        text.split(',').map(str::to_owned).collect()
    }))
}

fn mandates() -> File {
    let names = "contact_id,client_id,permissions,from,until,status,has_online_access";
    file(
        names,
        (0..CONTACTS * 2).map(|at| {
            let permissions = ["", "can_trade", "can_authorise_payments can_trade"][at % 3];
            let from = if at % 11 == 0 { "2035-01-01T00:00:00Z" } else { "" };
            let until = if at % 13 == 1 { "2039-12-31T23:59:59Z" } else { "" };
            let status = if at % 23 == 0 { "suspended" } else { "active" };
            let pair = [contact(at / 2), client((at * 7 + at % 2) % CLIENTS)];
            let rest = [permissions, from, until, status, if at % 2 == 0 { "true" } else { "false" }];
            pair.into_iter().chain(rest.map(str::to_owned)).collect()
        }),
    )
}

fn applications() -> File {
    file(
        "application_id,name,trusted,status",
        (0..APPLICATIONS).map(|at| {
            let trusted = if at % 3 == 0 { "false" } else { "true" };
            vec![application(at), format!("ERP {at}"), trusted.to_owned(), "active".to_owned()]
        }),
    )
}

fn trusts() -> File {
    let names = "client_id,application_id,contacts,ceiling,from,until,status,reason";
    file(
        names,
        (0..CLIENTS * 3).map(|at| {
            let contacts =
                if at % 2 == 0 { "*".to_owned() } else { format!("{} {}", contact(at + 1), contact(at)) };
            let ceiling = ["all", "can_trade", "all can_authorise_payments", ""][at % 4];
            let rest = [ceiling, "", "2039-12-31T23:59:59Z", "active", "signed agreement"];
            let start = [client(at / 3), application(at % APPLICATIONS), contacts];
            start.into_iter().chain(rest.map(str::to_owned)).collect()
        }),
    )
}

fn client(at: usize) -> String {
    format!("{}{}", ["NORCLI", "EBPCLI", "CLI"][at % 3], 100_000 + at)
}

fn contact(at: usize) -> String {
    format!("{}{}", ["NORCON", "EBPCON", "con."][at % 3], 10_000 + at)
}

fn application(at: usize) -> String {
    format!("app_{}", 70_000 + at)
}

fn file(names: &str, rows: impl Iterator<Item = Vec<String>>) -> File {
    std::iter::once(names.split(',').map(str::to_owned).collect()).chain(rows).collect()
}

fn lines(entity: Entity, file: &File) -> Vec<Line> {
    let columns = Columns::read(entity, file[0].iter().map(String::as_str)).unwrap();
    let read = |values: &Vec<String>| columns.row(values.iter().map(String::as_str)).map_err(Refusal::from);
    file[1..].iter().zip(2..).map(|(values, number)| Line { number, row: read(values) }).collect()
}

async fn import(directory: &SqliteDirectory, entity: Entity, file: &File) -> ImportReport {
    let context = ChangeContext {
        actor: Actor::Operator { uid: 0 },
        at: UnixMillis(1_767_225_600_000),
        reason: None,
        token_lifetime_max: 3_600,
    };
    let import = Import { entity, dry_run: false };
    directory.import(context, import, lines(entity, file).into_iter(), |_| {}).await.unwrap()
}

fn in_order() -> [(Entity, File); 5] {
    [
        (Entity::Client, clients()),
        (Entity::Contact, contacts()),
        (Entity::Mandate, mandates()),
        (Entity::Application, applications()),
        (Entity::Trust, trusts()),
    ]
}

#[tokio::test]
async fn the_sample_shape_is_imported_and_read_back_as_written() {
    let folder = tempfile::tempdir().unwrap();
    let directory = SqliteDirectory::create(folder.path()).unwrap();
    for (entity, file) in in_order() {
        let report = import(&directory, entity, &file).await;
        assert_eq!(report.bad, [], "{entity}");
        assert!(report.committed);
        let again = import(&directory, entity, &file).await;
        assert_eq!((again.added, again.updated), (0, 0), "{entity}");
        for line in lines(entity, &file) {
            let row = line.row.unwrap();
            let stored = directory.get(row.key()).await.unwrap().unwrap();
            for (field, value) in row.iter() {
                assert_eq!(stored.get(field.name), Some(value), "{} of {}", field.name, row.key());
            }
        }
        let all = ListQuery { entity, filters: Vec::new(), after: None, limit: 10_000 };
        assert_eq!(directory.list(all).await.unwrap().rows.len() as u64, report.added);
    }
}

#[tokio::test]
async fn a_file_out_of_order_is_refused_with_the_line_and_the_name() {
    let folder = tempfile::tempdir().unwrap();
    let directory = SqliteDirectory::create(folder.path()).unwrap();
    import(&directory, Entity::Client, &clients()).await;
    let report = import(&directory, Entity::Mandate, &mandates()).await;
    assert!(!report.committed);
    assert_eq!(report.bad_count, (CONTACTS * 2) as u64);
    let first = report.bad[0].to_string();
    assert_eq!(first, format!("line 2: contact_id names {}, which is not there; add it first", contact(0)));
}

#[tokio::test]
async fn absent_columns_leave_what_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let directory = SqliteDirectory::create(folder.path()).unwrap();
    import(&directory, Entity::Client, &clients()).await;
    let narrow = file("status,client_id", [vec!["Closed".to_owned(), client(1)]].into_iter());
    assert_eq!(import(&directory, Entity::Client, &narrow).await.updated, 1);
    let key = Key::read(Entity::Client, &[&client(1)]).unwrap();
    let row: Row = directory.get(key).await.unwrap().unwrap();
    assert_eq!(row.get("status"), Some(Some("Closed")));
    assert_eq!(row.get("brand_name"), Some(Some("Procura Bank")));
}
