//! Settings that name trusted certificates.

use std::fs;

use super::{TlsFront, authority, error_output, printed, run, simulator};
use crate::process::folder;

#[tokio::test(flavor = "multi_thread")]
async fn a_private_authority_is_trusted_by_any_setting() {
    let simulator = simulator().await;
    let front = TlsFront::before(simulator.local_addr()).await;
    let endpoint = format!("https://localhost:{}", front.address.port());
    let authority = authority().display().to_string();
    // Another certificate, which signed nothing.
    let other = authority.replace("ca.pem", "server.pem");
    let home = folder("ca-bundle");
    let config = home.join("config");
    let profiles = format!(
        "[default]\nca_bundle = {authority}\n[profile other]\nregion = us-east-1\n\
         [profile keys]\nca_bundle = {authority}\naws_access_key_id = a\naws_secret_access_key = b\n"
    );
    fs::write(&config, profiles).unwrap();
    let config = config.display().to_string();
    let by_profile = ", 'kinesis.awsProfile' 'keys'";
    for (options, environment) in [
        ("", vec![("AWS_CA_BUNDLE", authority.as_str())]),
        ("", vec![("SSL_CERT_FILE", authority.as_str())]),
        ("", vec![("AWS_CONFIG_FILE", config.as_str())]),
        (
            by_profile,
            vec![("AWS_CONFIG_FILE", &config), ("AWS_PROFILE", "other")],
        ),
        // Both settings apply.
        (
            "",
            vec![("AWS_CA_BUNDLE", &authority), ("SSL_CERT_FILE", "/nowhere")],
        ),
        (
            "",
            vec![
                ("AWS_CA_BUNDLE", other.as_str()),
                ("SSL_CERT_FILE", &authority),
            ],
        ),
    ] {
        let text = printed(&run(&endpoint, options, &environment));
        assert!(text.contains("\nb\n"), "{environment:?}: {text}");
    }
    let environment = [
        ("AWS_CONFIG_FILE", config.as_str()),
        ("AWS_PROFILE", "other"),
    ];
    let text = error_output(&run(&endpoint, "", &environment));
    assert!(text.contains("is not trusted"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_certificate_is_an_immediate_error_with_advice() {
    let simulator = simulator().await;
    let front = TlsFront::before(simulator.local_addr()).await;
    let port = front.address.port();
    let authority = authority().display().to_string();
    let text = error_output(&run(&format!("https://localhost:{port}"), "", &[]));
    for part in [
        "UnknownIssuer",
        "is not trusted",
        "from the system",
        "AWS_CA_BUNDLE",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("gave up"), "{text}");
    let environment = [("AWS_CA_BUNDLE", authority.as_str())];
    let text = error_output(&run(&format!("https://127.0.0.1:{port}"), "", &environment));
    assert!(text.contains("is for another host name"), "{text}");
    assert!(!text.contains("gave up"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_without_certificates_is_reported() {
    let home = folder("no-bundle");
    let empty = home.join("empty.pem");
    fs::write(&empty, "nothing\n").unwrap();
    let broken = home.join("broken.pem");
    let text = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    fs::write(&broken, text).unwrap();
    for (file, why) in [
        (home.join("missing.pem"), "No such file"),
        (empty, "contains no usable certificate"),
        (broken, "contains no usable certificate"),
    ] {
        let file = file.display().to_string();
        let environment = [("AWS_CA_BUNDLE", file.as_str())];
        let text = error_output(&run("https://localhost:1", "", &environment));
        let named = format!("AWS_CA_BUNDLE = '{file}'");
        assert!(text.contains(&named) && text.contains(why), "{text}");
    }
}
