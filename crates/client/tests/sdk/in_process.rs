//! The SDK and the server in one process: every door, every key, and nonces, as both sides understand them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use procura_client::{
    Algorithm, Application, ApplicationId, AssertionKey, Clock, ContactId, Door, DpopKey, Error, Issuer,
    Permission, Permissions, PostTokenForContactResponse, Procura, ResourceId, Secret, SystemRandom,
    TokenOptions, TokenType, Transport, TransportError, UnixSeconds,
};
use procura_protocol::claims::ACCESS_TOKEN_TYPE;
use procura_testkit::assertion::AssertionKey as Registered;
use procura_testkit::clock::BEGINNING;
use procura_testkit::world::{APPLICATION, CONTACT, ISSUER, OTHER_RESOURCE, SECRET};
use procura_testkit::{TestApp, World};
use serde_json::{Value, json};

const DOORS: [Door; 3] = [Door::ContactToken, Door::JwtBearer, Door::TokenExchange];

/// Carries requests to the server without a socket.
struct InProcess(TestApp);

impl Transport for InProcess {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let answer = self.0.send(request.map(Into::into)).await;
        let mut response = Response::new(Bytes::from(answer.body));
        *response.status_mut() = answer.status;
        *response.headers_mut() = answer.headers;
        Ok(response)
    }
}

/// A clock that is so many seconds ahead of the server's.
struct Ahead(i64);

impl Clock for Ahead {
    fn now(&self) -> UnixSeconds {
        BEGINNING.plus(self.0)
    }

    fn elapsed(&self) -> Duration {
        Duration::ZERO
    }
}

/// A world in which the application's key is registered, and a proof of possession asked for or not.
fn world(key: &(Arc<AssertionKey>, Registered), bound: bool) -> World {
    World::default().registration(|registration| {
        registration.keys = [key.1.registered()].into();
        registration.proof_of_key = bound;
    })
}

fn key(algorithm: Algorithm) -> (Arc<AssertionKey>, Registered) {
    let (key, pkcs8) = AssertionKey::generate(algorithm).unwrap();
    (Arc::new(key), Registered::from_pkcs8(algorithm, &pkcs8))
}

fn application(signer: Arc<AssertionKey>) -> Application {
    let (issuer, id) = (Issuer::parse(ISSUER).unwrap(), ApplicationId::parse(APPLICATION).unwrap());
    Application::new(issuer, &id, &Secret::from(SECRET.to_owned())).signing_grants_with(signer)
}

fn procura(world: &World, application: Application, ahead: i64) -> (Procura<Arc<InProcess>>, Arc<InProcess>) {
    asking(TestApp::new(world), application, ahead)
}

fn asking(app: TestApp, application: Application, ahead: i64) -> (Procura<Arc<InProcess>>, Arc<InProcess>) {
    let server = Arc::new(InProcess(app));
    let random = Arc::new(SystemRandom);
    (Procura::new(application, Arc::clone(&server), Arc::new(Ahead(ahead)), random), server)
}

fn contact() -> ContactId {
    ContactId::parse(CONTACT).unwrap()
}

fn claims(server: &InProcess, token: &PostTokenForContactResponse) -> Value {
    server.0.verify(token.access_token.as_ref().unwrap().expose(), ACCESS_TOKEN_TYPE)
}

#[tokio::test]
async fn every_door_gives_a_token_that_is_bound_to_the_key_that_was_proved() {
    let signer = key(Algorithm::Es256);
    for door in DOORS {
        for proof in [None, Some(Algorithm::Es256), Some(Algorithm::Ps256), Some(Algorithm::EdDsa)] {
            let mut application = application(Arc::clone(&signer.0)).through(door).unwrap();
            let proof = proof.map(|algorithm| DpopKey::generate(algorithm).unwrap().0);
            if let Some(key) = &proof {
                application = application.with_proof_key(key.clone());
            }
            let (procura, server) = procura(&world(&signer, proof.is_some()), application, 0);
            let token = procura.token_for_contact(&contact()).await.unwrap();
            let kind = if proof.is_some() { TokenType::DPoP } else { TokenType::Bearer };
            assert_eq!(token.token_type, Some(kind), "{door:?}");
            assert_eq!(token.expires_in, Some(Duration::from_secs(3_600)));
            let claims = claims(&server, &token);
            let bound_to = proof.map(|key| json!({ "jkt": key.thumbprint().as_str() }));
            assert_eq!((claims["sub"].as_str(), claims.get("cnf")), (Some(CONTACT), bound_to.as_ref()));
            let proof = procura.verify_id_token(&token, &contact()).await.unwrap();
            assert_eq!(proof.clients.len(), 3, "{door:?}");
        }
    }
}

