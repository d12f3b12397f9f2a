//! The page in a browser.

use datafusion_kinesis::query::{QueryEnd, StreamingQuery};

use super::state::counted;
use super::webdriver::Browser;
use super::*;
use crate::support::skipped;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_shows_every_page_and_stops_a_query() {
    let browser = match tokio::task::spawn_blocking(Browser::start).await.unwrap() {
        Ok(browser) => browser,
        Err(why) => return skipped("the page in a browser", why),
    };
    let served = Served::new("").await;
    let query = served.query("<seen>").await;
    for _ in 0..3 {
        served.world.put_numbers("words", 10).await;
        query.process_all_available().await.unwrap();
    }
    let long = "x".repeat(300);
    let grouped = counted(&served, "grouped", &[&long, "several words", "<b>"]).await;
    let state = format!("/queries/{}/state", grouped.run_id());
    assert!(served.client.page(&state).contains("several words"));
    grouped.stop().await.unwrap();
    let base = format!("http://{}", served.client.0);
    let batch = query.last_progress().unwrap().batch_id.0;
    for width in [1280, 390] {
        browser.resize(width);
        let mut paths = pages(query.run_id(), batch);
        paths.push(state.clone());
        for path in paths {
            browser.open(&format!("{base}{path}"));
            let overflow = browser.run("return document.documentElement.scrollWidth - innerWidth");
            assert!(
                overflow.as_i64().unwrap() <= 0,
                "{path} at {width}: {overflow}"
            );
            let loaded = browser
                .run("return performance.getEntriesByType('resource').map((entry) => entry.name)");
            let loaded = loaded.as_array().unwrap().clone();
            assert!(loaded.len() >= 2, "{path}: {loaded:?}");
            for url in loaded {
                assert!(
                    url.as_str().unwrap().starts_with(&base),
                    "{path} loads {url}"
                );
            }
        }
    }
    browser.open(&format!("{base}/queries/{}", query.run_id()));
    let points = browser.run("return [...document.querySelectorAll('.chart')].map((chart) => chart.querySelectorAll('.tips rect').length)");
    let batches = query.recent_progress().len();
    assert!(!points.as_array().unwrap().is_empty());
    assert!(
        points
            .as_array()
            .unwrap()
            .iter()
            .all(|count| *count == batches),
        "{points}"
    );
    refreshes(&browser, &served, &query).await;
    stops(&browser, &base, &query).await;
    assert_eq!(browser.console(), serde_json::json!([]));
}

/// The page shows a new batch by itself.
async fn refreshes(browser: &Browser, served: &Served, query: &StreamingQuery) {
    let shown = || browser.run("return document.querySelector('.figures dd').textContent");
    let before = shown();
    served.world.put_numbers("words", 10).await;
    query.process_all_available().await.unwrap();
    while shown() == before {
        tokio::task::yield_now().await;
    }
}

async fn stops(browser: &Browser, base: &str, query: &StreamingQuery) {
    browser.open(&format!("{base}/"));
    browser.click(".stop button");
    let question = browser.accept();
    assert!(question.contains("Stop the query '<seen>'"), "{question}");
    query.await_termination().await.unwrap();
    assert_eq!(query.end(), Some(QueryEnd::Stopped));
    let heading = || browser.run("return document.querySelector('h1').textContent");
    while heading() != "<seen>" {
        tokio::task::yield_now().await;
    }
}
