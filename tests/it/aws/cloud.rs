//! Accounts, an STS, and a session whose tables use both.

use std::sync::Arc;
use std::time::Duration;

use datafusion::prelude::SessionContext;
use datafusion_kinesis::kinesis::Kinesis;
use datafusion_kinesis::model::{ConnectionSettings, StreamIdentity, StreamName};
use datafusion_kinesis::query::StreamingQuery;
use datafusion_kinesis::{ErrorKind, Services, register_with};

use super::directory::User;
use super::{Accounts, Directory, LocalSts, Role};
use crate::support::{World, entry};

/// The user's account.
pub(super) const HOME: &str = "111122223333";
/// The account of the streams that are read.
pub(super) const SOURCE: &str = "444455556666";
/// The account of the streams that are written.
pub(super) const SINK: &str = "777788889999";

pub(super) const REGION: &str = "eu-west-1";

/// A home-account user, and a session whose tables use the endpoint of the accounts.
pub(super) struct Cloud {
    pub(super) directory: Arc<Directory>,
    pub(super) sts: LocalSts,
    pub(super) accounts: Accounts,
    pub(super) ada: User,
    pub(super) world: World,
}

/// Table options, by name without `kinesis.`.
pub(super) type Options = Vec<(&'static str, String)>;

impl Cloud {
    pub(super) async fn new() -> Self {
        Self::with_defaults(ConnectionSettings::default()).await
    }

    /// A cloud whose tables default to `defaults`, at the endpoint of the accounts.
    pub(super) async fn with_defaults(defaults: ConnectionSettings) -> Self {
        let directory = Arc::new(Directory::default());
        let ada = directory.add_user(HOME, "ada");
        let sts = LocalSts::start(&directory).await;
        let accounts = Accounts::start(&directory, REGION).await;
        let kinesis = accounts.kinesis(SINK).await;
        let cloud = Self {
            directory,
            sts,
            accounts,
            ada,
            world: World {
                kinesis,
                ctx: SessionContext::new(),
            },
        };
        cloud.register(&cloud.world.ctx, defaults);
        cloud
    }

    /// Registers the accounts with a session.
    pub(super) fn register(&self, ctx: &SessionContext, defaults: ConnectionSettings) {
        let region = defaults.region.clone();
        let defaults = defaults
            .with_endpoint_url(self.accounts.endpoint_url())
            .with_region(region.unwrap_or_else(|| REGION.to_owned()));
        let services = Services::sdk(defaults);
        register_with(ctx, services);
    }

    /// Creates a role that trusts the user, with sessions of `millis` milliseconds if given.
    pub(super) fn role(&self, account: &str, name: &str, millis: Option<u64>) -> String {
        let role = Role {
            session_millis: millis,
            ..Role::new(account, name).trusting(&self.ada.arn)
        };
        self.directory.add_role(role)
    }

    pub(super) async fn stream(&self, account: &str, name: &str, shards: u32) {
        let kinesis = self.accounts.kinesis(account).await;
        let name = StreamName::new(name).unwrap();
        kinesis.create_stream(&name, shards).await.unwrap();
    }

    /// Puts numbers into a stream without authentication.
    pub(super) async fn put(&self, account: &str, stream: &str, numbers: std::ops::Range<u64>) {
        let kinesis = self.accounts.kinesis(account).await;
        let stream = StreamIdentity::parse(stream).unwrap();
        let entries = numbers.map(|n| entry(&n.to_string(), n.to_string(), None));
        let entries: Vec<_> = entries.collect();
        let outcomes = kinesis.put_records(&stream, &entries).await.unwrap();
        assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    }

    /// Options with the user's keys.
    pub(super) fn keys(&self) -> Options {
        keys(&self.ada.access_key_id, &self.ada.secret)
    }

    /// Options with roles that the user assumes.
    pub(super) fn through(&self, roles: &str) -> Options {
        let mut options = self.keys();
        options.push(("stsRoleArn", roles.to_owned()));
        options.push(("stsEndpointUrl", self.sts.endpoint_url()));
        options
    }

    /// Creates a table of a stream of the same name.
    pub(super) async fn table(&self, name: &str, options: &Options) {
        let table = statement("EXTERNAL TABLE", name, name, options);
        self.world.run(&table).await;
    }

    /// Creates an unbounded table that starts at the oldest record.
    pub(super) async fn unbounded(&self, name: &str, options: &Options) {
        let mut options = options.clone();
        options.push(("startingPosition", "TRIM_HORIZON".to_owned()));
        let kind = "UNBOUNDED EXTERNAL TABLE";
        self.world.run(&statement(kind, name, name, &options)).await;
    }

    /// The error of creating a table.
    pub(super) async fn refusal(&self, name: &str, options: &Options) -> (ErrorKind, String) {
        let table = statement("EXTERNAL TABLE", name, name, options);
        self.world.refusal(&table).await
    }

    /// The contents of a stream as sorted numbers, read without authentication.
    pub(super) async fn numbers(&self, account: &str, stream: &str) -> Vec<u64> {
        let ctx = SessionContext::new();
        let kinesis = self.accounts.kinesis(account).await;
        let service = Arc::<datafusion_kinesis::kinesis::InMemoryKinesis>::clone(&kinesis);
        register_with(&ctx, Services::fixed(service));
        let world = World { kinesis, ctx };
        world.table_again("written", stream, "").await;
        let lines = world.lines("SELECT CAST(data AS VARCHAR) FROM written");
        let lines = lines.await;
        let mut numbers: Vec<u64> = lines.iter().map(|line| line.parse().unwrap()).collect();
        numbers.sort_unstable();
        numbers
    }
}

/// Waits until a query has processed all available records; fails the test instead of waiting
/// forever.
pub(super) async fn catch_up(query: &StreamingQuery) {
    let caught_up = tokio::time::timeout(Duration::from_secs(60), query.process_all_available());
    caught_up.await.unwrap().unwrap();
}

pub(super) fn keys(access_key_id: &str, secret: &str) -> Options {
    vec![
        ("awsAccessKeyId", access_key_id.to_owned()),
        ("awsSecretKey", secret.to_owned()),
    ]
}

/// Adds options.
pub(super) fn with(mut options: Options, more: &[(&'static str, &str)]) -> Options {
    let more = more
        .iter()
        .map(|(name, value)| (*name, (*value).to_owned()));
    options.extend(more);
    options
}

/// A statement that creates a table of a stream.
pub(super) fn statement(kind: &str, table: &str, stream: &str, options: &Options) -> String {
    let create = format!("CREATE {kind} {table} STORED AS \"aws-kinesis\" LOCATION '{stream}'");
    if options.is_empty() {
        return create;
    }
    let options = options
        .iter()
        .map(|(name, value)| format!("'kinesis.{name}' '{value}'"));
    let options: Vec<_> = options.collect();
    format!("{create} OPTIONS ({})", options.join(", "))
}
