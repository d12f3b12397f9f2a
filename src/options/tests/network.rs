//! Proxies and URLs.

use super::*;

#[test]
fn proxy_options_require_each_other() {
    let proxy = |options: &[(&str, &str)]| {
        let mut builder = OptionsBuilder::default();
        builder.set_location("words").unwrap();
        for (name, value) in options {
            builder.set(&format!("kinesis.sink.{name}"), value).unwrap();
        }
        let proxy = builder.finish().map(|options| options.connection.proxy);
        proxy.map_err(|error| error.to_string())
    };
    assert_eq!(proxy(&[]).unwrap(), None);
    for (address, url) in [
        ("proxy.corp", "http://proxy.corp:443"),
        ("https://proxy.corp/", "https://proxy.corp:443"),
        ("[2001:db8::1]", "http://[2001:db8::1]:443"),
    ] {
        let settings = proxy(&[("proxyAddress", address)]).unwrap().unwrap();
        assert_eq!(settings.url, url);
        assert_eq!(settings.login, None);
    }
    let all = [
        ("proxyAddress", "proxy.corp"),
        ("proxyPort", "3128"),
        ("proxyUsername", "ada"),
        ("proxyPassword", "hush"),
    ];
    let settings = proxy(&all).unwrap().unwrap();
    assert_eq!(settings.url, "http://proxy.corp:3128");
    let login = settings.login.unwrap();
    assert_eq!(
        (login.username.as_str(), login.password.reveal()),
        ("ada", "hush")
    );
    for (given, missing) in [
        (&all[1..2], "proxyAddress"),
        (&all[3..], "proxyAddress"),
        (&all[..3], "proxyPassword"),
    ] {
        let message = proxy(given).unwrap_err();
        let expected = format!("together with 'kinesis.sink.{missing}'");
        assert!(message.contains(&expected), "{message}");
    }
}

#[test]
fn a_url_with_a_password_is_rejected_without_showing_it() {
    for url in ["https://me:canary@host", "http://me:canary@host:4567/x"] {
        let message = rejection(&[("kinesis.endpointUrl", url)]);
        assert!(
            message.contains("expected a URL") && !message.contains("canary"),
            "{message}"
        );
    }
    for url in ["http://:4567", "http://host:port", "https://", "host"] {
        assert!(
            rejection(&[("kinesis.endpointUrl", url)]).contains("expected a URL"),
            "{url}"
        );
    }
    for url in [
        "http://[::1]:4567",
        "http://[::1]",
        "https://host/",
        "http://127.0.0.1:80",
    ] {
        assert!(options(&[("kinesis.endpointUrl", url)]).is_ok(), "{url}");
    }
}
