//! A proxy set by table options.

use super::{Proxy, error_output, printed, run, simulator};

#[tokio::test(flavor = "multi_thread")]
async fn a_table_uses_the_proxy_of_its_options() {
    let simulator = simulator().await;
    // "ada:canary@1"
    let login = "Basic YWRhOmNhbmFyeUAx";
    let hosts = [("plain.corp.invalid", simulator.local_addr())];
    let proxy = Proxy::asking(hosts, Some(login)).await;
    let options = |password: &str| {
        format!(
            ", 'kinesis.sink.proxyAddress' '127.0.0.1', 'kinesis.sink.proxyPort' '{}', \
             'kinesis.sink.proxyUsername' 'ada', 'kinesis.sink.proxyPassword' '{password}'",
            proxy.address.port()
        )
    };
    let environment = [("ALL_PROXY", "http://127.0.0.1:1"), ("RUST_LOG", "trace")];
    let output = run(
        "http://plain.corp.invalid",
        &options("canary@1"),
        &environment,
    );
    printed(&output);
    let logged = String::from_utf8(output.stderr).unwrap();
    let shown = logged
        .lines()
        .find(|line| line.contains("canary") || line.contains(&login[6..]));
    assert!(shown.is_none(), "{shown:?}");
    let before = proxy.seen().len();
    let text = error_output(&run("http://plain.corp.invalid", &options("canary"), &[]));
    assert!(
        text.contains("the proxy requires a user and password"),
        "{text}"
    );
    assert_eq!(proxy.seen().len(), before + 1, "there is no retry");
}
