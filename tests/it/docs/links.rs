//! Links between pages lead to a page and a heading, on GitHub and in the API documentation.

use std::collections::BTreeMap;

use super::pages::{Page, all, root};

/// The definitions `[label]: target` at the end of a text.
fn definitions(text: &str) -> BTreeMap<&str, &str> {
    let lines = text.lines().filter_map(|line| line.strip_prefix('['));
    lines.filter_map(|line| line.split_once("]: ")).collect()
}

/// The anchor of a heading, as GitHub and rustdoc derive it.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter_map(|c| match c {
        ' ' => Some('-'),
        '-' | '_' => Some(c),
        c if c.is_alphanumeric() => Some(c.to_ascii_lowercase()),
        _ => None,
    });
    kept.collect()
}

fn anchors(page: &Page) -> Vec<String> {
    let prose = page.prose();
    let headings = prose.lines().filter_map(|line| line.strip_prefix('#'));
    headings
        .map(|line| anchor(line.trim_start_matches('#').trim()))
        .collect()
}

/// The module of the API documentation that shows a page.
fn module(page: &str) -> String {
    let name = page.trim_end_matches(".md").replace('-', "_");
    format!("crate::guide::{name}")
}

#[test]
fn links_lead_to_pages_and_headings() {
    let pages = all();
    for page in &pages {
        for (label, target) in definitions(&page.text) {
            let (file, heading) = target.split_once('#').unwrap_or((target, ""));
            let path = page.path.parent().unwrap().join(file);
            let linked = pages.iter().find(|page| page.path == path);
            let linked = linked.unwrap_or_else(|| panic!("{}: [{label}]: {target}", page.name));
            assert!(
                heading.is_empty() || anchors(linked).iter().any(|anchor| anchor == heading),
                "{}: [{label}]: {target}: no such heading",
                page.name
            );
            let used = format!("][{label}]");
            assert!(
                page.text.contains(&used),
                "{}: [{label}] is not used",
                page.name
            );
        }
    }
}

/// A relative link that is written in place would lead nowhere in the API documentation.
#[test]
fn links_between_pages_have_a_label_that_is_defined() {
    for page in all() {
        let prose = page.prose();
        let known = definitions(&page.text);
        for rest in prose.split("](").skip(1) {
            let target = rest.split(')').next().unwrap();
            let is_heading = |heading| anchors(&page).iter().any(|anchor| anchor == heading);
            assert!(
                target.starts_with("https://") || target.strip_prefix('#').is_some_and(is_heading),
                "{}: ]({target})",
                page.name
            );
        }
        for rest in prose.split("][").skip(1) {
            let label = rest.split(']').next().unwrap();
            let is_label = label.chars().all(|c| c.is_ascii_lowercase() || c == '-');
            assert!(
                !is_label || known.contains_key(label),
                "{}: [{label}] is not defined",
                page.name
            );
        }
    }
}

/// `UPDATE_DOCS=1` writes the file.
#[test]
fn the_api_documentation_resolves_the_same_links() {
    let pages = all();
    let mut links = BTreeMap::new();
    for page in &pages {
        for (label, target) in definitions(&page.text) {
            let target = target.trim_start_matches("docs/");
            let (file, heading) = match target.split_once('#') {
                Some((file, heading)) => (file, format!("#{heading}")),
                None => (target, String::new()),
            };
            let target = format!("{}{heading}", module(file));
            let other = links.insert(label, target.clone());
            assert!(
                other.as_ref().is_none_or(|other| *other == target),
                "{}: [{label}] is {other:?} elsewhere",
                page.name
            );
        }
    }
    let expected: String = links
        .iter()
        .map(|(label, target)| format!("[{label}]: {target}\n"))
        .collect();
    super::compare(&root().join("src/guide/links.md"), &expected);
}

#[test]
fn every_page_is_in_the_index_and_in_the_api_documentation() {
    let pages = all();
    let index = pages.iter().find(|page| page.name == "docs/README.md");
    let index = definitions(&index.unwrap().text);
    let modules = std::fs::read_to_string(root().join("src/guide/mod.rs")).unwrap();
    for page in &pages {
        let file = page.path.file_name().unwrap().to_str().unwrap();
        if file != "README.md" {
            assert!(index.values().any(|target| *target == file), "{file}");
            assert!(modules.contains(&format!("\"{file}\"")), "{file}");
        }
    }
}

#[test]
fn paths_for_developers_exist() {
    for page in ["CONTRIBUTING.md", "docs/architecture.md"] {
        let text = std::fs::read_to_string(root().join(page)).unwrap();
        let quoted = text.split('`').skip(1).step_by(2);
        let is_path = |quoted: &&str| quoted.contains('/') && !quoted.contains(char::is_whitespace);
        let folders = [
            "src/", "tests/", "docs/", "fuzz/", "crates/", "benches/", ".ci/",
        ];
        let paths: Vec<&str> = quoted
            .filter(is_path)
            .filter(|path| folders.iter().any(|folder| path.starts_with(folder)))
            .collect();
        assert!(paths.len() > 10, "{page}: {paths:?}");
        for path in paths {
            assert!(root().join(path).exists(), "{page}: {path}");
        }
    }
}