#[tokio::test]
async fn a_key_of_any_algorithm_signs_in_and_grants() {
    for algorithm in [Algorithm::Es256, Algorithm::Ps256, Algorithm::EdDsa] {
        let signer = key(algorithm);
        let world = world(&signer, false).by("private_key_jwt");
        for door in DOORS {
            let issuer = Issuer::parse(ISSUER).unwrap();
            let id = ApplicationId::parse(APPLICATION).unwrap();
            let application = Application::by_assertion(issuer, &id, signer.0.clone()).through(door).unwrap();
            let (procura, _) = procura(&world, application, 0);
            procura.token_for_contact(&contact()).await.unwrap();
            procura.own_token(None).await.unwrap();
        }
    }
}

#[tokio::test]
async fn every_door_narrows_alike() {
    let signer = key(Algorithm::Es256);
    let trade = Permissions::NONE.with(Permission::Trade);
    let options = TokenOptions::default()
        .only_permissions(trade)
        .unwrap()
        .for_resource(ResourceId::parse(OTHER_RESOURCE).unwrap());
    let mut told = Vec::new();
    for door in DOORS {
        let application = application(Arc::clone(&signer.0)).through(door).unwrap();
        let (procura, server) = procura(&world(&signer, false), application, 0);
        let token = procura.token_for_contact_with(&contact(), &options).await.unwrap();
        procura.verify_id_token(&token, &contact()).await.unwrap();
        let claims = claims(&server, &token);
        told.push(["aud", "scope", "clients", "mandates"].map(|name| claims[name].clone()));
    }
    assert_eq!(told[0][0], OTHER_RESOURCE);
    assert!(told.iter().all(|one| *one == told[0]), "{told:?}");
}

#[tokio::test]
async fn the_applications_own_token_acts_for_nobody() {
    let signer = key(Algorithm::Es256);
    for bound in [false, true] {
        let mut application = application(Arc::clone(&signer.0));
        if bound {
            application = application.with_proof_key(DpopKey::generate(Algorithm::Es256).unwrap().0);
        }
        let (procura, server) = procura(&world(&signer, bound), application, 0);
        let resource = ResourceId::parse(OTHER_RESOURCE).unwrap();
        let token = procura.own_token(Some(&resource)).await.unwrap();
        let claims = claims(&server, &token);
        assert_eq!((&claims["sub"], &claims["aud"]), (&json!(APPLICATION), &json!(OTHER_RESOURCE)));
        assert_eq!((claims.get("act"), claims.get("cnf").is_some()), (None, bound));
        assert!(token.id_token.is_none());
    }
}

#[tokio::test]
async fn a_proof_from_before_the_server_began_is_made_again_with_its_nonce() {
    let signer = key(Algorithm::Es256);
    for door in DOORS {
        let application = application(Arc::clone(&signer.0)).through(door).unwrap();
        let application = application.with_proof_key(DpopKey::generate(Algorithm::EdDsa).unwrap().0);
        let app = TestApp::after_another(&world(&signer, true), &[Algorithm::Es256]);
        let (procura, _) = asking(app, application, -3);
        for _ in 0..2 {
            procura.token_for_contact(&contact()).await.unwrap();
        }
    }
}

#[tokio::test]
async fn many_at_once_prove_as_many_requests_and_all_are_served() {
    let signer = key(Algorithm::Es256);
    let application = application(Arc::clone(&signer.0)).through(Door::JwtBearer).unwrap();
    let application = application.with_proof_key(DpopKey::generate(Algorithm::Es256).unwrap().0);
    let procura = Arc::new(procura(&world(&signer, true), application, -1).0);
    let mut asked = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let procura = Arc::clone(&procura);
        asked.spawn(async move { procura.token_for_contact(&contact()).await });
    }
    for answer in asked.join_all().await {
        assert_eq!(answer.unwrap().token_type, Some(TokenType::DPoP));
    }
}

#[tokio::test]
async fn who_proves_what_is_not_registered_and_who_does_not_prove_what_is_are_refused() {
    let signer = key(Algorithm::Es256);
    for (registered, code) in [(true, "invalid_dpop_proof"), (false, "invalid_request")] {
        for door in DOORS {
            let mut application = application(Arc::clone(&signer.0)).through(door).unwrap();
            if !registered {
                application = application.with_proof_key(DpopKey::generate(Algorithm::Es256).unwrap().0);
            }
            let (procura, _) = procura(&world(&signer, registered), application, 0);
            let error = procura.token_for_contact(&contact()).await.unwrap_err();
            assert!(matches!(&error, Error::Refused { error, .. } if error == code), "{error}");
        }
    }
}

#[tokio::test]
async fn a_grant_of_a_key_that_is_not_registered_is_refused() {
    let (signer, stranger) = (key(Algorithm::Es256), key(Algorithm::Es256));
    for door in [Door::JwtBearer, Door::TokenExchange] {
        let application = application(Arc::clone(&stranger.0)).through(door).unwrap();
        let (procura, _) = procura(&world(&signer, false), application, 0);
        let error = procura.token_for_contact(&contact()).await.unwrap_err();
        assert!(matches!(&error, Error::Refused { error, .. } if error == "invalid_grant"), "{error}");
    }
}
