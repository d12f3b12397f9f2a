//! Drives a headless Chromium through chromedriver, if both are there.

use std::env;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

/// Longer than any command takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A browser with one tab, closed on drop.
pub(super) struct Browser {
    driver: Child,
    address: SocketAddr,
    session: String,
}

impl Browser {
    /// Starts a browser, or says why there is none.
    pub(super) fn start() -> Result<Self, &'static str> {
        let browsers = ["chromium", "chromium-browser", "google-chrome"];
        let browser = browsers.into_iter().find_map(found).ok_or("no Chromium")?;
        let driver = found("chromedriver").ok_or("no chromedriver")?;
        let mut driver = Command::new(driver)
            .args(["--port=0", "--allowed-ips="])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let output = BufReader::new(driver.stdout.take().unwrap());
        // The last line of the start: "ChromeDriver was started successfully on port 1234."
        let port = output.lines().map_while(Result::ok).find_map(|line| {
            let (_, port) = line.split_once("successfully on port ")?;
            port.trim_end_matches('.').parse().ok()
        });
        let mut started = Self {
            driver,
            address: SocketAddr::from(([127, 0, 0, 1], port.unwrap())),
            session: String::new(),
        };
        let options = json!({
            "binary": browser,
            "args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                     "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"],
        });
        let capabilities = json!({"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": options,
            "goog:loggingPrefs": {"browser": "ALL"},
            "unhandledPromptBehavior": "ignore",
        }}});
        let session = started.ask("POST", "/session", &capabilities).unwrap();
        started.session = session["sessionId"].as_str().unwrap().to_owned();
        Ok(started)
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        let mut connection = TcpStream::connect(self.address).map_err(|error| error.to_string())?;
        connection.set_read_timeout(Some(PATIENCE)).unwrap();
        let body = if method == "GET" {
            String::new()
        } else {
            body.to_string()
        };
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
             Connection: close\r\n\r\n",
            self.address,
            body.len()
        );
        connection
            .write_all(format!("{head}{body}").as_bytes())
            .unwrap();
        let body = body_of(connection).map_err(|error| error.to_string())?;
        let mut body: Value = serde_json::from_slice(&body).map_err(|error| error.to_string())?;
        let value = body["value"].take();
        match value.get("error") {
            Some(_) => Err(value.to_string()),
            None => Ok(value),
        }
    }

    fn command(&self, method: &str, path: &str, body: &Value) -> Value {
        let path = format!("/session/{}{path}", self.session);
        self.ask(method, &path, body).unwrap()
    }

    pub(super) fn open(&self, url: &str) {
        self.command("POST", "/url", &json!({ "url": url }));
    }

    /// Makes the window as wide as a screen or a phone.
    pub(super) fn resize(&self, width: u32) {
        let metrics =
            json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500});
        let body = json!({"cmd": "Emulation.setDeviceMetricsOverride", "params": metrics});
        self.command("POST", "/goog/cdp/execute", &body);
    }

    /// The value of a script's `return`.
    pub(super) fn run(&self, script: &str) -> Value {
        self.command(
            "POST",
            "/execute/sync",
            &json!({"script": script, "args": []}),
        )
    }

    /// Clicks the only element of a CSS selector.
    pub(super) fn click(&self, selector: &str) {
        let body = json!({"using": "css selector", "value": selector});
        let element = self.command("POST", "/element", &body);
        let id = element.as_object().unwrap().values().next().unwrap();
        let path = format!("/element/{}/click", id.as_str().unwrap());
        self.command("POST", &path, &json!({}));
    }

    /// Accepts a question of the page. Returns its text.
    pub(super) fn accept(&self) -> String {
        let text = self.command("GET", "/alert/text", &json!({}));
        self.command("POST", "/alert/accept", &json!({}));
        text.as_str().unwrap().to_owned()
    }

    /// What the console has said since the last call.
    pub(super) fn console(&self) -> Value {
        self.command("POST", "/se/log", &json!({"type": "browser"}))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() {
            let _ = self.ask("DELETE", &format!("/session/{}", self.session), &json!({}));
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// The body of an answer. The driver keeps the connection.
fn body_of(connection: TcpStream) -> std::io::Result<Vec<u8>> {
    let mut answer = BufReader::new(connection);
    let mut length = 0;
    loop {
        let mut line = String::new();
        answer.read_line(&mut line)?;
        match line.trim_end().split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.trim().parse().unwrap();
            }
            None if line.trim_end().is_empty() => break,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    answer.read_exact(&mut body)?;
    Ok(body)
}

/// The path of a program.
fn found(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let mut places = env::split_paths(&path).map(|folder| folder.join(program));
    places.find(|place| place.is_file())
}
