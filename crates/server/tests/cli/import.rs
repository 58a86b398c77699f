use std::fmt::Write as _;
use std::fs;

use serde_json::Value;

use crate::support::{Folder, Ran};

/// Rows of a directory in the shapes that partners deliver: names in many languages, contacts without
/// mandates, mandates and trusts that are over or suspended, closed clients.
struct Files {
    folder: tempfile::TempDir,
}

const NOUNS: [&str; 5] = ["client", "contact", "mandate", "application", "trust"];

impl Files {
    fn generated(size: usize) -> Files {
        let names =
            ["Fjordglass ASA", "Λαδάς & Υιοί Ο.Ε.", "Groß, Klein & Söhne", "\"Żuraw\" S.A.", "松葉商店"];
        let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
        let mut clients =
            String::from("client_id,client_name,brand_name,status,address_line_1,city,post_code\n");
        let mut contacts =
            String::from("contact_id,email_address,first_name,name,status,language,time_zone,country_code\n");
        let mut mandates =
            String::from("contact_id,client_id,permissions,from,until,status,has_online_access\n");
        let mut trusts = String::from("client_id,application_id,contacts,ceiling,from,until,status,reason\n");
        for at in 0..size {
            let name = quoted(names[at % names.len()]);
            let status = ["Active", "Active", "Closed", "Inactive", "Blocked"][at % 5];
            let _ = writeln!(clients, "CLI{at},{name},House Brand,{status},\"Road {at}, left\",Town,{at:05}");
            let status = if at % 7 == 3 { "disabled" } else { "active" };
            let _ =
                writeln!(contacts, "con.{at},c{at}@firm.example,Éva,{name},{status},hu,Europe/Budapest,HU");
            if at % 4 != 1 {
                let until = if at % 3 == 0 { "2024-01-01T00:00:00Z" } else { "" };
                let status = if at % 6 == 5 { "suspended" } else { "active" };
                let permissions = if at % 2 == 0 { "can_trade can_manage_payments" } else { "" };
                let _ = writeln!(mandates, "con.{at},CLI{at},{permissions},,{until},{status},true");
            }
            let who = if at % 2 == 0 { "*".to_owned() } else { format!("con.{at} con.{}", (at + 1) % size) };
            let _ = writeln!(trusts, "CLI{at},app_7000{},{who},all,,,active,agreement {at}", at % 3);
        }
        let applications = "application_id,name,trusted,status\n\
                            app_70000,Groß ERP,false,disabled\napp_70001,Λαδάς ERP,true,active\n\
                            app_70002,\"Uno, Dos & Tres\",true,active\n";
        let folder = tempfile::tempdir().unwrap();
        let all = [clients, contacts, mandates, applications.to_owned(), trusts];
        for (noun, text) in NOUNS.iter().zip(all) {
            fs::write(folder.path().join(format!("{noun}s.csv")), text).unwrap();
        }
        Files { folder }
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn import(&self, into: &Folder, noun: &str) -> Ran {
        let file = self.folder.path().join(format!("{noun}s.csv"));
        into.run(&format!("{noun} import {} --json", file.display()))
    }
}

fn count(folder: &Folder, noun: &str) -> u64 {
    folder.done("status --json").json()["counts"][noun].as_u64().unwrap()
}

#[test]
fn a_directory_is_imported_file_by_file_and_again_without_a_change() {
    let (files, folder) = (Files::generated(300), Folder::new());
    for noun in NOUNS {
        let report = files.import(&folder, noun).ends_with(0).json();
        assert_eq!((&report["committed"], &report["bad"]), (&true.into(), &0.into()), "{noun}: {report}");
        assert_eq!(report["added"], if noun == "application" { 3 } else { count(&folder, noun) }, "{noun}");
    }
    assert_eq!((count(&folder, "client"), count(&folder, "mandate")), (300, 225));
    let version = folder.done("status --json").json()["version"].clone();
    for noun in NOUNS {
        let report = files.import(&folder, noun).ends_with(0).json();
        assert_eq!((&report["added"], &report["updated"]), (&0.into(), &0.into()), "{noun}: {report}");
    }
    assert_eq!(folder.done("status --json").json()["version"], version, "nothing changed");
    assert_eq!(folder.done("client show CLI3 --json").json()["client_name"], "\"Żuraw\" S.A.");
}

#[test]
fn bad_rows_are_told_by_line_and_nothing_is_imported() {
    let (files, folder) = (Files::generated(10), Folder::new());
    files.import(&folder, "client").ends_with(0);
    files.import(&folder, "contact").ends_with(0);
    let file = files.write(
        "bad.csv",
        "contact_id,client_id,permissions,from,until\n\
         con.1,CLI1,can_trade,,\n\
         con.2,CLI2,can_fly,,\n\
         con.3,CLI999,,,\n\
         app_4,CLI4,,,\n\
         con.5,CLI5,,2031-01-01T00:00:00Z,2030-01-01T00:00:00Z\n\
         con.6,CLI6\n\
         con.7,CLI7,,2031-01-01,\n",
    );
    for line in [format!("mandate import {file}"), format!("mandate import {file} --dry-run")] {
        let ran = folder.run(&line).ends_with(1);
        for bad in ["line 3: ", "line 4: ", "line 5: ", "line 6: ", "line 7: ", "line 8: "] {
            assert!(ran.stderr.contains(bad), "{bad:?} is not in {}", ran.stderr);
        }
        assert!(!ran.stderr.contains("line 2: ") && ran.stderr.contains("6 rows are bad"), "{}", ran.stderr);
    }
    assert_eq!(count(&folder, "mandate"), 0);
    let report = folder.run(&format!("mandate import {file} --json")).ends_with(1).json();
    assert_eq!((&report["committed"], &report["bad"]), (&false.into(), &6.into()));
    assert_eq!(report["bad_rows"][0]["line"], 3);
}

#[test]
fn a_dry_run_says_what_would_be_and_does_nothing() {
    let (files, folder) = (Files::generated(10), Folder::new());
    let file = files.folder.path().join("clients.csv");
    let ran = folder.done(&format!("client import {} --dry-run", file.display()));
    assert!(ran.stdout.contains("would be 10 added"), "{}", ran.stdout);
    assert_eq!(count(&folder, "client"), 0);
}

#[test]
fn absent_columns_leave_what_was_there_and_new_rows_get_defaults() {
    let (files, folder) = (Files::generated(5), Folder::new());
    files.import(&folder, "client").ends_with(0);
    let file = files.write("names.csv", "\u{feff}client_name,client_id\r\nNew Name,CLI2\r\nFresh,CLI77\r\n");
    let report = folder.done(&format!("client import {file} --json")).json();
    assert_eq!((&report["added"], &report["updated"]), (&1.into(), &1.into()));
    let changed = folder.done("client show CLI2 --json").json();
    assert_eq!((&changed["client_name"], &changed["status"]), (&"New Name".into(), &"Closed".into()));
    assert_eq!(folder.done("client show CLI77 --json").json()["status"], "Active");
    let file = files.write("apps.csv", "application_id\napp_1\n");
    folder.done(&format!("application import {file}"));
    assert_eq!(folder.done("application show app_1 --json").json()["trusted"], "false");
}

#[test]
fn json_lines_carry_the_same_names_and_a_list_reads_back() {
    let (files, folder) = (Files::generated(5), Folder::new());
    files.import(&folder, "contact").ends_with(0);
    let Value::Array(rows) = folder.done("contact list --json").json() else { panic!("a list") };
    let text: String = rows.iter().map(|row| format!("{row}\n")).collect();
    let file = files.write("contacts.jsonl", &text);
    let report = folder.done(&format!("contact import {file} --json")).json();
    assert_eq!((&report["unchanged"], &report["updated"]), (&5.into(), &0.into()));
    let file = files.write("rows.txt", "{\"contact_id\":\"con.9\",\"status\":true}\n");
    folder.run(&format!("contact import {file}")).ends_with(2);
    let ran = folder.run(&format!("contact import {file} --format jsonl")).ends_with(1);
    assert!(ran.stderr.contains("line 1: 'status' must be a string"), "{}", ran.stderr);
}

#[test]
fn a_column_that_belongs_elsewhere_or_nowhere_is_refused() {
    let (files, folder) = (Files::generated(1), Folder::new());
    for (header, told) in [
        ("contact_id,can_trade", "belongs to mandates"),
        ("contact_id,colour", "no field 'colour'"),
        ("name", "contact_id is missing"),
        ("contact_id,name,name", "stands there twice"),
    ] {
        let file = files.write("x.csv", &format!("{header}\n"));
        let ran = folder.run(&format!("contact import {file}")).ends_with(1);
        assert!(ran.stderr.contains("line 1: ") && ran.stderr.contains(told), "{}", ran.stderr);
    }
    folder.run("contact import /nowhere/x.csv").ends_with(2);
}
