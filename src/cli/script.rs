//! Runs the statements of files, of `-c` and of stdin, up to the first error.

use std::fs;
use std::io;

use super::args::Script;
use super::console::print_message;
use super::execution::{SideBySide, Upcoming, run_or_start, run_statement, unless_stopped};
use super::failure::{Failure, Outcome};
use super::output::Output;
use super::session::Session;
use super::signals::{Signals, Stop};
use super::statements::{Incoming, Statement, split};
use super::stdin::Pieces;
use crate::sql::Unusable;

/// Runs scripts in order. Reads all files before the first statement runs, so that a misspelled
/// path fails early.
pub(super) async fn run(session: &Session, scripts: &[Script], output: Output) -> Outcome {
    let mut texts = Vec::with_capacity(scripts.len());
    for script in scripts {
        match read(script) {
            Ok(text) => texts.push((script, text)),
            Err(error) => return fail(&format!("{script}: {error}")),
        }
    }
    let signals = match Signals::all() {
        Ok(signals) => signals,
        Err(error) => return fail(&format!("cannot listen for signals: {error}")),
    };
    let mut runner = Runner {
        session,
        output,
        signals,
    };
    let split = texts.into_iter().map(|(script, text)| {
        let statements = text.map(|text| split(&text));
        (script, statements)
    });
    let scripts: Vec<_> = split.collect();
    for (script, statements) in &scripts {
        for statement in statements.iter().flatten() {
            if let Err(outcome) = check_variables(session, script, statement) {
                return outcome;
            }
        }
    }
    let upcoming = upcoming(&scripts);
    let mut upcoming = upcoming.as_slice();
    for (script, statements) in scripts {
        let ran = match statements {
            Some(statements) => runner.statements(script, statements, &mut upcoming).await,
            None => runner.stdin(script).await,
        };
        if let Err(outcome) = ran {
            return outcome;
        }
    }
    Outcome::Done
}

/// Runs scripts in order, and their streaming queries side by side until all have ended.
pub(super) async fn run_side_by_side(
    session: &Session,
    scripts: &[Script],
    output: Output,
    fails_fast: bool,
) -> Outcome {
    let mut statements = Vec::new();
    for script in scripts {
        let text = match script {
            Script::Stdin => io::read_to_string(io::stdin()),
            script => read(script).map(Option::unwrap_or_default),
        };
        match text {
            Ok(text) => statements.extend(split(&text).into_iter().map(|one| (script, one))),
            Err(error) => return fail(&format!("{script}: {error}")),
        }
    }
    for (script, statement) in &statements {
        if let Err(outcome) = check_variables(session, script, statement) {
            return outcome;
        }
    }
    let mut signals = match Signals::all() {
        Ok(signals) => signals,
        Err(error) => return fail(&format!("cannot listen for signals: {error}")),
    };
    let mut queries = SideBySide::new(fails_fast);
    for (script, statement) in statements {
        let origin = format!("{script}:{}", statement.line());
        let started = (origin, statement.clone());
        let ran = run_or_start(session, started, output, &mut signals, &mut queries).await;
        if let Err(failure) = ran {
            // What follows may need it, so no more queries start, and those that run end.
            queries.stop(Stop::Interrupt);
            let outcome = ended(script, &statement, &failure);
            return outcome.max(queries.wait(&mut signals).await);
        }
    }
    queries.wait(&mut signals).await
}

/// The text of a script; `None` for stdin, which is read while its statements run.
fn read(script: &Script) -> io::Result<Option<String>> {
    match script {
        Script::File(path) => fs::read_to_string(path).map(Some),
        Script::Text(text) => Ok(Some(text.clone())),
        Script::Stdin => Ok(None),
    }
}

/// All statements of files and `-c`, in order.
fn upcoming(scripts: &[(&Script, Option<Vec<Statement>>)]) -> Vec<Upcoming> {
    let known = scripts
        .iter()
        .filter_map(|(script, statements)| Some((script, statements.as_ref()?)));
    let all = known.flat_map(|(script, statements)| {
        statements.iter().map(move |statement| Upcoming {
            origin: format!("{script}:{}", statement.line()),
            text: statement.text.clone(),
        })
    });
    all.collect()
}

/// Runs statements in order. Its error type is the outcome of the run.
struct Runner<'a> {
    session: &'a Session,
    output: Output,
    signals: Signals,
}

impl Runner<'_> {
    async fn stdin(&mut self, script: &Script) -> Result<(), Outcome> {
        let mut text = Incoming::new();
        let mut pieces = Pieces::default();
        loop {
            let next = unless_stopped(&mut self.signals, move || Ok(pieces.next())).await;
            let piece = match next {
                Ok(Ok((piece, rest))) => {
                    pieces = rest;
                    piece
                }
                Ok(Err(error)) => return Err(fail(&format!("{script}: {error}"))),
                Err(failure) => return Err((&failure).into()),
            };
            if piece.is_empty() {
                return self.piece(script, text.finish()).await;
            }
            let statements = text.push(&piece);
            self.piece(script, statements).await?;
        }
    }

    /// Runs statements of stdin.
    async fn piece(
        &mut self,
        script: &Script,
        statements: impl IntoIterator<Item = Statement>,
    ) -> Result<(), Outcome> {
        for statement in statements {
            check_variables(self.session, script, &statement)?;
            self.statements(script, [statement], &mut &[][..]).await?;
        }
        Ok(())
    }

    /// Runs `statements`, which are the first of `upcoming`, and removes each from `upcoming` as it
    /// starts.
    async fn statements(
        &mut self,
        script: &Script,
        statements: impl IntoIterator<Item = Statement>,
        upcoming: &mut &[Upcoming],
    ) -> Result<(), Outcome> {
        for statement in statements {
            *upcoming = upcoming.get(1..).unwrap_or_default();
            let signals = &mut self.signals;
            run_statement(self.session, &statement, self.output, signals, upcoming)
                .await
                .map_err(|failure| ended(script, &statement, &failure))?;
        }
        Ok(())
    }
}

/// Refuses a statement whose environment variables cannot be replaced.
fn check_variables(
    session: &Session,
    script: &Script,
    statement: &Statement,
) -> Result<(), Outcome> {
    let checked = match &session.variables {
        Some(variables) => variables.check(&statement.in_place()),
        None => Ok(()),
    };
    checked.map_err(|Unusable { line, message }| fail(&format!("{script}:{line}: {message}")))
}

fn fail(message: &str) -> Outcome {
    print_message(message);
    Outcome::Failed
}

fn ended(script: &Script, statement: &Statement, failure: &Failure) -> Outcome {
    if !matches!(failure, Failure::ClosedPipe) {
        let line = statement.line();
        print_message(&format!("{script}:{line}: {}", failure.describe(statement)));
    }
    failure.into()
}
