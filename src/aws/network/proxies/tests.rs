use super::*;
use crate::model::ProxyLogin;

fn environment(variables: &[(&str, &str)]) -> Proxies {
    Proxies::of_environment(|wanted| {
        let found = variables.iter().find(|(name, _)| *name == wanted);
        found.map(|(_, value)| (*value).to_owned())
    })
}

/// The route of a request to `url`, in words.
fn route(proxies: &Proxies, url: &str) -> String {
    match proxies.route(&Url::parse(url).unwrap()) {
        Route::Direct => "direct".to_owned(),
        Route::Through(proxy) => proxy.to_string(),
        Route::Unusable(why) => why.to_owned(),
    }
}

const AWS: &str = "https://kinesis.eu-west-1.amazonaws.com";
const PLAIN: &str = "http://kinesis.internal:4567/";

#[test]
fn the_request_scheme_selects_the_variable_in_either_case() {
    for (http, https, all) in [
        ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"),
        ("http_proxy", "https_proxy", "all_proxy"),
    ] {
        let both = environment(&[(http, "http://one:3128"), (https, "two:8080")]);
        assert_eq!(route(&both, PLAIN), format!("'http://one:3128' ({http})"));
        assert_eq!(route(&both, AWS), format!("'http://two:8080' ({https})"));
        let rest = environment(&[(http, "http://one:3128"), (all, "https://rest")]);
        assert_eq!(route(&rest, PLAIN), format!("'http://one:3128' ({http})"));
        assert_eq!(route(&rest, AWS), format!("'https://rest:443' ({all})"));
    }
    assert_eq!(route(&environment(&[]), AWS), "direct");
}

#[test]
fn lower_case_wins_and_an_empty_value_disables_the_proxy() {
    let two = [("HTTPS_PROXY", "capital:1"), ("https_proxy", "small:2")];
    assert_eq!(
        route(&environment(&two), AWS),
        "'http://small:2' (https_proxy)"
    );
    let off = [("HTTPS_PROXY", "capital:1"), ("https_proxy", "")];
    assert_eq!(route(&environment(&off), AWS), "direct");
}

#[test]
fn a_request_header_cannot_set_a_proxy() {
    let cgi = [("HTTP_PROXY", "evil:1"), ("REQUEST_METHOD", "GET")];
    assert_eq!(route(&environment(&cgi), PLAIN), "direct");
}

#[test]
fn no_proxy_hosts_are_reached_directly() {
    let listed = |list: &str, url: &str| {
        let proxies = environment(&[("ALL_PROXY", "p:1"), ("NO_PROXY", list)]);
        route(&proxies, url) == "direct"
    };
    for (list, url) in [
        ("*", AWS),
        ("amazonaws.com", AWS),
        (".amazonaws.com", AWS),
        ("*.amazonaws.com", AWS),
        ("a.b, KINESIS.eu-west-1.amazonaws.com", AWS),
        ("a.b kinesis.eu-west-1.amazonaws.com", AWS),
        ("amazonaws.com:443", AWS),
        ("internal:4567", PLAIN),
        ("10.0.0.0/8", "https://10.1.2.3"),
        ("10.1.2.3", "https://10.1.2.3"),
        ("10.1.2.3:8443", "https://10.1.2.3:8443"),
        ("0.0.0.0/0", "https://10.1.2.3"),
        ("2001:db8::/32", "https://[2001:db8::1]"),
        ("[2001:db8::1]:8443", "https://[2001:db8::1]:8443"),
    ] {
        assert!(listed(list, url), "{list}: {url}");
    }
    for (list, url) in [
        ("", AWS),
        ("aws.com", AWS),
        ("amazonaws.com:8443", AWS),
        ("kinesis", AWS),
        ("10.0.0.0/8", "https://11.1.2.3"),
        ("10.0.0.0/8", "https://[a00::1]"),
        ("nonsense/8,:,[", AWS),
    ] {
        assert!(!listed(list, url), "{list}: {url}");
    }
}

#[test]
fn loopback_and_instance_credentials_bypass_the_proxy() {
    let proxies = environment(&[("ALL_PROXY", "p:1")]);
    for url in [
        "http://localhost:4567",
        "http://kinesis.localhost:4567",
        "http://127.0.0.1:4567",
        "http://[::1]:4567",
        "http://169.254.169.254/latest",
        "http://169.254.170.23/v1/credentials",
        "http://[fd00:ec2::254]/latest",
    ] {
        assert_eq!(route(&proxies, url), "direct", "{url}");
    }
}

#[test]
fn a_proxy_from_options_applies_to_all_hosts_and_hides_its_password() {
    let settings = ProxySettings {
        url: "http://proxy.corp:3128".to_owned(),
        login: Some(ProxyLogin {
            username: "ada".to_owned(),
            password: Secret::new("canary@100%41/"),
        }),
    };
    let proxies = Proxies::of_options(&settings);
    let shown = "'http://proxy.corp:3128' (kinesis.sink.proxyAddress)";
    assert_eq!(route(&proxies, AWS), shown);
    assert_eq!(route(&proxies, "http://localhost:1"), shown);
    assert_eq!(route(&proxies, "http://169.254.169.254/"), "direct");
    let proxy = proxies.usable()[0];
    assert_eq!(proxies.usable().len(), 1);
    assert_eq!(
        proxy.url().reveal(),
        "http://ada:canary%40100%2541%2F@proxy.corp:3128/"
    );
    assert!(!format!("{proxies:?} {settings:?}").contains("canary"));
}

#[test]
fn an_unusable_proxy_is_reported_only_where_it_applies() {
    let proxies = environment(&[("ALL_PROXY", "socks5://ada:canary@p:1080")]);
    let why = route(&proxies, AWS);
    assert!(why.starts_with("ALL_PROXY sets a socks5:// proxy"), "{why}");
    assert_eq!(route(&proxies, "http://localhost:1"), "direct");
    let broken = environment(&[("ALL_PROXY", "http://ada:canary@p:port")]);
    let why = route(&broken, AWS);
    assert!(why.starts_with("ALL_PROXY is not"), "{why}");
    assert!(!format!("{proxies:?} {broken:?} {why}").contains("canary"));
}
