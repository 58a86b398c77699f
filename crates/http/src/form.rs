//! Whether a body is a form.

use http::HeaderMap;
use http::header::CONTENT_TYPE;

/// A body may come without a type, as a form, or as `*/*`, which the published description says.
pub(crate) fn is_form(headers: &HeaderMap) -> bool {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let Some(declared) = types.next() else { return true };
    let Ok(declared) = declared.to_str() else { return false };
    let essence = declared.split(';').next().unwrap_or_default().trim();
    types.next().is_none()
        && (essence == "*/*" || essence.eq_ignore_ascii_case("application/x-www-form-urlencoded"))
}
