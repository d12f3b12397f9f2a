//! SQL in the documentation runs against the simulator, over streams that are created as tables name them.

use std::sync::Arc;

use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::DFParser;
use datafusion_kinesis::kinesis::{InMemoryKinesis, InMemoryOptions, Kinesis, TokioClock};
use datafusion_kinesis::model::{Clock, StreamIdentity, Trigger, UnixMillis};
use datafusion_kinesis::query::{StreamingQuery, is_streaming};
use datafusion_kinesis::{Services, register_with, sql};

use super::pages::{Block, Trial, all};

/// In 2027, after all times in the documentation.
const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

/// The session in which the blocks of a page run, one after the other.
struct Reader {
    ctx: SessionContext,
    kinesis: Arc<InMemoryKinesis>,
    /// Where the checkpoints of this page are kept, instead of on disk.
    checkpoints: String,
}

impl Reader {
    fn of(page: &str) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(TokioClock::starting_at(NOW));
        let options = InMemoryOptions::default();
        let kinesis = Arc::new(InMemoryKinesis::new(Arc::clone(&clock), options));
        let ctx = SessionContext::new();
        let service = Arc::<InMemoryKinesis>::clone(&kinesis);
        register_with(&ctx, Services::fixed(service).with_clock(clock));
        Self {
            ctx,
            kinesis,
            checkpoints: format!("memory://{}/", page.replace(['/', '.'], "-").to_lowercase()),
        }
    }

    async fn try_block(&self, block: &Block) -> Result<(), DataFusionError> {
        for name in [
            "trigger",
            "checkpoint_location",
            "output_mode",
            "query_name",
        ] {
            sql(&self.ctx, &format!("RESET streaming.{name}")).await?;
        }
        for statement in statements(&block.setup) {
            self.run(&statement).await?;
        }
        for statement in statements(&block.text) {
            match block.trial {
                Trial::Parse => drop(DFParser::parse_sql(&statement)?),
                Trial::Plan if statement.starts_with("INSERT") => {
                    let plan = sql(&self.ctx, &format!("EXPLAIN {statement}")).await?;
                    plan.collect().await?;
                }
                _ => self.run(&statement).await?,
            }
        }
        Ok(())
    }

    /// Runs a statement to its end; a streaming query reads what is there.
    async fn run(&self, statement: &str) -> Result<(), DataFusionError> {
        // The simulator behind this session is one account.
        let statement = statement
            .replace("file:///var/lib/", &self.checkpoints)
            .replace("arn:aws:kinesis:eu-west-1:444455556666:stream/", "");
        if statement.starts_with("CREATE") {
            self.prepare(&statement).await?;
        }
        if is_streaming(&self.ctx, &statement).await? {
            let query = StreamingQuery::builder(&self.ctx, &statement);
            let query = query.with_trigger(Trigger::AvailableNow).start().await?;
            query.await_termination().await?;
        } else {
            sql(&self.ctx, &statement).await?.collect().await?;
        }
        Ok(())
    }

    /// Makes room for a table, and its stream.
    async fn prepare(&self, statement: &str) -> Result<(), DataFusionError> {
        let table = after(statement, "TABLE ").split(' ').next().unwrap();
        self.ctx.deregister_table(table)?;
        let location = after(statement, "LOCATION '").split('\'').next().unwrap();
        let stream = StreamIdentity::parse(location)?;
        // It exists if another table names it.
        let _ = self.kinesis.create_stream(stream.name(), 2).await;
        Ok(())
    }
}

fn after<'a>(statement: &'a str, mark: &str) -> &'a str {
    statement.split_once(mark).unwrap().1
}

fn statements(text: &str) -> Vec<String> {
    let parts = text.split(";\n").map(str::trim);
    let (mut statements, mut set) = (Vec::new(), String::new());
    for part in parts.filter(|part| !part.is_empty()) {
        if set.is_empty() && !part.starts_with("EXECUTE STATEMENT SET") {
            statements.push(part.to_owned());
            continue;
        }
        set.push_str(part);
        match part {
            "END" => statements.push(std::mem::take(&mut set)),
            _ => set.push_str(";\n"),
        }
    }
    assert_eq!(set, "");
    statements
}

#[tokio::test(start_paused = true)]
async fn statements_run() {
    let (mut ran, mut failures) = (0, Vec::new());
    for page in all() {
        let reader = Reader::of(&page.name);
        for block in page.blocks() {
            if block.language == "sql" {
                if let Err(error) = reader.try_block(&block).await {
                    failures.push(format!("{}: {error}\n{}", page.name, block.text));
                }
                ran += 1;
            } else {
                assert!(block.setup.is_empty(), "{}: {}", page.name, block.text);
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(ran > 15);
}
