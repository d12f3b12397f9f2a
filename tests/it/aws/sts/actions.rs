//! The actions of the service.

use hyper::StatusCode;
use hyper::http::request::Parts;

use super::answers::{self, Failure, elements};
use super::form::Form;
use crate::aws::directory::{Caller, Directory, Role, Scope};

/// Maximum lifetime of a session that another session starts.
const MAX_CHAINED_SECONDS: u64 = 3_600;

pub(super) fn answer(
    directory: &Directory,
    head: &Parts,
    body: &[u8],
    form: &Form,
) -> Result<String, Failure> {
    let caller = || {
        let scope = Scope {
            service: "sts",
            region: None,
        };
        directory.caller(scope, head, body)
    };
    match form.get("Action").unwrap_or_default() {
        "AssumeRole" => assume_role(directory, &caller()?, form),
        "AssumeRoleWithWebIdentity" => assume_role_with_web_identity(directory, form),
        "GetCallerIdentity" => Ok(get_caller_identity(&caller()?)),
        action => {
            let words = format!("Could not find operation {action} for version 2011-06-15");
            Err(Failure::new(
                StatusCode::BAD_REQUEST,
                "InvalidAction",
                words,
            ))
        }
    }
}

fn get_caller_identity(caller: &Caller) -> String {
    let id = caller.arn.rsplit(':').next().unwrap_or_default();
    let identity = [
        ("Arn", caller.arn.as_str()),
        ("UserId", id),
        ("Account", &caller.account),
    ];
    answers::result("GetCallerIdentity", &elements(&identity))
}

fn assume_role(directory: &Directory, caller: &Caller, form: &Form) -> Result<String, Failure> {
    let arn = form.get("RoleArn").unwrap_or_default();
    let name = session_name(form)?;
    let asked = duration(form)?;
    let role = directory.role(arn);
    let role = role.filter(|role| role.trusts(caller, form.get("ExternalId")));
    let role = role.ok_or_else(|| {
        let who = &caller.arn;
        let words = "is not authorized to perform: sts:AssumeRole on resource:";
        Failure::denied(format!("User: {who} {words} {arn}"))
    })?;
    let seconds = within(&role, asked)?;
    if caller.role.is_some() && seconds > MAX_CHAINED_SECONDS {
        return Err(Failure::validation(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by \
             role chaining",
        ));
    }
    let session = directory.start_session(&role, name, seconds);
    Ok(answers::result("AssumeRole", &answers::session(&session)))
}

fn assume_role_with_web_identity(directory: &Directory, form: &Form) -> Result<String, Failure> {
    let name = session_name(form)?;
    let asked = duration(form)?;
    let role = directory.role(form.get("RoleArn").unwrap_or_default());
    let role = role.filter(|role| role.web_identity_token.is_some());
    let role = role.ok_or_else(|| {
        Failure::denied("Not authorized to perform sts:AssumeRoleWithWebIdentity")
    })?;
    if form.get("WebIdentityToken") != role.web_identity_token.as_deref() {
        let words = "The ID Token provided is not a valid JWT.";
        let status = StatusCode::BAD_REQUEST;
        return Err(Failure::new(status, "InvalidIdentityToken", words));
    }
    let seconds = within(&role, asked)?;
    let session = answers::session(&directory.start_session(&role, name, seconds));
    let provider = elements(&[
        ("SubjectFromWebIdentityToken", "subject"),
        ("Provider", "issuer.example.com"),
    ]);
    let result = session + &provider;
    Ok(answers::result("AssumeRoleWithWebIdentity", &result))
}

fn session_name(form: &Form) -> Result<&str, Failure> {
    let name = form.get("RoleSessionName").unwrap_or_default();
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    if (2..=64).contains(&name.len()) && name.chars().all(allowed) {
        return Ok(name);
    }
    Err(Failure::validation(format!(
        "1 validation error detected: Value '{name}' at 'roleSessionName' failed to satisfy \
         constraint: Member must have length between 2 and 64, and satisfy regular expression \
         pattern: [\\w+=,.@-]*"
    )))
}

fn duration(form: &Form) -> Result<Option<u64>, Failure> {
    let Some(digits) = form.get("DurationSeconds") else {
        return Ok(None);
    };
    let seconds = digits.parse().ok();
    let seconds = seconds.filter(|seconds| (900..=43_200).contains(seconds));
    seconds.map(Some).ok_or_else(|| {
        Failure::validation(format!(
            "1 validation error detected: Value '{digits}' at 'durationSeconds' failed to satisfy \
             constraint: Member must have value between 900 and 43200"
        ))
    })
}

fn within(role: &Role, asked: Option<u64>) -> Result<u64, Failure> {
    let seconds = asked.unwrap_or(3_600);
    match seconds <= role.max_session_seconds {
        true => Ok(seconds),
        false => Err(Failure::validation(
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        )),
    }
}
