//! A payment: made by whoever may manage payments, and authorised by a person.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use procura_guard::{
    ActingFor, ApplicationId, CanAuthorisePayments, CanManagePayments, ContactId, Person, Reading,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::Books;
use crate::answers::{Id, Problem, Sent};

/// What a caller asks for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    quote_id: u64,
    beneficiary: String,
}

/// What it gets.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Payment {
    payment_id: u64,
    quote_id: u64,
    beneficiary: String,
    /// For whom it was made, and by which program: both are known, and neither was typed in.
    made_for: ContactId,
    made_by: ApplicationId,
    authorised_by: Option<ContactId>,
}

/// `POST /payments?client_id=`
pub(crate) async fn make(
    acting: ActingFor<CanManagePayments>,
    State(books): State<Arc<Books>>,
    Sent(Asked { quote_id, beneficiary }): Sent<Asked>,
) -> Result<(StatusCode, Json<Payment>), Problem> {
    if !(1..=70).contains(&beneficiary.trim().chars().count()) || beneficiary.chars().any(char::is_control) {
        return Err(Problem::invalid("beneficiary is a name of 1 to 70 characters."));
    }
    // The quotes of this client: another's can't be paid, and is not even found.
    match books.quotes.of(&acting).change(quote_id, crate::quotes::Quote::take) {
        Some(true) => {}
        Some(false) => return Err(Problem::conflict("There is a payment for this quote.")),
        None => return Err(Problem::not_found("quote")),
    }
    let payment = books.payments.of(&acting).add(|payment_id| Payment {
        payment_id,
        quote_id,
        beneficiary,
        made_for: acting.contact().clone(),
        made_by: acting.application().clone(),
        authorised_by: None,
    });
    Ok((StatusCode::CREATED, Json(payment)))
}

/// `GET /payments?client_id=`
pub(crate) async fn list(acting: ActingFor<Reading>, State(books): State<Arc<Books>>) -> Json<Value> {
    Json(json!({ "data": books.payments.of(&acting).all() }))
}

/// `POST /payments/{payment_id}/authorise?client_id=`
///
/// Demands a person: a token that a program got with nobody at the keyboard is answered 403, whatever it
/// allows.
pub(crate) async fn authorise(
    acting: ActingFor<CanAuthorisePayments, Person>,
    State(books): State<Arc<Books>>,
    Id(payment_id): Id,
) -> Result<Json<Payment>, Problem> {
    let authorised = books.payments.of(&acting).change(payment_id, |payment| {
        if payment.authorised_by.is_some() {
            return Err(Problem::conflict("This payment is authorised."));
        }
        payment.authorised_by = Some(acting.contact().clone());
        Ok(Json(payment.clone()))
    });
    authorised.unwrap_or_else(|| Err(Problem::not_found("payment")))
}
