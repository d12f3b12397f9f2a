use super::*;
use axum::http::Request;

const TOKEN: &str = "0123456789abcdef";

fn access(token: Option<&str>) -> Access {
    let address = "127.0.0.1:4040".parse().unwrap();
    Access::new(address, token.map(str::to_owned)).unwrap()
}

fn request(method: &str, uri: &str, headers: &[(&str, &str)]) -> Parts {
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

fn status(access: &Access, method: &str, headers: &[(&str, &str)]) -> u16 {
    match access.check(&request(method, "/", headers)) {
        Ok(_) => 200,
        Err(Refusal(status, _)) => status.as_u16(),
    }
}

#[test]
fn only_names_of_this_machine_are_served_without_a_token() {
    let open = access(None);
    for host in [
        "127.0.0.1:4040",
        "localhost:9",
        "LOCALHOST",
        "[::1]:4040",
        "127.8.8.8",
    ] {
        assert_eq!(status(&open, "GET", &[("host", host)]), 200, "{host}");
    }
    for host in [
        "evil.example:4040",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "10.0.0.1",
    ] {
        assert_eq!(status(&open, "GET", &[("host", host)]), 403, "{host}");
    }
    assert_eq!(status(&open, "GET", &[]), 400);
    assert_eq!(status(&open, "GET", &[("host", "")]), 400);
    let twice = [("host", "localhost"), ("host", "evil.example")];
    assert_eq!(status(&open, "GET", &twice), 400);
    let with_token = access(Some(TOKEN));
    let bearer = format!("Bearer {TOKEN}");
    let headers = [("host", "status.example"), ("authorization", &*bearer)];
    assert_eq!(status(&with_token, "GET", &headers), 200);
}

#[test]
fn a_write_comes_from_the_page_itself() {
    let open = access(None);
    let write = |headers: &[(&str, &str)]| {
        let mut all = vec![("host", "127.0.0.1:4040")];
        all.extend_from_slice(headers);
        status(&open, "POST", &all)
    };
    assert_eq!(write(&[("origin", "http://127.0.0.1:4040")]), 200);
    for host in [
        "evil@127.0.0.1",
        "localhost/?evil.example",
        "localhost#",
        "127.0.0.1\\x",
    ] {
        assert_eq!(status(&open, "GET", &[("host", host)]), 403, "{host}");
    }
    assert_eq!(write(&[("sec-fetch-site", "same-origin")]), 200);
    for refused in [
        &[][..],
        &[("origin", "http://evil.example")],
        &[("origin", "http://127.0.0.1:4041")],
        &[("origin", "null")],
        &[("origin", "")],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "none")],
        &[
            ("sec-fetch-site", "cross-site"),
            ("origin", "http://127.0.0.1:4040"),
        ],
        &[
            ("sec-fetch-site", "same-origin"),
            ("origin", "http://evil.example"),
        ],
        &[
            ("origin", "http://127.0.0.1:4040"),
            ("origin", "http://evil.example"),
        ],
    ] {
        assert_eq!(write(refused), 403, "{refused:?}");
    }
}

#[test]
fn a_token_is_shown_by_header_url_or_cookie() {
    let access = access(Some(TOKEN));
    let check = |uri: &str, method: &str, headers: &[(&str, &str)]| {
        let mut all = vec![("host", "status.example")];
        all.extend_from_slice(headers);
        access.check(&request(method, uri, &all))
    };
    let is_refused = |uri, headers: &[(&str, &str)]| {
        check(uri, "GET", headers).unwrap_err().0 == StatusCode::UNAUTHORIZED
    };
    assert!(is_refused("/", &[]));
    assert!(is_refused("/?token=0123456789abcdeF", &[]));
    assert!(is_refused("/?token=", &[]));
    assert!(is_refused(
        "/",
        &[("authorization", "Bearer 0123456789abcde")]
    ));
    assert!(is_refused(
        "/",
        &[("authorization", "Basic 0123456789abcdef")]
    ));
    assert!(is_refused(
        "/",
        &[("cookie", "kinesis_sql_ui_4040=0123456789abcdef")]
    ));
    let bearer = [("authorization", "bearer 0123456789abcdef")];
    assert_eq!(check("/", "POST", &bearer).unwrap().cookie, None);

    let granted = check("/x?a=b&token=0123456789abcdef", "GET", &[]).unwrap();
    let cookie = granted.cookie.unwrap();
    assert!(
        cookie.ends_with("; Path=/; HttpOnly; SameSite=Strict"),
        "{cookie}"
    );
    assert!(!cookie.contains(TOKEN));
    let pair = format!("a=b; {}", cookie.split(';').next().unwrap());
    let cookie = [("cookie", &*pair)];
    assert_eq!(check("/", "GET", &cookie).unwrap().cookie, None);
    // Another site's page could make a browser send the cookie.
    assert_eq!(
        check("/", "POST", &cookie).unwrap_err().0,
        StatusCode::FORBIDDEN
    );
    let own = [cookie[0], ("origin", "https://status.example")];
    assert!(check("/", "POST", &own).is_ok());
}

#[test]
fn bodies_are_short() {
    let open = access(None);
    let host = ("host", "localhost");
    for (length, expected) in [("0", 200), ("4096", 200), ("4097", 413), ("many", 413)] {
        let headers = [host, ("content-length", length)];
        assert_eq!(status(&open, "GET", &headers), expected, "{length}");
    }
    assert_eq!(
        status(&open, "GET", &[host, ("transfer-encoding", "chunked")]),
        411
    );
}

#[test]
fn other_addresses_need_a_token_and_tokens_are_long() {
    let any = "0.0.0.0:4040".parse().unwrap();
    let error = Access::new(any, None).err().unwrap().to_string();
    assert!(error.contains("--ui-token"), "{error}");
    assert!(Access::new(any, Some(TOKEN.to_owned())).is_ok());
    for token in ["", "short", "0123456789abcde ", "0123456789abcdef;"] {
        let error = Access::new(any, Some(token.to_owned())).err().unwrap();
        assert!(
            error.to_string().contains("expected at least 16"),
            "{error}"
        );
    }
}
