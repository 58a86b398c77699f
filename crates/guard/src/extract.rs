//! The extractors: a handler that names what it needs gets who acts for whom, or is not called.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use axum_core::extract::FromRequestParts;
use axum_core::response::{IntoResponse, Response};
use http::request::Parts;

use crate::authority::{Authority, OnBehalf};
use crate::authorization::Scheme;
use crate::check::Guard;
use crate::layer::Passed;
use crate::need::{Anyone, Need, RouteNeed, RoutePresence};
use crate::refusal::{Challenger, Refusal};

/// An application acts for a contact on one client, and the token allows what the route needs.
///
/// `N` is what the route needs: one of the ten permissions ([`crate::CanTrade`] and so on), or
/// [`crate::Reading`] where authority to read is enough. `W` says who must be there: [`crate::Anyone`] or
/// [`crate::Person`].
///
/// A route that forgets to say what it needs does not build:
///
/// ```compile_fail,E0107
/// use procura_guard::ActingFor;
///
/// async fn quotes(acting: ActingFor) {}
/// ```
///
/// Nor does one that names something else:
///
/// ```compile_fail,E0277
/// use procura_guard::ActingFor;
///
/// async fn quotes(acting: ActingFor<String>) {}
/// ```
///
/// And nobody but the extractor can make one:
///
/// ```compile_fail,E0451
/// use procura_guard::{ActingFor, Authority, CanTrade};
///
/// fn forge(authority: Authority) -> ActingFor<CanTrade> {
///     ActingFor { authority, route: std::marker::PhantomData }
/// }
/// ```
///
/// ```
/// use procura_guard::{ActingFor, CanTrade, Person, Reading};
///
/// async fn rates(acting: ActingFor<Reading>) -> String {
///     format!("rates for {}", acting.client())
/// }
///
/// async fn trade(acting: ActingFor<CanTrade, Person>) -> String {
///     format!("{} trades for {}", acting.contact(), acting.client())
/// }
/// ```
pub struct ActingFor<N: RouteNeed, W: RoutePresence = Anyone> {
    authority: Authority,
    route: PhantomData<fn() -> (N, W)>,
}

/// An application acts for a contact, on a route that is about no single client.
///
/// ```
/// use procura_guard::OnBehalfOf;
///
/// async fn clients(acting: OnBehalfOf) -> String {
///     acting.mandates().iter().map(|mandate| format!("{}\n", mandate.client)).collect()
/// }
/// ```
pub struct OnBehalfOf<W: RoutePresence = Anyone> {
    behalf: OnBehalf,
    route: PhantomData<fn() -> W>,
}

/// A call that is refused by an extractor, and the realm of the answer.
#[derive(Debug, Clone)]
pub struct Rejection {
    refusal: Refusal,
    /// Whose answer it is, and how the token came.
    guard: Option<(Guard, Scheme)>,
}

impl Rejection {
    /// Why.
    pub fn refusal(&self) -> &Refusal {
        &self.refusal
    }
}

impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        match self.guard {
            Some((guard, came_as)) => guard.answer_as(&self.refusal, came_as),
            None => self.refusal.answer(&Challenger::default()),
        }
        .map(axum_core::body::Body::from)
    }
}

impl<N: RouteNeed, W: RoutePresence, S: Sync> FromRequestParts<S> for ActingFor<N, W> {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Rejection> {
        let authority = passed(parts, |passed| {
            let client = passed.place.find(&parts.headers, &parts.uri)?;
            passed.token.acting_for(&client, Need { permission: N::PERMISSION, person: W::PERSON })
        })?;
        Ok(ActingFor { authority, route: PhantomData })
    }
}

impl<W: RoutePresence, S: Sync> FromRequestParts<S> for OnBehalfOf<W> {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Rejection> {
        let behalf = passed(parts, |passed| passed.token.on_behalf_of(W::PERSON))?;
        Ok(OnBehalfOf { behalf, route: PhantomData })
    }
}

/// Asks what the layer left. Without a layer nothing was checked, so nothing passes.
fn passed<T>(parts: &Parts, ask: impl FnOnce(&Passed) -> Result<T, Refusal>) -> Result<T, Rejection> {
    let Some(passed) = parts.extensions.get::<Passed>() else {
        let refusal = Refusal::NoLayer;
        tracing::error!(path = parts.uri.path(), "{refusal}");
        return Err(Rejection { refusal, guard: None });
    };
    ask(passed).map_err(|refusal| {
        let guard = Some((passed.guard.clone(), Scheme::of(&parts.headers)));
        Rejection { refusal, guard }
    })
}

impl<N: RouteNeed, W: RoutePresence> Deref for ActingFor<N, W> {
    type Target = Authority;

    fn deref(&self) -> &Authority {
        &self.authority
    }
}

impl<W: RoutePresence> Deref for OnBehalfOf<W> {
    type Target = OnBehalf;

    fn deref(&self) -> &OnBehalf {
        &self.behalf
    }
}

impl<N: RouteNeed, W: RoutePresence> Clone for ActingFor<N, W> {
    fn clone(&self) -> Self {
        ActingFor { authority: self.authority.clone(), route: PhantomData }
    }
}

impl<W: RoutePresence> Clone for OnBehalfOf<W> {
    fn clone(&self) -> Self {
        OnBehalfOf { behalf: self.behalf.clone(), route: PhantomData }
    }
}

impl<N: RouteNeed, W: RoutePresence> fmt::Debug for ActingFor<N, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.authority.fmt(f)
    }
}

impl<W: RoutePresence> fmt::Debug for OnBehalfOf<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.behalf.fmt(f)
    }
}
