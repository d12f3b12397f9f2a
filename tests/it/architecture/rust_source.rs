//! Rust source as the architecture tests read it: without comments, literals and test items.

/// `text` with every comment, string and character literal blanked; line breaks stay.
fn without_literals(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut code = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = literal_end(&chars, at);
        if end == at {
            code.push(chars[at]);
            at += 1;
        }
        for blanked in &chars[at.min(end)..end] {
            code.push(if *blanked == '\n' { '\n' } else { ' ' });
        }
        at = at.max(end);
    }
    code
}

/// The end of the comment or literal that starts at `at`; `at` itself if none starts there.
fn literal_end(chars: &[char], at: usize) -> usize {
    let rest = &chars[at..];
    let after_word = at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_');
    let find = |from: usize, end: &[char]| {
        let mut places = rest[from.min(rest.len())..].windows(end.len());
        let place = places.position(|window| window == end);
        place.map_or(chars.len(), |place| at + from + place + end.len())
    };
    match rest {
        ['/', '/', ..] => at + rest.iter().take_while(|c| **c != '\n').count(),
        ['/', '*', ..] => find(2, &['*', '/']),
        ['"', ..] => at + escaped_len(rest, '"'),
        ['r', '"' | '#', ..] | ['b', 'r', '"' | '#', ..] if !after_word => {
            let marks = rest.iter().skip_while(|c| c.is_alphabetic());
            let hashes = marks.take_while(|c| **c == '#').count();
            let start = rest
                .iter()
                .take(2)
                .take_while(|c| c.is_alphabetic())
                .count()
                + hashes;
            match rest.get(start) {
                Some('"') => {
                    let end: Vec<char> = ['"'].into_iter().chain(vec!['#'; hashes]).collect();
                    find(start + 1, &end)
                }
                // A raw identifier.
                _ => at,
            }
        }
        ['\'', '\\', ..] | ['\'', _, '\'', ..] => at + escaped_len(rest, '\''),
        // A lifetime, or code.
        _ => at,
    }
}

/// The length of a literal that starts and ends with `quote`.
fn escaped_len(literal: &[char], quote: char) -> usize {
    let mut at = 1;
    while at < literal.len() {
        match literal[at] {
            '\\' => at += 2,
            c if c == quote => return at + 1,
            _ => at += 1,
        }
    }
    literal.len()
}

const TEST_ATTRIBUTE: &str = "#[cfg(test)]";

/// What an item can start with. A test-only field, variant or match arm is not removed.
const ITEM_STARTS: [&str; 17] = [
    "pub",
    "mod",
    "fn",
    "use",
    "impl",
    "struct",
    "enum",
    "trait",
    "const",
    "static",
    "type",
    "async",
    "unsafe",
    "extern",
    "macro_rules",
    "{",
    "let",
];

/// The code of a source file, and the names of the modules that it declares for tests only.
pub(super) struct RustSource {
    pub(super) code: String,
    pub(super) test_modules: Vec<String>,
}

impl RustSource {
    pub(super) fn parse(text: &str) -> Self {
        let mut rest = without_literals(text);
        let mut code = String::new();
        let mut test_modules = Vec::new();
        while let Some(at) = rest.find(TEST_ATTRIBUTE) {
            let tail = rest.split_off(at);
            code.push_str(&rest);
            let after = &tail[TEST_ATTRIBUTE.len()..];
            let item = after_attributes(after);
            let is_item = ITEM_STARTS.iter().any(|start| {
                let next = item.strip_prefix(start).map(|next| next.chars().next());
                next.is_some_and(|next| !next.is_some_and(|c| c.is_alphanumeric() || c == '_'))
            });
            if !is_item {
                rest = after.to_owned();
                continue;
            }
            let end = item_end(item);
            if let Some(name) = declared_module(&item[..end]) {
                test_modules.push(name);
            }
            let skipped = &tail[..tail.len() - item.len() + end];
            code.extend(skipped.chars().filter(|c| *c == '\n'));
            rest = item[end..].to_owned();
        }
        code.push_str(&rest);
        Self { code, test_modules }
    }
}

/// `text` without the attributes at its start.
fn after_attributes(text: &str) -> &str {
    let mut text = text.trim_start();
    while let Some(rest) = text.strip_prefix("#[") {
        let mut depth = 1;
        let end = rest.find(|c: char| {
            depth += i32::from(c == '[') - i32::from(c == ']');
            depth == 0
        });
        text = end.map_or("", |end| &rest[end + 1..]).trim_start();
    }
    text
}

/// The end of the item that `text` starts with.
fn item_end(text: &str) -> usize {
    let ends_with_semicolon = ["use ", "const ", "static ", "type ", "let "]
        .iter()
        .any(|start| without_visibility(text).starts_with(start));
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        match c {
            '{' | '(' | '[' => depth += 1,
            '}' | ')' | ']' => {
                depth -= 1;
                if depth == 0 && c == '}' && !ends_with_semicolon {
                    return at + 1;
                }
            }
            ';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn without_visibility(item: &str) -> &str {
    let Some(rest) = item.strip_prefix("pub") else {
        return item;
    };
    let rest = rest.trim_start();
    match rest.strip_prefix('(') {
        Some(scope) => scope.split_once(')').map_or("", |(_, rest)| rest),
        None => rest,
    }
    .trim_start()
}

/// The name in `mod name;`.
fn declared_module(item: &str) -> Option<String> {
    let name = without_visibility(item).strip_prefix("mod ")?;
    Some(name.strip_suffix(';')?.trim().to_owned())
}

#[test]
fn literals_and_comments_are_blanked() {
    let text = r###"
let a = "crate::x \" // "; // crate::y
let b = '"'; /* crate::z */ let c: &'static str = r#"crate::"w""#;
let d = b"crate::v"; let e = r"\"; let f = crate::used;
"###;
    let code = without_literals(text);
    let uses: Vec<_> = code.match_indices("crate::").collect();
    assert_eq!(uses.len(), 1, "{code}");
    assert!(code.contains("crate::used"), "{code}");
    assert_eq!(code.lines().count(), text.lines().count());
}

#[test]
fn test_items_are_removed_and_the_code_behind_them_is_kept() {
    let text = r"
use a::b;
#[cfg(test)]
use c::{d, e};
#[cfg(test)]
#[expect(dead_code, reason = 'x')]
pub(crate) fn f(x: [u8; 2]) { if x { y } }
fn g() {}
#[cfg(test)]
mod tests;
#[cfg(test)]
mod more { use h; }
struct S {
    #[cfg(test)]
    field: i,
}
";
    let source = RustSource::parse(text);
    let code: Vec<&str> = source
        .code
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let kept = ["use a::b;", "fn g() {}", "struct S {", "    field: i,", "}"];
    assert_eq!(code, kept);
    assert_eq!(source.test_modules, ["tests"]);
    assert_eq!(source.code.lines().count(), text.lines().count());
}
