//! Credentials from outside the options: environment, web identity and profiles, or none.

use std::fs;
use std::path::PathBuf;
use std::process::Output;
use std::time::Duration;

use tokio::time::Instant;

use super::Role;
use super::cloud::{Cloud, HOME, Options, REGION, SINK, SOURCE, statement};
use super::directory::User;
use crate::process::{COMMAND, folder};

/// A command with an empty home folder and a controlled environment.
struct CleanCommand<'a> {
    cloud: &'a Cloud,
    home: PathBuf,
    environment: Vec<(&'static str, String)>,
}

impl<'a> CleanCommand<'a> {
    fn of(cloud: &'a Cloud) -> Self {
        let environment = vec![("AWS_EC2_METADATA_DISABLED", "true".to_owned())];
        Self {
            cloud,
            home: folder("ways"),
            environment,
        }
    }

    fn set(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.environment.push((name, value.into()));
        self
    }

    /// Writes a file into the home folder and puts its path into the environment.
    fn file(self, name: &'static str, text: &str) -> Self {
        let path = self.home.join(name.to_lowercase());
        fs::write(&path, text).unwrap();
        self.set(name, path.to_str().unwrap())
    }

    fn sts(self) -> Self {
        let url = self.cloud.sts.endpoint_url();
        self.set("AWS_ENDPOINT_URL_STS", url)
    }

    /// The keys of a user.
    fn keys(self, user: &User) -> Self {
        self.set("AWS_ACCESS_KEY_ID", &user.access_key_id)
            .set("AWS_SECRET_ACCESS_KEY", &user.secret)
    }

    /// A token that assumes a role of the source account.
    fn web_identity(self) -> Self {
        let role = Role {
            web_identity_token: Some("token-of-a-pod".to_owned()),
            ..Role::new(SOURCE, "pod")
        };
        let role = self.cloud.directory.add_role(role);
        self.file("AWS_WEB_IDENTITY_TOKEN_FILE", "token-of-a-pod")
            .set("AWS_ROLE_ARN", role)
            .sts()
    }

    /// A profile with the keys of a user.
    fn profile(self, name: &str, user: &User) -> Self {
        let (key, secret) = (&user.access_key_id, &user.secret);
        let keys = format!("aws_access_key_id = {key}\naws_secret_access_key = {secret}");
        self.file(
            "AWS_SHARED_CREDENTIALS_FILE",
            &format!("[{name}]\n{keys}\n"),
        )
    }

    /// Runs a statement on a table of the stream `words` with these options.
    async fn run(&self, arguments: &[&str], options: &Options) -> Output {
        let table = statement("EXTERNAL TABLE", "words", "words", options);
        let text = format!("{table}; SELECT count(*) AS n FROM words");
        tokio::process::Command::new(COMMAND)
            .env_clear()
            .env("HOME", &self.home)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .args(arguments)
            .args(["--output", "csv", "-c", &text])
            .output()
            .await
            .unwrap()
    }

    /// The account whose stream a table with these options reads.
    async fn account(&self, options: &Options) -> String {
        self.account_by(&["--region", REGION], options).await
    }

    /// The same, with arguments other than the region.
    async fn account_by(&self, arguments: &[&str], options: &Options) -> String {
        let url = self.cloud.accounts.endpoint_url();
        let arguments = [&["--endpoint-url", &url], arguments].concat();
        let output = self.run(&arguments, options).await;
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        let accounts = [(HOME, "n\n1\n"), (SOURCE, "n\n2\n"), (SINK, "n\n3\n")];
        let account = accounts.iter().find(|(_, rows)| *rows == printed);
        account.map_or(printed.clone(), |(account, _)| (*account).to_owned())
    }

    /// The error output of a run that must fail.
    async fn error(&self, arguments: &[&str], options: &Options) -> String {
        let output = self.run(arguments, options).await;
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{errors}");
        errors
    }
}

/// Streams `words` in three accounts, with one, two and three records.
async fn three_accounts() -> Cloud {
    let cloud = Cloud::new().await;
    for (account, records) in [(HOME, 1), (SOURCE, 2), (SINK, 3)] {
        cloud.stream(account, "words", 1).await;
        cloud.put(account, "words", 0..records).await;
    }
    cloud
}

fn profile(name: &str) -> Options {
    vec![("awsProfile", name.to_owned())]
}

