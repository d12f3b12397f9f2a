//! Findings of the doctor, and their text.

use std::fmt::{self, Write};

use crate::cli::escape::{line, lines};

/// The result of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    /// Passed.
    Passed,
    /// Failed, and must be fixed.
    Failed,
    /// Not checked, or done by the first start of a query.
    Unknown,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Passed => "✓",
            Self::Failed => "✗",
            Self::Unknown => "–",
        })
    }
}

/// One check with its details.
#[derive(Debug)]
struct Finding {
    status: Status,
    check: &'static str,
    detail: String,
}

/// The checks of one table, checkpoint or statement.
#[derive(Debug)]
pub(super) struct Section {
    title: String,
    findings: Vec<Finding>,
}

impl Section {
    /// Creates a section without findings.
    pub(super) fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            findings: Vec::new(),
        }
    }

    pub(super) fn passed(&mut self, check: &'static str, detail: impl fmt::Display) {
        self.add(Status::Passed, check, &detail);
    }

    pub(super) fn failed(&mut self, check: &'static str, detail: impl fmt::Display) {
        self.add(Status::Failed, check, &detail);
    }

    pub(super) fn unknown(&mut self, check: &'static str, detail: impl fmt::Display) {
        self.add(Status::Unknown, check, &detail);
    }

    fn add(&mut self, status: Status, check: &'static str, detail: &dyn fmt::Display) {
        self.findings.push(Finding {
            status,
            check,
            detail: detail.to_string(),
        });
    }
}

/// Formats all sections, followed by a line with the number of problems.
pub(super) fn text(sections: &[Section]) -> String {
    let mut text = String::new();
    for section in sections {
        let widths = section.findings.iter().map(|f| f.check.chars().count());
        let width = widths.max().unwrap_or(0);
        write_line(&mut text, format_args!("{}", line(&section.title)));
        for Finding {
            status,
            check,
            detail,
        } in &section.findings
        {
            // Further lines of a detail are aligned with the first.
            let detail = lines(detail).replace('\n', &format!("\n{:1$}", "", width + 6));
            let found = format!("  {status} {check:width$}  {detail}");
            write_line(&mut text, format_args!("{}", found.trim_end()));
        }
        text.push('\n');
    }
    write_line(
        &mut text,
        match failures(sections) {
            0 => format_args!("no problems found"),
            1 => format_args!("1 problem found"),
            many => return text + &format!("{many} problems found\n"),
        },
    );
    text
}

/// Number of failed checks.
pub(super) fn failures(sections: &[Section]) -> usize {
    let findings = sections.iter().flat_map(|section| &section.findings);
    findings
        .filter(|finding| finding.status == Status::Failed)
        .count()
}

fn write_line(text: &mut String, line: fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("a String takes all that is written to it");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_are_aligned_and_the_last_line_counts_problems() {
        let mut words = Section::new("a.sql:1  words");
        words.passed("options", "");
        words.failed("GetRecords", "denied\nallow it");
        let mut checkpoint = Section::new("checkpoint");
        checkpoint.unknown("table", "created at the first start");
        let expected = "\
a.sql:1  words
  ✓ options
  ✗ GetRecords  denied
                allow it

checkpoint
  – table  created at the first start

1 problem found
";
        assert_eq!(text(&[words, checkpoint]), expected);
        assert_eq!(text(&[]), "no problems found\n");
    }
}
