//! The life of one flow, told by its requests and answers: `make demo`, while `make run` serves.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::{Result, exchange, tokens};

const FLOWS: &str = "/v2/project-flows";
const WIDTH: usize = 110;

/// A place where the story goes on: what it is about, and its request.
struct Step {
    says: &'static str,
    method: &'static str,
    path: String,
    headers: Vec<(&'static str, &'static str)>,
    body: Option<Value>,
    /// What the answer begins with.
    expected: u16,
}

fn step(says: &'static str, method: &'static str, path: String, expected: u16) -> Step {
    Step { says, method, path, headers: Vec::new(), body: None, expected }
}

impl Step {
    fn body(self, body: Value) -> Self {
        Self { body: Some(body), ..self }
    }

    fn header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }
}

/// Tells it all, on the function at `port`.
pub async fn tell(port: u16) -> Result<()> {
    let token = tokens::signed("demo", serde_json::Map::new())?;
    let email = json!([{ "stepType": "email", "order": 1, "required": true }]);
    let content = json!({
        "project": "project_demo", "type": "login", "name": "Login", "steps": email,
        "configuration": {
            "emailVerification": { "enabled": true, "method": "code" }, "securityThresholds": { "face": 0.9 },
        },
    });
    let created =
        play(port, &token, step("A flow begins as a draft", "POST", FLOWS.to_owned(), 201).body(content)).await?;
    let id = created["data"]["_id"].as_str().ok_or("expected an _id, found none")?;
    let flow = format!("{FLOWS}/{id}");
    let versions = format!("{flow}/versions");

    let live = format!("{FLOWS}/live/project_demo/login");
    let switched_off = json!({ "configuration": { "emailVerification": { "enabled": false } }, "name": "" });
    let looser = json!({ "version": 2, "configuration": { "securityThresholds": { "face": 0.1 } } });
    let release = |version: u64| json!({ "_id": id, "version": version });
    let steps = [
        step(
            "A dry run tells what an update would come to: every problem of it",
            "PUT",
            format!("{flow}?dryRun=true"),
            400,
        )
        .body(switched_off),
        step("It becomes active, if nobody has changed it since version 1 was read", "PUT", flow.clone(), 200)
            .header("If-Match", "\"1\"")
            .body(json!({ "status": "active" })),
        step("Somebody else still edits version 1, and is told so", "PUT", flow.clone(), 412)
            .header("If-Match", "\"1\"")
            .body(json!({ "name": "Log in" })),
        step("Version 2 is released: from now on, these rules apply", "PUT", live.clone(), 200).body(release(2)),
        step(
            "A change that lets nearly any face in; this time the body says from which version",
            "PUT",
            flow.clone(),
            200,
        )
        .body(looser),
        step("It is not live: the login page still reads version 2", "GET", live.clone(), 200),
        step("What would a release change?", "GET", format!("{versions}/3/diff?from=live"), 200),
        step("It is released nevertheless", "PUT", format!("{live}?note=Fewer%20complaints"), 200).body(release(3)),
        step("And taken back", "PUT", format!("{live}?note=Too%20loose"), 200).body(release(2)),
        step("All releases, newest first", "GET", format!("{live}/releases"), 200),
        step("Which rules applied at that second?", "GET", format!("{live}?asOf=2099-01-01T00:00:00Z"), 200),
        step(
            "The flow goes back to version 2 too, as version 4: nothing of the history is lost",
            "POST",
            format!("{versions}/2/restore"),
            200,
        ),
        step("A client that has version 4 need not get it again", "GET", flow.clone(), 304)
            .header("If-None-Match", "\"4\""),
        step("Its history, newest first", "GET", format!("{versions}?limit=2"), 200),
        step("The client's flows", "GET", format!("{FLOWS}?limit=1&status=active"), 200),
        step("A flow that is live cannot be paused", "PUT", flow.clone(), 409).body(json!({ "status": "paused" })),
        step("So it is withdrawn", "DELETE", live, 200),
        step("And paused", "PUT", flow.clone(), 200).body(json!({ "status": "paused" })),
        step("And deleted", "DELETE", flow.clone(), 200),
        step("It is gone", "GET", flow.clone(), 404),
        step("But for its history, from which it comes back as a draft", "POST", format!("{versions}/4/restore"), 200),
    ];
    for step in steps {
        play(port, &token, step).await?;
    }
    Ok(())
}

/// Sends a step's request, and shows it and its answer.
async fn play(port: u16, token: &str, step: Step) -> Result<Value> {
    let Step { says, method, path, headers, body, expected } = step;
    println!("\x1b[1m{says}\x1b[0m\n\n  {method} {path}");
    for (name, value) in &headers {
        println!("  {name}: {value}");
    }
    let body = body.map(|body| body.to_string());
    if let Some(body) = &body {
        show(body)?;
    }
    let (head, text) = exchange(port, method, &path, token, &headers, body.as_deref()).await?;
    let mut lines = head.lines();
    let status = lines.next().unwrap_or_default();
    println!("\n  \x1b[{}m{status}\x1b[0m", if status.contains(" 2") || status.contains(" 3") { 32 } else { 33 });
    let shown = ["etag", "location", "retry-after"];
    for line in lines.filter(|line| shown.iter().any(|name| line.to_lowercase().starts_with(name))) {
        println!("  {line}");
    }
    if !text.is_empty() {
        show(&text)?;
    }
    println!();
    if !status.starts_with(&format!("HTTP/1.1 {expected}")) {
        return Err(format!("expected {expected}, found {status}"));
    }
    Ok(serde_json::from_str(&text).unwrap_or_default())
}

fn show(text: &str) -> Result<()> {
    println!("  {}", laid_out(text, 2)?);
    Ok(())
}

/// JSON on as few lines as are readable, its members in the order of the text.
pub fn laid_out(text: &str, indent: usize) -> Result<String> {
    let unreadable = |error| format!("{error} in {text}");
    let (open, close, inside) = if text.starts_with('{') {
        let Members(members) = serde_json::from_str(text).map_err(unreadable)?;
        let lay_out = |(name, value): (String, &RawValue)| {
            laid_out(value.get(), indent + 2).map(|value| format!("{}: {value}", json!(name)))
        };
        ("{", "}", members.into_iter().map(lay_out).collect::<Result<Vec<_>>>()?)
    } else if text.starts_with('[') {
        let values: Vec<&RawValue> = serde_json::from_str(text).map_err(unreadable)?;
        let lay_out = |value: &RawValue| laid_out(value.get(), indent + 2);
        ("[", "]", values.into_iter().map(lay_out).collect::<Result<Vec<_>>>()?)
    } else {
        return Ok(text.to_owned());
    };
    let one_line = inside.join(", ");
    if !one_line.contains('\n') && indent + one_line.len() <= WIDTH {
        return Ok(format!("{open}{one_line}{close}"));
    }
    let (outer, inner) = (" ".repeat(indent), " ".repeat(indent + 2));
    Ok(format!("{open}\n{inner}{}\n{outer}{close}", inside.join(&format!(",\n{inner}"))))
}

/// The members of an object in the order of its text, which a map would lose.
struct Members<'text>(Vec<(String, &'text RawValue)>);

impl<'text> Deserialize<'text> for Members<'text> {
    fn deserialize<D: Deserializer<'text>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct InOrder;

        impl<'text> Visitor<'text> for InOrder {
            type Value = Members<'text>;

            fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'text>>(self, mut map: A) -> std::result::Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(InOrder)
    }
}
