//! `kinesis-sql doctor`: checks what the statements of files need, without reading or writing
//! records.
//!
//! Statements are planned in order, so that tables, settings and views are known to later ones.
//! Then the doctor checks for each table whether the required calls are allowed, and whether each
//! checkpoint is writable.

mod checkpoints;
mod report;
mod statement;
mod table;

use std::fs;
use std::io::{self, Write};
use std::sync::Arc;

use datafusion::error::DataFusionError;
use datafusion::logical_expr::{CreateExternalTable, DdlStatement, LogicalPlan};
use datafusion::prelude::SessionContext;

use super::args::Doctor;
use super::console::print_message;
use super::failure::{Outcome, reason};
use super::hints::with_tables;
use super::nesting;
use super::session::{context, services, with_variables};
use super::statements::{Statement, split};
use crate::error::from_datafusion;
use crate::options::redact;
use crate::sql::{StreamingSettings, Unusable, Variables, is_statement_set, plan_to_run};
use crate::table::{KinesisTableBuilder, Services, kinesis_table};
use report::Section;
use table::Table;

/// Checks files and prints the findings. Fails if there are problems.
pub(super) async fn run(doctor: &Doctor) -> Outcome {
    let mut texts = Vec::with_capacity(doctor.file.len());
    for path in &doctor.file {
        match fs::read_to_string(path) {
            Ok(text) => texts.push((path.display().to_string(), text)),
            Err(error) => {
                print_message(&format!("{}: {error}", path.display()));
                return Outcome::Failed;
            }
        }
    }
    let services = services(&doctor.connection);
    let ctx = match context(&services) {
        Ok(ctx) => ctx,
        Err(error) => {
            print_message(&error.to_string());
            return Outcome::Failed;
        }
    };
    let variables = doctor.expand_env.then(|| with_variables(&ctx));
    let mut checker = Checker {
        ctx,
        services,
        side_by_side: doctor.run,
        found: Vec::new(),
        streaming: Vec::new(),
        absent: Vec::new(),
    };
    for (file, text) in texts {
        for statement in split(&text) {
            checker
                .statement(&file, &statement, variables.as_deref())
                .await;
        }
    }
    let sections = checker.sections().await;
    let report = report::text(&sections);
    let report = match &variables {
        Some(variables) => variables.mask(&report),
        None => report,
    };
    // If stdout is closed, the exit code still reports the result.
    let _ = write!(io::stdout(), "{report}");
    match report::failures(&sections) {
        0 => Outcome::Done,
        _ => Outcome::Failed,
    }
}

/// The state of checking the files.
struct Checker {
    ctx: SessionContext,
    services: Arc<Services>,
    /// Whether streaming queries are to run at the same time.
    side_by_side: bool,
    /// In file order.
    found: Vec<Found>,
    /// The streaming statements seen so far.
    streaming: Vec<Streaming>,
    /// Names of tables that were not created, or that do not exist.
    absent: Vec<String>,
}

/// A streaming statement that was seen.
struct Streaming {
    origin: String,
    text: String,
    /// Its name, or that of its target.
    name: Option<String>,
    /// Its checkpoint location.
    log: Option<String>,
    ends_by_itself: bool,
}

/// What was found, in file order.
enum Found {
    /// A table. Its permissions are checked once all statements are known.
    Table(Box<Table>),
    /// A checkpoint location, where it is first set.
    Location { origin: String, location: String },
    /// A statement that has been checked.
    Checked(Section),
}

impl Checker {
    /// Checks a statement of `file`, and its variables before that.
    async fn statement(
        &mut self,
        file: &str,
        statement: &Statement,
        variables: Option<&Variables>,
    ) {
        let usable = variables.map_or(Ok(()), |all| all.check(&statement.in_place()));
        match usable {
            Ok(()) => {
                let origin = format!("{file}:{}", statement.line());
                Box::pin(self.expanded(&origin, statement)).await;
            }
            Err(Unusable { line, message }) => {
                let mut section = section_for(&format!("{file}:{line}"), statement);
                section.failed("variable", message);
                self.found.push(Found::Checked(section));
            }
        }
    }

    async fn expanded(&mut self, origin: &str, statement: &Statement) {
        if let Err(error) = nesting::check(&statement.text) {
            return self.refused(origin, statement, &error.into());
        }
        if is_statement_set(&statement.text) {
            return match statement::check_set(self, origin, statement).await {
                Ok(detail) => self.would_run(origin, statement, detail),
                Err(error) => self.refused(origin, statement, &error),
            };
        }
        let plan = match plan_to_run(&self.ctx, &statement.in_place()).await {
            Ok(plan) => plan,
            Err(error) => {
                let error = with_tables(&self.ctx, error);
                return self.refused(origin, statement, &error);
            }
        };
        if let LogicalPlan::Ddl(DdlStatement::CreateExternalTable(command)) = &plan
            && let Some(builder) = kinesis_table(command, &self.services)
        {
            let builder = builder.map_err(from_datafusion);
            return Box::pin(self.table(origin, statement, command, builder)).await;
        }
        let checked = statement::check(self, origin, statement, plan).await;
        match checked {
            Ok(None) => {}
            Ok(Some(detail)) => self.would_run(origin, statement, detail),
            Err(error) => self.refused(origin, statement, &error),
        }
        let settings = StreamingSettings::of(self.ctx.state().config_options());
        if let Some(location) = settings.checkpoint_location
            && !self.knows(&location)
        {
            let origin = origin.to_owned();
            self.found.push(Found::Location { origin, location });
        }
    }

