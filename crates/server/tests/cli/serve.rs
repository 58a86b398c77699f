use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::support::{Folder, Server, procura, ran};

fn start(folder: &Folder) -> Server {
    Server::start(procura().args(["serve", "--data", folder.path().to_str().unwrap()]))
}

#[test]
fn a_folder_is_filled_and_served_without_a_file() {
    let folder = Folder::new();
    folder.done("client|add|CLI1|--client-name|Wells-Byrne Ltd");
    folder.done("contact add CON1");
    folder.done("mandate add CON1 CLI1 --permissions can_trade");
    folder.done("application add app_one --trusted");
    folder.done("trust add CLI1 app_one --contacts * --ceiling all --reason agreed");
    let secret = folder.done("application secret add app_one --json").json();
    let server = start(&folder);
    assert_eq!(server.ready.as_object().unwrap().len(), 3);
    assert_eq!(server.ready["listeners"][0]["at"], server.ready["base_url"]);
    assert_eq!(server.text("base_url"), server.text("issuer"));
    let pair = STANDARD.encode(format!("app_one:{}", secret["secret"].as_str().unwrap()));
    let headers = format!("authorization: Basic {pair}\r\ncontent-length: 0\r\n");
    let granted = server.ask("POST /token/CON1", &headers);
    assert!(granted.starts_with("HTTP/1.1 200"), "{granted}");

    // What the command line changes is in force without anybody telling the server.
    folder.done("trust disable CLI1 app_one --reason withdrawn");
    let mut asked = (0..100_000).map(|_| server.ask("POST /token/CON1", &headers));
    let refused = asked.find(|answer| !answer.starts_with("HTTP/1.1 200")).unwrap();
    assert!(refused.starts_with("HTTP/1.1 400") && refused.contains("invalid_grant"), "{refused}");
    assert_eq!(server.stop("TERM"), (Some(0), String::new()));
    folder.done("audit verify");
}

#[test]
fn one_server_works_on_a_folder() {
    let folder = Folder::new();
    let server = start(&folder);
    assert_eq!(folder.done("status --json").json()["served"], true);
    let second = folder.run("serve --listen 127.0.0.1:0").ends_with(4);
    assert!(second.stderr.contains("another server"), "{}", second.stderr);
    assert_eq!(server.stop("INT").0, Some(0));
    assert_eq!(folder.done("status --json").json()["served"], false);
    start(&folder).stop("TERM");
}

#[test]
fn a_journal_that_is_gone_is_no_reason_to_begin_another() {
    let folder = Folder::new();
    let journal = folder.path().join("journal");
    std::fs::remove_dir_all(&journal).unwrap();
    folder.run("audit verify").ends_with(3);
    // Never served: all that it held are changes, and the directory has them.
    start(&folder).stop("TERM");
    folder.done("audit verify");
    std::fs::remove_dir_all(&journal).unwrap();
    for command in ["serve --listen 127.0.0.1:0", "init"] {
        let lost = folder.run(command).ends_with(3);
        assert!(lost.stderr.contains("journal is lost"), "{command}: {}", lost.stderr);
    }
    let told = folder.done("contact add CON1").stderr;
    assert!(told.contains("not in the journal yet") && told.contains("journal is lost"), "{told}");
}

#[test]
fn what_can_not_be_served_is_refused_before_anything_listens() {
    let missing = ran(procura().args(["serve", "--data", "/nowhere/at/all"])).ends_with(2);
    assert!(missing.stderr.contains("procura init"), "{}", missing.stderr);
    let folder = Folder::new();
    let open = folder.run("serve --listen 0.0.0.0:0").ends_with(2);
    assert!(open.stderr.contains("issuer"), "{}", open.stderr);
    std::fs::remove_file(folder.path().join("key-encryption.key")).unwrap();
    let sealed = folder.run("serve --listen 127.0.0.1:0").ends_with(2);
    assert!(sealed.stderr.contains("key-encryption"), "{}", sealed.stderr);
}
