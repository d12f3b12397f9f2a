//! What was found, and how it is shown.

use std::fmt::{self, Write};

use crate::cli::escape::{line, lines};

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// It works.
    Good,
    /// It does not, and has to be mended.
    Bad,
    /// It could not be found out, or is done by the first start.
    Open,
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Good => "✓",
            Self::Bad => "✗",
            Self::Open => "–",
        })
    }
}

/// One check, and what there is to say about it.
#[derive(Debug)]
struct Finding {
    mark: Mark,
    check: &'static str,
    detail: String,
}

/// The checks of one thing.
#[derive(Debug)]
pub(super) struct Section {
    title: String,
    findings: Vec<Finding>,
}

impl Section {
    /// Nothing is checked yet.
    pub(super) fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            findings: Vec::new(),
        }
    }

    pub(super) fn good(&mut self, check: &'static str, detail: impl fmt::Display) {
        self.add(Mark::Good, check, &detail);
    }

    pub(super) fn bad(&mut self, check: &'static str, detail: impl fmt::Display) {
        self.add(Mark::Bad, check, &detail);
    }

    pub(super) fn open(&mut self, check: &'static str, detail: impl fmt::Display) {
        self.add(Mark::Open, check, &detail);
    }

    fn add(&mut self, mark: Mark, check: &'static str, detail: &dyn fmt::Display) {
        self.findings.push(Finding {
            mark,
            check,
            detail: detail.to_string(),
        });
    }
}

/// All sections, and in the last line how many things have to be mended.
pub(super) fn text(sections: &[Section]) -> String {
    let mut text = String::new();
    for section in sections {
        let widths = section.findings.iter().map(|f| f.check.chars().count());
        let width = widths.max().unwrap_or(0);
        write_line(&mut text, format_args!("{}", line(&section.title)));
        for Finding {
            mark,
            check,
            detail,
        } in &section.findings
        {
            // Further lines of a detail stand below its first.
            let detail = lines(detail).replace('\n', &format!("\n{:1$}", "", width + 6));
            let found = format!("  {mark} {check:width$}  {detail}");
            write_line(&mut text, format_args!("{}", found.trim_end()));
        }
        text.push('\n');
    }
    write_line(
        &mut text,
        match bad(sections) {
            0 => format_args!("nothing to mend"),
            1 => format_args!("1 thing to mend"),
            many => return text + &format!("{many} things to mend\n"),
        },
    );
    text
}

/// How many checks say that something has to be mended.
pub(super) fn bad(sections: &[Section]) -> usize {
    let findings = sections.iter().flat_map(|section| &section.findings);
    findings.filter(|finding| finding.mark == Mark::Bad).count()
}

fn write_line(text: &mut String, line: fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("a String takes all that is written to it");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_stand_in_a_column_and_the_last_line_counts() {
        let mut words = Section::new("a.sql:1  words");
        words.good("options", "");
        words.bad("GetRecords", "denied\nallow it");
        let mut place = Section::new("checkpoint");
        place.open("table", "is made by a start");
        let expected = "\
a.sql:1  words
  ✓ options
  ✗ GetRecords  denied
                allow it

checkpoint
  – table  is made by a start

1 thing to mend
";
        assert_eq!(text(&[words, place]), expected);
        assert_eq!(text(&[]), "nothing to mend\n");
    }
}
