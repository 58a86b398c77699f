//! The SDK and the server's own API in one process: a bound token, and the proofs that go with it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use procura_client::{
    Algorithm, Api, Application, ApplicationId, ContactId, DpopKey, Issuer, Procura, Secret, SystemRandom,
    TokenSource, Transport, TransportError, UnixSeconds,
};
use procura_testkit::clock::BEGINNING;
use procura_testkit::world::{APPLICATION, ISSUER, SECRET};
use procura_testkit::{DiskApp, Entity};

const CONTACT: &str = "con.ada";

struct InProcess(DiskApp);

impl InProcess {
    async fn new() -> Arc<InProcess> {
        let app = DiskApp::new().await;
        app.put(
            Entity::Application,
            &[("application_id", APPLICATION), ("trusted", "true"), ("dpop_bound_access_tokens", "true")],
        )
        .await;
        app.put(Entity::Client, &[("client_id", "cli.alder"), ("client_name", "Alder")]).await;
        let trust = [("client_id", "cli.alder"), ("application_id", APPLICATION)];
        app.put(Entity::Trust, &[trust[0], trust[1], ("contacts", "*"), ("ceiling", "all")]).await;
        app.put(Entity::Contact, &[("contact_id", CONTACT), ("name", "Ada")]).await;
        let mandate = [("contact_id", CONTACT), ("client_id", "cli.alder"), ("permissions", "can_trade")];
        app.put(Entity::Mandate, &mandate).await;
        Arc::new(InProcess(app))
    }
}

impl Transport for InProcess {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let answer = self.0.send(request.map(Into::into)).await;
        let mut response = Response::new(Bytes::from(answer.body));
        *response.status_mut() = answer.status;
        *response.headers_mut() = answer.headers;
        Ok(response)
    }
}

struct Behind(i64);

impl procura_client::Clock for Behind {
    fn now(&self) -> UnixSeconds {
        BEGINNING.plus(-self.0)
    }

    fn elapsed(&self) -> Duration {
        Duration::ZERO
    }
}

fn contact() -> ContactId {
    ContactId::parse(CONTACT).unwrap()
}

fn bound_to(key: DpopKey) -> Application {
    let (issuer, id) = (Issuer::parse(ISSUER).unwrap(), ApplicationId::parse(APPLICATION).unwrap());
    Application::new(issuer, &id, &Secret::from(SECRET.to_owned())).with_proof_key(key)
}

fn procura(server: &Arc<InProcess>, key: DpopKey, behind: i64) -> Procura<Arc<InProcess>> {
    let (clock, random) = (Arc::new(Behind(behind)), Arc::new(SystemRandom));
    Procura::new(bound_to(key), Arc::clone(server), clock, random)
}

fn key(algorithm: Algorithm) -> DpopKey {
    DpopKey::generate(algorithm).unwrap().0
}

#[tokio::test(flavor = "multi_thread")]
async fn the_servers_own_api_takes_a_bound_token_with_the_proofs_that_the_sdk_makes() {
    let server = InProcess::new().await;
    // A clock behind the server's beginning makes both the token endpoint and the API ask for their nonces.
    for behind in [0, 2] {
        for algorithm in [Algorithm::Es256, Algorithm::Ps256, Algorithm::EdDsa] {
            let tokens = TokenSource::new(Arc::new(procura(&server, key(algorithm), behind)));
            let api = Api::new(tokens, contact());
            for _ in 0..2 {
                assert_eq!(api.clients().await.unwrap().len(), 1, "{algorithm} {behind}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bound_token_is_worth_nothing_without_its_key() {
    let server = InProcess::new().await;
    let procura = procura(&server, key(Algorithm::Es256), 0);
    let token = procura.token_for_contact(&contact()).await.unwrap();
    let call = || Request::get(format!("{ISSUER}/clients")).body(Bytes::new()).unwrap();
    let status = async |request| server.send(request).await.unwrap().status().as_u16();

    let right = procura.prove_for_resource(call(), &token).await.unwrap();
    assert_eq!(status(right.clone()).await, 200);
    assert_eq!(status(right).await, 401, "a proof is used once");
    let thief = bound_to(key(Algorithm::Es256));
    let stolen = thief.prove_for_resource(call(), &token, BEGINNING, &SystemRandom).await.unwrap();
    assert_eq!(status(stolen).await, 401);
    let mut bare = procura.prove_for_resource(call(), &token).await.unwrap();
    bare.headers_mut().remove("dpop");
    assert_eq!(status(bare).await, 401);
}
