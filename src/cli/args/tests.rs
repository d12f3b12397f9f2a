use super::*;

fn task(words: &[&str]) -> Result<Task, clap::Error> {
    let words = std::iter::once("kinesis-sql").chain(words.iter().copied());
    Task::from_matches(&Task::command().try_get_matches_from(words)?)
}

fn text(text: &str) -> Script {
    Script::Text(text.into())
}

fn file(path: &str) -> Script {
    Script::File(path.into())
}

#[test]
fn the_clap_definition_is_valid() {
    Task::command().debug_assert();
}

#[test]
fn files_and_commands_keep_their_order() {
    let task = task(&["-c", "1", "-f", "a", "-f", "-", "-c", "2", "-f", "b"]).unwrap();
    assert_eq!(
        task.args.scripts,
        [text("1"), file("a"), Script::Stdin, text("2"), file("b")]
    );
}

#[test]
fn a_command_may_begin_with_a_comment() {
    let task = task(&["-c", "-- one\nSELECT 1", "-x"]).unwrap();
    assert_eq!(task.args.scripts, [text("-- one\nSELECT 1")]);
    assert!(task.args.shown.expanded);
}

#[test]
fn without_arguments_a_shell_prints_tables() {
    let args = task(&[]).unwrap().args;
    assert_eq!(args.scripts, []);
    assert_eq!(args.shown.output, Format::Table);
    assert_eq!(args.connection, Connection::default());
    assert!(!args.embedded);
}

#[test]
fn the_embedded_server_uses_the_usual_emulator_port() {
    let Some(Command::Embedded(server)) = task(&["embedded"]).unwrap().command else {
        panic!("not the server");
    };
    assert_eq!(server.port, 4567);
    assert!(!server.enforce_limits);
}

#[test]
fn the_embedded_server_accepts_an_account_and_a_region() {
    let place = [
        "embedded",
        "--account",
        "111122223333",
        "--region",
        "eu-west-1",
    ];
    let Some(Command::Embedded(server)) = task(&place).unwrap().command else {
        panic!("not the server");
    };
    assert_eq!(server.account.as_deref(), Some("111122223333"));
    assert_eq!(server.region.as_deref(), Some("eu-west-1"));
    for (option, wrong, expected) in [
        ("--account", "1111", "12-digit"),
        ("--account", "11112222333x", "12-digit"),
        ("--region", "eu west", "'eu-west-1'"),
    ] {
        let error = task(&["embedded", option, wrong]).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn an_invalid_endpoint_is_refused_without_printing_it() {
    assert!(task(&["--endpoint-url", "http://localhost:1"]).is_ok());
    let plain = ["--endpoint-url", "http://localstack:4566"];
    let error = task(&plain).unwrap_err().to_string();
    assert!(error.contains("--allow-http"), "{error}");
    assert!(task(&[&plain[..], &["--allow-http"]].concat()).is_ok());
    for url in [
        "http://me:hunter2@localhost:1",
        "http://localhost:1/?X-Amz-Signature=hunter2",
        "localhost:1",
    ] {
        let error = task(&["--endpoint-url", url]).unwrap_err().to_string();
        let expected = "option '--endpoint-url': expected a URL such as 'https://kinesis";
        assert!(error.contains(expected), "{error}");
        assert!(
            !error.contains(url) && !error.contains("hunter2"),
            "{error}"
        );
    }
}

#[test]
fn debug_output_omits_statements() {
    let task = task(&["-c", "SELECT 'canary'"]).unwrap();
    let shown = format!("{task:?} {task:#?}");
    assert!(!shown.contains("canary"), "{shown}");
}

#[test]
fn embedded_conflicts_with_an_endpoint() {
    assert!(task(&["--embedded", "--endpoint-url", "http://localhost:1"]).is_err());
    assert!(task(&["-c", "SELECT 1", "embedded"]).is_err());
}

#[test]
fn deregistering_prints_no_table() {
    let of_stream = ["consumers", "--stream", "words"];
    let Some(Command::Consumers(listed)) = task(&of_stream).unwrap().command else {
        panic!("not the consumers");
    };
    assert_eq!(listed.stream, "words");
    assert!(listed.deregister.is_none());
    assert!(task(&["consumers"]).is_err());
    let deregister = [&of_stream[..], &["--deregister", "alarms"]].concat();
    assert!(task(&deregister).is_ok());
    for (option, value) in [("--output", "json"), ("--width", "80")] {
        assert!(task(&[&deregister[..], &[option, value]].concat()).is_err());
    }
    let error = task(&[&of_stream[..], &["--deregister", "a b"]].concat()).unwrap_err();
    assert!(error.to_string().contains("expected 1 to 128"), "{error}");
    let plain = ["--endpoint-url", "http://localstack:4566"];
    let error = task(&[&of_stream[..], &plain].concat()).unwrap_err();
    assert!(error.to_string().contains("--allow-http"), "{error}");
}
