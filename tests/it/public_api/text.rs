//! Tokens as one line of source text.

use quote::ToTokens;

/// Tokens that the printer separates although source text does not.
const CLOSER: &[(&str, &str)] = &[
    (" :: ", "::"),
    (":: ", "::"),
    (" <", "<"),
    ("< ", "<"),
    (" >", ">"),
    ("& ", "&"),
    ("* ", "*"),
    (" :", ":"),
    (" ,", ","),
    (" ;", ";"),
    (" (", "("),
    ("->(", "-> ("),
    ("= (", "= ("),
    (",)", ")"),
    (", >", ">"),
    ("{", " {"),
    ("  {", " {"),
    (", }", " }"),
    ("(mut ", "("),
    (", mut ", ", "),
];

pub(super) fn line(tokens: &impl ToTokens) -> String {
    let mut text = tokens.to_token_stream().to_string().replace('\n', " ");
    for (apart, close) in CLOSER {
        text = text.replace(apart, close);
    }
    text.trim_end_matches(',').to_owned()
}
