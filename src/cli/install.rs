//! What a package installs beside the command: its manual page, and completions for shells.

use std::io::{self, Write};

use clap::{Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;

use super::args::Task;
use super::console::print_message;
use super::failure::{Failure, Outcome};

/// Prints a script that completes the command's arguments in a shell.
pub(super) fn completions(shell: Shell) -> Outcome {
    let mut script = Vec::new();
    let mut command = Task::command();
    let name = command.get_name().to_owned();
    clap_complete::generate(shell, &mut command, name, &mut script);
    if shell == Shell::Bash {
        // clap_complete 4.6 looks for subcommands under another spelling of a name with a hyphen than it stores
        // (clap-rs/clap#6421), and would complete no option of a subcommand.
        script = text_of(script)
            .replace("kinesis__subcmd__sql", "kinesis__sql")
            .into_bytes();
    }
    print(Ok(script))
}

/// Prints the manual page, in the format of roff.
pub(super) fn manual() -> Outcome {
    print(page(Task::command()))
}

fn print(text: io::Result<Vec<u8>>) -> Outcome {
    let printed = text.and_then(|text| io::stdout().write_all(&text));
    match printed.map_err(Failure::from) {
        Ok(()) => Outcome::Done,
        Err(failure) => {
            if !matches!(failure, Failure::ClosedPipe) {
                print_message(&failure.message());
            }
            (&failure).into()
        }
    }
}

/// One page for the command and its subcommands.
fn page(mut command: Command) -> io::Result<Vec<u8>> {
    // Gives subcommands their full names.
    command.build();
    let mut page = Vec::new();
    let man = Man::new(command.clone()).manual("User Commands");
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    let mut page = text_of(page);
    page.push_str(&sections(&command)?);
    for subcommand in command.get_subcommands() {
        if subcommand.get_name() != "help" {
            let name = subcommand.get_name().to_uppercase();
            // Below the section of the subcommand.
            let parts = sections(subcommand)?.replace(".SH ", ".SS ");
            page.push_str(&format!(".SH {name}\n{parts}"));
        }
    }
    Ok(page.into_bytes())
}

/// What the command and its subcommands each have.
fn sections(command: &Command) -> io::Result<String> {
    let man = Man::new(command.clone());
    let mut parts = Vec::new();
    man.render_synopsis_section(&mut parts)?;
    man.render_description_section(&mut parts)?;
    man.render_options_section(&mut parts)?;
    if command.get_after_help().is_some() {
        man.render_extra_section(&mut parts)?;
    }
    // Each part begins with the same definition of an apostrophe, of which the page needs one.
    let is_definition = |line: &&str| line.starts_with(".ie ") || line.starts_with(".el ");
    let text = text_of(parts).replace(".SH EXTRA", ".SH NOTES");
    let lines = text.lines().filter(|line| !is_definition(line));
    Ok(lines.flat_map(|line| [line, "\n"]).collect())
}

fn text_of(roff: Vec<u8>) -> String {
    String::from_utf8(roff).expect("it is made of text")
}
