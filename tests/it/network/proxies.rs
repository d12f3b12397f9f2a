//! Proxies set by environment variables.

use super::{Proxy, TlsFront, authority, error_output, printed, run, simulator};

#[tokio::test(flavor = "multi_thread")]
async fn each_variable_selects_its_proxy() {
    let simulator = simulator().await;
    let front = TlsFront::before(simulator.local_addr()).await;
    let hosts = [
        ("kinesis.corp.invalid", front.address),
        ("plain.corp.invalid", simulator.local_addr()),
    ];
    let authority = authority();
    for (scheme, host, variables) in [
        (
            "https",
            "kinesis",
            ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"],
        ),
        (
            "http",
            "plain",
            ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"],
        ),
    ] {
        for variable in variables {
            let proxy = Proxy::to(hosts).await;
            let environment = [
                (variable, proxy.url()),
                ("AWS_CA_BUNDLE", authority.display().to_string()),
            ];
            let environment = environment
                .each_ref()
                .map(|(name, value)| (*name, value.as_str()));
            let output = run(&format!("{scheme}://{host}.corp.invalid"), "", &environment);
            let text = printed(&output);
            assert!(
                text.ends_with("text\nb\n") || text.contains("\nb\n"),
                "{text}"
            );
            let first = proxy.seen().remove(0);
            let expected = match scheme {
                "https" => "CONNECT kinesis.corp.invalid:443 HTTP/1.1",
                _ => "POST http://plain.corp.invalid/ HTTP/1.1",
            };
            assert_eq!(first, expected, "{variable}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_no_proxy_host_is_reached_directly() {
    let simulator = simulator().await;
    let proxy = Proxy::to([]).await;
    let url = proxy.url();
    // Loopback needs no entry.
    let endpoint = format!("http://127.0.0.1:{}", simulator.local_addr().port());
    printed(&run(&endpoint, "", &[("ALL_PROXY", &url)]));
    for variable in ["NO_PROXY", "no_proxy"] {
        let environment = [("ALL_PROXY", url.as_str()), (variable, "corp.invalid")];
        let text = error_output(&run("http://plain.corp.invalid", FEW, &environment));
        assert!(
            text.contains("dns error") && !text.contains("proxy"),
            "{text}"
        );
    }
    assert_eq!(proxy.seen(), [""; 0]);
}

/// Fails after a few fast retries.
const FEW: &str = ", 'kinesis.clientNumRetries' '1', 'kinesis.clientRetryIntervalsMs' '1'";

#[tokio::test(flavor = "multi_thread")]
async fn an_unreachable_host_is_reported_with_its_proxy() {
    let proxy = Proxy::to([]).await;
    let url = proxy.url();
    let environment = [("HTTPS_PROXY", url.as_str())];
    let text = error_output(&run("https://kinesis.corp.invalid", FEW, &environment));
    let named = format!("through proxy '{url}' (HTTPS_PROXY)");
    assert!(
        text.contains("gave up after 2 tries") && text.contains(&named),
        "{text}"
    );
    assert_eq!(proxy.seen().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unsupported_proxy_scheme_is_an_immediate_error() {
    let environment = [("ALL_PROXY", "socks5://ada:canary@127.0.0.1:1")];
    let text = error_output(&run("https://kinesis.corp.invalid", "", &environment));
    assert!(text.contains("ALL_PROXY sets a socks5:// proxy"), "{text}");
    assert!(
        !text.contains("gave up") && !text.contains("canary"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_password_is_sent_and_not_shown() {
    let simulator = simulator().await;
    let front = TlsFront::before(simulator.local_addr()).await;
    // "ada:canary@1"
    let login = "Basic YWRhOmNhbmFyeUAx";
    let hosts = [("kinesis.corp.invalid", front.address)];
    let proxy = Proxy::asking(hosts, Some(login)).await;
    let bundle = authority().display().to_string();
    let with = |user: &str| {
        let url = proxy.url().replace("http://", &format!("http://{user}"));
        let environment = [
            ("HTTPS_PROXY", url.as_str()),
            ("AWS_CA_BUNDLE", bundle.as_str()),
            ("RUST_LOG", "trace"),
        ];
        run("https://kinesis.corp.invalid", "", &environment)
    };
    let output = with("ada:canary%401@");
    printed(&output);
    let logged = String::from_utf8(output.stderr).unwrap();
    assert!(
        logged.contains("DescribeStreamSummary"),
        "the run is traced"
    );
    let shown = logged
        .lines()
        .find(|line| line.contains("canary") || line.contains(&login[6..]));
    assert!(shown.is_none(), "{shown:?}");
    let before = proxy.seen().len();
    let text = error_output(&with(""));
    assert!(
        text.contains("the proxy requires a user and password"),
        "{text}"
    );
    assert_eq!(proxy.seen().len(), before + 1, "there is no retry");
}