    fn would_run(&mut self, origin: &str, statement: &Statement, detail: &'static str) {
        let mut section = section_for(origin, statement);
        section.passed("statement", detail);
        self.found.push(Found::Checked(section));
    }

    fn knows(&self, checkpoint: &str) -> bool {
        self.found.iter().any(|found| match found {
            Found::Location { location, .. } => location == checkpoint,
            _ => false,
        })
    }

    /// The tables with valid options.
    fn tables(&mut self) -> impl DoubleEndedIterator<Item = &mut Table> {
        self.found.iter_mut().filter_map(|found| match found {
            Found::Table(table) => Some(&mut **table),
            _ => None,
        })
    }

    async fn table(
        &mut self,
        origin: &str,
        statement: &Statement,
        command: &CreateExternalTable,
        builder: crate::Result<KinesisTableBuilder>,
    ) {
        let name = command.name.to_string();
        let mut section = Section::new(format!("{origin}  table {name}"));
        let checked = builder.and_then(|builder| Ok((builder.options()?, builder)));
        let (options, builder) = match checked {
            Ok(checked) => checked,
            Err(error) => {
                let message = redact::message(&error.to_string(), &statement.text);
                section.failed("options", message);
                self.absent.push(name);
                return self.found.push(Found::Checked(section));
            }
        };
        section.passed("options", format!("stream '{}'", options.stream));
        let mut table = Table::new(name.clone(), options, section);
        table.check_access(&self.services).await;
        let registered = match table.is_accessible() {
            true => self.register(command, builder).await.map(Some),
            false => Ok(None),
        };
        match registered {
            Ok(Some(unreadable)) => table.unreadable = unreadable,
            Ok(None) => self.absent.push(name),
            Err(error) => {
                table.section.failed("table", reason(&error));
                self.absent.push(name);
            }
        }
        self.found.push(Found::Table(Box::new(table)));
    }

    /// Registers the table for the statements that follow. Returns why it cannot be read, if it can only be written.
    async fn register(
        &self,
        command: &CreateExternalTable,
        builder: KinesisTableBuilder,
    ) -> Result<Option<String>, DataFusionError> {
        if command.if_not_exists && self.ctx.table_exist(command.name.clone())? {
            return Ok(None);
        }
        let table = builder.build().await?;
        table.check_keys(&self.ctx.state())?;
        let unreadable = table.expect_readable().err();
        if command.or_replace {
            self.ctx.deregister_table(command.name.clone())?;
        }
        self.ctx
            .register_table(command.name.clone(), Arc::new(table))?;
        Ok(unreadable.map(|error| error.to_string()))
    }

    /// Reports a statement that would fail. A failure caused only by a table that was already
    /// reported is not another problem.
    fn refused(&mut self, origin: &str, statement: &Statement, error: &DataFusionError) {
        let message = redact::message(&reason(error), &statement.text);
        let mut section = section_for(origin, statement);
        let absent = |name: &&String| {
            let bare = name.rsplit('.').next().unwrap_or(name);
            message.contains(&format!(".{bare}' not found"))
        };
        match self.absent.iter().find(absent) {
            Some(name) => section.unknown("statement", format!("table {name} is missing")),
            None => section.failed("statement", message),
        }
        self.found.push(Found::Checked(section));
    }

    /// All findings, after checking permissions and checkpoints.
    async fn sections(self) -> Vec<Section> {
        let mut sections = Vec::with_capacity(self.found.len());
        for found in self.found {
            sections.push(match found {
                Found::Table(mut table) => {
                    table.permissions().await;
                    checkpoints::of_table(&self.services, &mut table).await;
                    table.section
                }
                Found::Location { origin, location } => {
                    checkpoints::location(&origin, &location).await
                }
                Found::Checked(section) => section,
            });
        }
        sections
    }
}

/// A section titled with the start of the statement.
fn section_for(origin: &str, statement: &Statement) -> Section {
    const WIDTH: usize = 60;
    let text = redact::statement(&statement.text);
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let cut = words.char_indices().nth(WIDTH);
    let shown = cut.map_or(words.clone(), |(end, _)| format!("{}…", &words[..end]));
    Section::new(format!("{origin}  {shown}"))
}
