//! The pages and their fenced blocks.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::ROOT;

/// How much of a block can be run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trial {
    Run,
    /// Tables are created; other statements are only planned.
    Plan,
    Parse,
}

/// A fenced block.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) language: String,
    pub(super) text: String,
    /// What the block needs but the reader does not see, from a comment `<!-- setup … -->` above it.
    pub(super) setup: String,
    /// From a comment `<!-- plan: why -->` or `<!-- parse: why -->` above it.
    pub(super) trial: Trial,
}

/// The README or a page of `docs/`.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) path: PathBuf,
    /// The path from the root of the repository.
    pub(super) name: String,
    pub(super) text: String,
}

pub(super) fn root() -> &'static Path {
    Path::new(ROOT)
}

/// The README and all pages.
pub(super) fn all() -> Vec<Page> {
    let pages = fs::read_dir(root().join("docs")).unwrap();
    let paths = pages.map(|entry| entry.unwrap().path());
    let is_page = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "md");
    let mut paths: Vec<_> = paths.filter(is_page).collect();
    paths.sort();
    paths.insert(0, root().join("README.md"));
    let page = |path: PathBuf| Page {
        name: path.strip_prefix(root()).unwrap().display().to_string(),
        text: fs::read_to_string(&path).unwrap(),
        path,
    };
    paths.into_iter().map(page).collect()
}

impl Page {
    pub(super) fn blocks(&self) -> Vec<Block> {
        let mut blocks = Vec::new();
        let mut lines = self.text.lines();
        let (mut setup, mut trial) = (String::new(), Trial::Run);
        while let Some(line) = lines.next() {
            let trimmed = line.trim_start();
            if trimmed == "<!-- setup" {
                let hidden = lines.by_ref().take_while(|line| line.trim() != "-->");
                setup.extend(hidden.flat_map(|line| [line, "\n"]));
            } else if trimmed.starts_with("<!-- plan: ") {
                trial = Trial::Plan;
            } else if trimmed.starts_with("<!-- parse: ") {
                trial = Trial::Parse;
            } else if let Some(language) = trimmed.strip_prefix("```") {
                let fenced = lines.by_ref().take_while(|line| line.trim() != "```");
                blocks.push(Block {
                    language: language.to_owned(),
                    text: fenced.flat_map(|line| [line, "\n"]).collect(),
                    setup: std::mem::take(&mut setup),
                    trial: std::mem::replace(&mut trial, Trial::Run),
                });
            }
        }
        blocks
    }

    /// The text without fenced blocks.
    pub(super) fn prose(&self) -> String {
        let parts = self.text.split("```").step_by(2);
        parts.collect()
    }
}

#[test]
fn the_readme_is_short() {
    let readme = all().remove(0);
    assert!(readme.text.lines().count() <= 200);
}
