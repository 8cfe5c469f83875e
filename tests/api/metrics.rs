//! The metrics in the line of each request, as CloudWatch reads them. Alarms and dashboard are in `template.rs`.

use oracles::jsonschema;
use serde_json::{Value, json};

use crate::proxy::{Fault, Loss, Proxy, When};
use crate::support::{CLIENT, Engine, Issuer, PROJECTS, Process, Published, Request, Signer, keys_at, page_request};

/// The metrics of a line: the name, the value and the sets of dimensions of each. The rules are those of the specification
/// (Embedded Metric Format).
fn metrics(line: &Value) -> Vec<(String, f64, Vec<Vec<String>>)> {
    let schema: Value = serde_json::from_str(include_str!("embedded-metric-format.json")).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<_> = validator.iter_errors(line).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}: {line}");

    let mut metrics = Vec::new();
    for directive in line["_aws"]["CloudWatchMetrics"].as_array().unwrap() {
        assert_eq!(directive["Namespace"], "ProjectFlows");
        let dimensions: Vec<Vec<String>> = serde_json::from_value(directive["Dimensions"].clone()).unwrap();
        for name in dimensions.iter().flatten() {
            assert!(line[name].as_str().is_some_and(|value| !value.is_empty()), "{name} in {line}");
        }
        for metric in directive["Metrics"].as_array().unwrap() {
            let name = metric["Name"].as_str().unwrap();
            let value = line[name].as_f64().unwrap_or_else(|| panic!("{name} in {line}"));
            metrics.push((name.to_owned(), value, dimensions.clone()));
        }
    }
    metrics
}

/// The counts of a line: all metrics but the duration.
fn counts(line: &Value) -> Value {
    let counts = metrics(line).into_iter().filter(|(name, ..)| name != "duration_ms");
    counts.map(|(name, value, _)| (name, json!(value))).collect()
}

#[tokio::test]
async fn each_line_has_the_metrics_of_its_request_in_the_embedded_metric_format() {
    let engine = Engine::start().await;
    let proxy = Proxy::start(&engine.url).await;
    let mut process = Process::start(&proxy.url).await;
    let create = Request::create(page_request());
    let lost = Fault::Lost(When::AfterCommit, Loss::Close);
    let refused = |status, code| Fault::Error(status, code, "");
    let throttled = || refused(400, "ThrottlingException");
    let expected = [
        ("the first", create.clone().key("k"), vec![], 201, json!({ "cold_starts": 1.0 })),
        ("a replay", create.clone().key("k"), vec![], 201, json!({ "replays": 1.0 })),
        ("nothing to count", create.clone(), vec![], 201, json!({})),
        ("a lost answer", create.clone(), vec![lost.clone()], 201, json!({ "recovered_retries": 1.0 })),
        (
            "throttled once, then an error of the server",
            create.clone(),
            vec![throttled(), refused(500, "InternalServerError")],
            201,
            json!({ "recovered_retries": 1.0, "throttles": 1.0 }),
        ),
        ("throttled each time", create.clone(), vec![throttled(); 3], 503, json!({ "throttles": 3.0 })),
        (
            "each attempt lost before the commit",
            create.clone(),
            vec![Fault::Lost(When::BeforeCommit, Loss::Close); 3],
            503,
            json!({ "unknown_outcomes": 1.0 }),
        ),
        ("a refusal of the request", create.clone().without("authorization"), vec![], 401, json!({})),
        ("an unknown path", Request { path: "/".to_owned(), ..create.clone() }, vec![], 404, json!({})),
    ];
    for (reason, request, faults, status, _) in &expected {
        proxy.heal();
        proxy.fail("PutItem", faults);
        let answer = process.send(request).await;
        assert_eq!(answer.status, *status, "{reason}: {answer:?}");
    }

    let lines = process.log(expected.len()).await;
    assert_eq!(lines.len(), expected.len(), "one line a request");
    for (line, (reason, _, _, status, expected)) in lines.iter().zip(&expected) {
        assert_eq!(counts(line), *expected, "{reason}");
        let (_, duration, dimensions) =
            metrics(line).into_iter().find(|(name, ..)| name == "duration_ms").expect("a duration");
        assert!(duration > 0.0, "{reason}");
        let by_code = dimensions.iter().any(|set| set.iter().any(|name| name == "code"));
        assert_eq!((by_code, dimensions.len()), (*status >= 400, if *status >= 400 { 3 } else { 2 }), "{reason}");
        assert_eq!(line["FunctionName"], "f");
    }
}

#[tokio::test]
async fn a_throttled_transaction_counts_as_throttled_and_one_in_conflict_does_not() {
    let engine = Engine::start().await;
    let proxy = Proxy::start(&engine.url).await;
    engine.add_projects(&[("project_123456789", CLIENT)]);
    // With a table of projects, a create is a transaction.
    let mut process = Process::start_with(&proxy.url, &[("PROJECTS_TABLE", Some(PROJECTS))]).await;
    let create = Request::create(page_request());
    assert_eq!(process.send(&create).await.status, 201);

    let expected = [
        (&["ThrottlingError", "None"], json!({ "recovered_retries": 1.0, "throttles": 1.0 })),
        (&["None", "ProvisionedThroughputExceeded"], json!({ "recovered_retries": 1.0, "throttles": 1.0 })),
        (&["TransactionConflict", "None"], json!({})),
    ];
    for (codes, _) in &expected {
        proxy.fail("TransactWriteItems", &[Fault::Cancelled(*codes)]);
        let answer = process.send(&create).await;
        assert_eq!(answer.status, 201, "{codes:?}: {answer:?}");
    }

    let lines = process.log(1 + expected.len()).await;
    for (line, (codes, expected)) in lines.iter().skip(1).zip(&expected) {
        assert_eq!(counts(line), *expected, "{codes:?}");
    }
}

#[tokio::test]
async fn a_fetch_of_keys_that_fails_is_counted() {
    let (engine, signer) = (Engine::start().await, Signer::new("one"));
    let issuer = Issuer::start(Published { status: 500, ..Published::text("") }).await;
    let create = Request::create(page_request()).header("authorization", &signer.bearer());

    let mut process = Process::start_with(&engine.url, &keys_at(&issuer.url)).await;
    process.send(&create).await.expect(503, "TEMPORARILY_UNAVAILABLE");
    process.send(&create).await.expect(503, "TEMPORARILY_UNAVAILABLE");
    process.expect_output("\"cold_start\":false").await;
    let output = process.output();
    let lines = output.lines().map(|line| serde_json::from_str(line).expect("a line of JSON"));
    let requests: Vec<Value> = lines.filter(|line: &Value| line.get("_aws").is_some()).collect();
    assert_eq!(counts(&requests[0]), json!({ "cold_starts": 1.0, "key_fetch_failures": 1.0 }));
    assert_eq!(counts(&requests[1]), json!({}), "too early for another");
}