#[tokio::test]
async fn environment_precedes_web_identity_which_precedes_profile() {
    let cloud = three_accounts().await;
    let of_profile = cloud.directory.add_user(SINK, "profile");
    let command = CleanCommand::of(&cloud).profile("default", &of_profile);
    assert_eq!(command.account(&Options::new()).await, SINK);
    let command = command.web_identity();
    assert_eq!(command.account(&Options::new()).await, SOURCE);
    let calls = cloud.sts.calls("AssumeRoleWithWebIdentity");
    assert_eq!(calls.len(), 1);
    let command = command.keys(&cloud.ada);
    assert_eq!(command.account(&Options::new()).await, HOME);
    // Table options precede them all.
    assert_eq!(command.account(&profile("default")).await, SINK);
}

#[tokio::test]
async fn a_role_of_the_options_is_assumed_by_the_environment_credentials() {
    let cloud = three_accounts().await;
    let role = cloud.role(SINK, "reader", None);
    let command = CleanCommand::of(&cloud).keys(&cloud.ada).sts();
    let options = vec![("stsRoleArn", role.clone())];
    assert_eq!(command.account(&options).await, SINK);
    let calls = cloud.sts.assumed(&role);
    assert_eq!(calls.len(), 1);
    let key = cloud.ada.access_key_id.clone();
    assert_eq!(calls[0].access_key_id, Some(key));
    assert_eq!(calls[0].region.as_deref(), Some(REGION));
}

#[tokio::test]
async fn a_role_of_the_options_is_assumed_by_a_web_identity() {
    let cloud = three_accounts().await;
    let command = CleanCommand::of(&cloud).web_identity();
    let pod = format!("arn:aws:iam::{SOURCE}:role/pod");
    let role = Role::new(SINK, "reader").trusting(&pod);
    let role = cloud.directory.add_role(role);
    let options = vec![("stsRoleArn", role)];
    assert_eq!(command.account(&options).await, SINK);
}

#[tokio::test]
async fn a_profile_provides_keys_or_a_role_of_another_profile() {
    let cloud = three_accounts().await;
    let role = cloud.role(SINK, "reader", None);
    let config = format!(
        "[profile away]\nrole_arn = {role}\nsource_profile = own\nrole_session_name = from-file\n"
    );
    let command = CleanCommand::of(&cloud)
        .profile("own", &cloud.ada)
        .file("AWS_CONFIG_FILE", &config)
        .sts();
    assert_eq!(command.account(&profile("own")).await, HOME);
    assert_eq!(command.account(&profile("away")).await, SINK);
    let calls = cloud.sts.assumed(&role);
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0].session_name.as_deref(), Some("from-file"));
}

#[tokio::test]
async fn a_profile_provides_the_region_if_nothing_else_does() {
    let cloud = three_accounts().await;
    let config = format!("[default]\nregion = us-west-2\n[profile own]\nregion = {REGION}\n");
    let command = CleanCommand::of(&cloud)
        .profile("own", &cloud.ada)
        .file("AWS_CONFIG_FILE", &config);
    assert_eq!(command.account_by(&[], &profile("own")).await, HOME);
}

#[tokio::test]
async fn a_missing_profile_is_reported() {
    let cloud = Cloud::new().await;
    let command = CleanCommand::of(&cloud).profile("own", &cloud.ada);
    let url = cloud.accounts.endpoint_url();
    let arguments = ["--endpoint-url", &url, "--region", REGION];
    let text = command.error(&arguments, &profile("nowhere")).await;
    assert!(text.contains("profile 'nowhere'"), "{text}");
}

#[tokio::test]
async fn without_credentials_all_sources_are_listed_without_delay() {
    let cloud = Cloud::new().await;
    let began = Instant::now();
    let url = cloud.accounts.endpoint_url();
    let arguments = ["--endpoint-url", &url, "--region", REGION];
    let command = CleanCommand::of(&cloud);
    let text = command.error(&arguments, &Options::new()).await;
    assert!(began.elapsed() < Duration::from_secs(10), "{text}");
    for place in [
        "environment: ",
        "web identity: ",
        "profile: ",
        "container: ",
        "instance: ",
        "'kinesis.awsAccessKeyId'",
        "'kinesis.stsRoleArn'",
    ] {
        assert!(text.contains(place), "{place}: {text}");
    }
}

#[tokio::test]
async fn an_endpoint_without_a_region_says_where_to_set_one() {
    let cloud = Cloud::new().await;
    let url = cloud.accounts.endpoint_url();
    let url = url.replace("127.0.0.1", "localhost");
    let command = CleanCommand::of(&cloud).keys(&cloud.ada);
    let arguments = ["--endpoint-url", &url];
    let text = command.error(&arguments, &Options::new()).await;
    for part in [&url, "'kinesis.region'", "AWS_REGION", "ARN"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}
