//! Another certificate while the server runs.

use procura_http::tls::Callers;

use super::Server;
use super::caller::{Caller, Connection};
use super::made::Ca;

fn certificate(connection: &Connection) -> Vec<u8> {
    connection.0.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

#[tokio::test]
async fn new_connections_get_the_new_certificate_and_open_ones_go_on() {
    let ca = Ca::new();
    let server = Server::start(&ca, Callers::Asked).await;
    let mut before = Caller::new(&ca).connect(server.address).await.unwrap();
    assert_eq!(before.ask("localhost").await.unwrap().status, 200);
    server.identity.replace(ca.server());
    let mut after = Caller::new(&ca).connect(server.address).await.unwrap();
    assert_ne!(certificate(&before), certificate(&after));
    assert_eq!(before.ask("localhost").await.unwrap().status, 200);
    assert_eq!(after.ask("localhost").await.unwrap().status, 200);
}
