//! The completions and the manual page that the command prints.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use crate::process::{command, folder};

const SUBCOMMANDS: [&str; 7] = [
    "doctor",
    "run",
    "infer",
    "consumers",
    "embedded",
    "completions",
    "man",
];

fn printed(arguments: &[&str]) -> String {
    let output = command().args(arguments).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// The long options of the command and its subcommands.
fn options() -> BTreeSet<String> {
    let mut options = BTreeSet::new();
    let subcommands = SUBCOMMANDS.map(|name| vec![name, "--help"]);
    for arguments in [vec!["--help"]].into_iter().chain(subcommands) {
        let help = printed(&arguments);
        let words = help.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
        let long = words.filter(|word| word.starts_with("--") && word.len() > 3);
        options.extend(long.map(str::to_owned));
    }
    assert!(options.len() > 20, "{options:?}");
    options
}

#[test]
fn completions_name_every_option_and_subcommand() {
    let folder = folder("completions");
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = printed(&["completions", shell]);
        for name in SUBCOMMANDS {
            assert!(script.contains(name), "{shell}: {name}");
        }
        for option in options() {
            let name = match shell {
                "fish" => option.trim_start_matches('-'),
                _ => option.as_str(),
            };
            assert!(script.contains(name), "{shell}: {option}");
        }
        fs::write(folder.join(shell), script).unwrap();
    }
    for shell in ["bash", "fish", "zsh"] {
        let checked = Command::new(shell)
            .arg("-n")
            .arg(folder.join(shell))
            .output();
        match checked {
            Ok(output) => {
                let said = String::from_utf8_lossy(&output.stderr);
                assert!(
                    output.status.success() && said.is_empty(),
                    "{shell}: {said}"
                );
            }
            Err(_) => println!("skipped: no {shell}"),
        }
    }
}

#[test]
fn bash_completes_options_and_subcommands() {
    let script = printed(&["completions", "bash"]);
    let complete = format!(
        "{script}
         COMP_WORDS=(kinesis-sql doctor --endp) COMP_CWORD=2
         _kinesis__sql kinesis-sql --endp doctor
         echo \"${{COMPREPLY[@]}}\""
    );
    let Ok(output) = Command::new("bash").args(["-c", &complete]).output() else {
        println!("skipped: no bash");
        return;
    };
    assert_eq!(String::from_utf8_lossy(&output.stdout), "--endpoint-url\n");
}

#[test]
fn the_manual_page_has_every_option_and_subcommand() {
    let page = printed(&["man"]);
    let plain = page.replace("\\-", "-");
    for option in options() {
        assert!(plain.contains(&option), "{option}");
    }
    for name in SUBCOMMANDS {
        let heading = format!(".SH {}\n", name.to_uppercase());
        assert!(plain.contains(&heading), "{name}");
    }
    let file = folder("man").join("kinesis-sql.1");
    fs::write(&file, page).unwrap();
    let rendered = Command::new("groff")
        .args(["-man", "-Tutf8", "-Kutf8", "-ww"])
        .arg(&file)
        .output();
    let Ok(output) = rendered else {
        println!("skipped: no groff");
        return;
    };
    assert!(output.status.success());
    let text = String::from_utf8_lossy(&output.stdout);
    let words: Vec<&str> = text.split_whitespace().collect();
    assert!(words.join(" ").contains("Exit codes: 0 all statements"));
}
