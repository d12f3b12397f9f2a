//! Posts changes of health to a URL, in a task of its own.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};
use tracing::Instrument;
use url::Url;

use super::change::StreamingQueryHealthChange;
use crate::aws::{AwsAccess, Request, RequestSender};
use crate::model::{ConnectionSettings, Secret};

/// How many changes may wait.
const QUEUED: usize = 16;

/// The waits before the second and the third try.
const WAITS: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(5)];

/// How long the end of a query waits for its last post.
///
/// Long enough for all tries if each is answered at once.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(15);

/// A URL that changes of health are posted to.
#[derive(Debug)]
pub(in crate::query) struct Webhook {
    queue: mpsc::Sender<Message>,
}

#[derive(Debug)]
enum Message {
    Post(String),
    /// Everything before it was posted, or given up.
    Flush(oneshot::Sender<()>),
}

/// Where and how changes are posted.
struct Target {
    url: Secret,
    access: Arc<AwsAccess>,
    /// Its proxies and certificates are used.
    connection: ConnectionSettings,
    /// Made for the first post.
    sender: Option<RequestSender>,
}

/// Why a post has failed.
struct PostFailure {
    is_permanent: bool,
    text: String,
}

impl Webhook {
    /// Starts the task, which ends once this is dropped and everything is posted.
    pub(in crate::query) fn start(
        url: Secret,
        access: Arc<AwsAccess>,
        connection: &ConnectionSettings,
    ) -> Self {
        let (queue, messages) = mpsc::channel(QUEUED);
        // As it is sent: with what it may not hold percent-encoded.
        let sent = Url::parse(url.reveal()).map(|parsed| Secret::new(parsed.as_str()));
        let target = Target {
            url: sent.unwrap_or(url),
            access,
            // It is no endpoint of AWS.
            connection: ConnectionSettings {
                endpoint_url: None,
                ..connection.clone()
            },
            sender: None,
        };
        tokio::spawn(target.post_all(messages).in_current_span());
        Self { queue }
    }

    /// Posts a change. Does not wait.
    pub(in crate::query) fn post(&self, change: &StreamingQueryHealthChange) {
        if self
            .queue
            .try_send(Message::Post(change.to_json()))
            .is_err()
        {
            tracing::warn!(
                waiting = QUEUED,
                "the webhook is slower than the changes of health, and misses one"
            );
        }
    }

    /// Waits until all changes were posted, up to a limit.
    pub(in crate::query) async fn flush(&self) {
        let (done, flushed) = oneshot::channel();
        let flush = async {
            if self.queue.send(Message::Flush(done)).await.is_ok() {
                // Fails only if the runtime shuts down.
                let _ = flushed.await;
            }
        };
        if timeout(FLUSH_TIMEOUT, flush).await.is_err() {
            tracing::warn!(
                waited = ?FLUSH_TIMEOUT,
                "the webhook (streaming.alarm_webhook) has not taken the last changes of health yet; they are lost if the \
                 process ends now"
            );
        }
    }
}

impl Target {
    async fn post_all(mut self, mut messages: mpsc::Receiver<Message>) {
        while let Some(message) = messages.recv().await {
            match message {
                Message::Post(body) => self.post_with_retries(&body).await,
                // Nobody waits any more if it took too long.
                Message::Flush(done) => drop(done.send(())),
            }
        }
    }

    async fn post_with_retries(&mut self, body: &str) {
        let mut waits = WAITS.into_iter();
        let mut tries = 0;
        loop {
            tries += 1;
            let Err(failure) = self.post(body).await else {
                return;
            };
            match waits.next().filter(|_| !failure.is_permanent) {
                Some(wait) => sleep(wait).await,
                None => {
                    let (host, error) = (self.host(), self.masked(&failure.text));
                    tracing::warn!(
                        host,
                        error,
                        tries,
                        "cannot post a change of health to the webhook (streaming.alarm_webhook)"
                    );
                    return;
                }
            }
        }
    }

    async fn post(&mut self, body: &str) -> Result<(), PostFailure> {
        let sender = match &mut self.sender {
            Some(sender) => sender,
            none => {
                let made = self.access.requests(&self.connection).await;
                none.insert(made.map_err(|error| PostFailure {
                    is_permanent: true,
                    text: error.to_string(),
                })?)
            }
        };
        let request = Request {
            method: "POST",
            url: self.url.reveal(),
            headers: vec![("content-type".into(), "application/json".to_owned())],
            body: body.as_bytes().to_vec(),
            signed_for: None,
        };
        let answer = sender.send(request).await.map_err(|failure| PostFailure {
            is_permanent: failure.is_permanent,
            text: failure.to_string(),
        })?;
        // Its body is not quoted: a server may repeat the URL.
        match answer.status {
            200..300 => Ok(()),
            status => Err(PostFailure {
                is_permanent: !matches!(status, 408 | 429 | 500..),
                text: format!("it answers with status {status}"),
            }),
        }
    }

    /// The host; the rest of the URL often is a secret.
    fn host(&self) -> String {
        let url = Url::parse(self.url.reveal()).ok();
        let host = url.as_ref().and_then(Url::host_str);
        host.unwrap_or_default().to_owned()
    }

    fn masked(&self, text: &str) -> String {
        text.replace(self.url.reveal(), "***")
    }
}
