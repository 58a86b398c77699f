//! The way to one server: transport, clocks, randomness, and what its metadata say.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use procura_jose::Random;

use crate::answer::check_status;
use crate::application::Application;
use crate::clock::{Apart, Clock};
use crate::error::Error;
use crate::issuer::Issuer;
use crate::kept::Kept;
use crate::metadata::{ServerMetadata, parse_metadata_response};
use crate::retry::{self, Judge, Patience};
use crate::transport::Transport;

pub(crate) struct Asking<T> {
    transport: T,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    metadata: Kept<ServerMetadata>,
}

impl<T: Transport> Asking<T> {
    pub(crate) fn new(transport: T, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Asking<T> {
        Asking { transport, clock, random, metadata: Kept::new() }
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        self.clock.as_ref()
    }

    /// Sends a request until an answer with status 200 came, or there is no more point in it.
    pub(crate) async fn send(
        &self,
        patience: Patience,
        request: Request<Bytes>,
    ) -> Result<Response<Bytes>, Error> {
        let once = || async { Ok(self.transport.send(request.clone()).await?) };
        retry::send(self.random.as_ref(), patience, check_status, once).await
    }

    /// Sends a request of this application until its answer is judged a success, with proofs that are new in each try.
    pub(crate) async fn send_proved(
        &self,
        patience: Patience,
        request: Request<Bytes>,
        (application, judge): (&Application, Judge),
    ) -> Result<Response<Bytes>, Error> {
        let once = || self.prove_and_send(&request, application);
        retry::send(self.random.as_ref(), patience, judge, once).await
    }

    /// One try. A server that wants its nonce in the proof did nothing yet, so that is answered at once, and once.
    async fn prove_and_send(
        &self,
        request: &Request<Bytes>,
        application: &Application,
    ) -> Result<Response<Bytes>, Error> {
        let mut response = self.proved(request, application).await?;
        if application.take_nonce(request, &response) {
            response = self.proved(request, application).await?;
            application.take_nonce(request, &response);
        }
        Ok(response)
    }

    async fn proved(
        &self,
        request: &Request<Bytes>,
        application: &Application,
    ) -> Result<Response<Bytes>, Error> {
        let request = application.prove(request.clone(), self.clock.now(), self.random.as_ref()).await?;
        let mut response = self.transport.send(request).await?;
        if application.signs()
            && response.status().is_client_error()
            && let Some(apart) = Apart::read(response.headers(), self.clock.now())
        {
            response.extensions_mut().insert(apart);
        }
        Ok(response)
    }

    pub(crate) fn random(&self) -> &dyn Random {
        self.random.as_ref()
    }

    /// The server's metadata, at most five minutes old.
    pub(crate) async fn metadata(
        &self,
        request: Request<Bytes>,
        issuer: &Issuer,
    ) -> Result<Arc<ServerMetadata>, Error> {
        let fetch = async { parse_metadata_response(self.send(Patience::SHORT, request).await?, issuer) };
        Ok(self.metadata.get(self.clock(), None, fetch).await?.0)
    }
}
