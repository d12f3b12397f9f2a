//! Values that are written as text.

/// The bytes of a base64 text, with or without padding, in the standard or the URL-safe alphabet.
pub(super) fn base64(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=');
    let variant = match text.contains(['-', '_']) {
        true => &base64_simd::URL_SAFE_NO_PAD,
        false => &base64_simd::STANDARD_NO_PAD,
    };
    variant.decode_to_vec(text).ok()
}

/// `true` or `false`, ignoring case.
pub(super) fn boolean(text: &str) -> Option<bool> {
    let is = |word: &str| text.eq_ignore_ascii_case(word);
    match (is("true"), is("false")) {
        (true, _) => Some(true),
        (_, true) => Some(false),
        _ => None,
    }
}

/// `NaN` and infinities, ignoring case.
pub(super) fn special_float(text: &str) -> Option<f64> {
    let (negative, name) = match text.strip_prefix('-') {
        Some(name) => (true, name),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let is = |word: &str| name.eq_ignore_ascii_case(word);
    let value = if is("nan") {
        f64::NAN
    } else if is("inf") || is("infinity") {
        f64::INFINITY
    } else {
        return None;
    };
    Some(if negative { -value } else { value })
}
