//! A quote: what an amount in one currency is in another.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use procura_guard::{ActingFor, CanTrade, Reading};
use serde::{Deserialize, Serialize};

use crate::Books;
use crate::answers::{Id, Problem, Sent};

/// The most that is quoted, in minor units: ten million.
const MOST: u64 = 1_000_000_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum Currency {
    Eur,
    Gbp,
    Usd,
}

impl Currency {
    /// What one is worth, in millionths of a euro. Whole numbers: money is never a float.
    fn worth(self) -> u64 {
        match self {
            Currency::Eur => 1_000_000,
            Currency::Gbp => 1_150_000,
            Currency::Usd => 860_000,
        }
    }
}

/// What a caller asks for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    sell: Currency,
    buy: Currency,
    /// In minor units: 12345 is 123.45.
    sell_amount: u64,
}

/// What it gets.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Quote {
    quote_id: u64,
    sell: Currency,
    buy: Currency,
    sell_amount: u64,
    buy_amount: u64,
    /// One payment for each quote.
    used: bool,
}

impl Quote {
    /// Takes it for a payment; whether it was still free.
    pub(crate) fn take(&mut self) -> bool {
        !std::mem::replace(&mut self.used, true)
    }
}

/// `POST /quotes?client_id=`
// [readme
pub(crate) async fn ask(
    acting: ActingFor<CanTrade>,
    State(books): State<Arc<Books>>,
    Sent(asked): Sent<Asked>,
) -> Result<(StatusCode, Json<Quote>), Problem> {
    // readme]
    let Asked { sell, buy, sell_amount } = asked;
    if sell == buy {
        return Err(Problem::invalid("sell and buy are the same currency."));
    }
    if !(1..=MOST).contains(&sell_amount) {
        return Err(Problem::invalid(format!("sell_amount is 1 to {MOST}, in minor units.")));
    }
    // Can't overflow: 10^9 by about 10^6. Rounded down.
    let buy_amount = sell_amount * sell.worth() / buy.worth();
    let quote = |quote_id| Quote { quote_id, sell, buy, sell_amount, buy_amount, used: false };
    Ok((StatusCode::CREATED, Json(books.quotes.of(&acting).add(quote))))
}

/// `GET /quotes/{quote_id}?client_id=`
pub(crate) async fn one(
    // No permission is asked for: whoever may act for the client at all may read.
    acting: ActingFor<Reading>,
    State(books): State<Arc<Books>>,
    Id(quote_id): Id,
) -> Result<Json<Quote>, Problem> {
    books.quotes.of(&acting).get(quote_id).map(Json).ok_or_else(|| Problem::not_found("quote"))
}
