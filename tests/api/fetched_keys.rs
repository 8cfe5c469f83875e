//! The keys that an issuer publishes: who fetches them, when, and what comes of every way to fail.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use jsonwebtoken::Algorithm;
use project_flows::item;
use serde_json::{Value, json};

use crate::engine;
use crate::proxy::{Fault, Loss, Proxy, When};
use crate::support::{
    Answer, Api, CLIENT, Engine, ISSUER, Issuer, Options, Process, Published, Request, Signer, key_pair, keys_at, now,
    page_request, page_request_with,
};

/// The function as a process, with keys from an issuer.
async fn start(database: &str, issuer: &Issuer) -> Process {
    Process::start_with(database, &keys_at(&issuer.url)).await
}

/// A request that makes no calls to the database, with a token of this key.
fn request(signer: &Signer) -> Request {
    dry_run().header("authorization", &signer.bearer())
}

fn dry_run() -> Request {
    Request::create(page_request()).query("dryRun=true")
}

/// The item of the keys, as DynamoDB JSON.
fn kept(engine: &Engine) -> Value {
    let items = engine.items();
    items.into_iter().find(|item| item["pk"]["S"] == item::KEYS_PARTITION).expect("an item of keys")
}

/// Changes a number of the item of the keys.
fn set_time(engine: &Engine, name: &str, change: impl Fn(u64) -> u64) {
    let mut item = kept(engine);
    let time = item[name]["N"].as_str().unwrap().parse().unwrap();
    item[name] = json!({ "N": change(time).to_string() });
    engine.put(engine::TABLE, &item);
}

/// Makes the kept set and the last fetch this much older.
fn age(engine: &Engine, by: Duration) {
    let by = u64::try_from(by.as_millis()).unwrap();
    for name in ["fetchedAt", "triedAt"] {
        set_time(engine, name, |time| time - by);
    }
}

/// Sends a request until the status of the answer is this one: a process looks for keys once a second at most.
async fn expect_soon(process: &mut Process, request: &Request, status: i64) {
    for _ in 0..100 {
        if process.send(request).await.status == status {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("expected {status}, found {:?}: {}", process.send(request).await, process.output());
}

/// Sends a request that is refused with 401 until the issuer has been asked this often.
async fn refuse_until_asked(process: &mut Process, request: &Request, issuer: &Issuer, requests: u32) {
    for _ in 0..100 {
        process.send(request).await.expect(401, "INVALID_TOKEN");
        if issuer.requests() == requests {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("expected {requests} requests, found {}", issuer.requests());
}

/// How many of the calls since this was last asked were reads of the keys.
fn reads_of_keys(proxy: &Proxy) -> usize {
    let calls = proxy.take_calls();
    calls.iter().filter(|call| call.body["Key"]["pk"]["S"] == item::KEYS_PARTITION).count()
}

/// A process that has used its key, behind a network that has counted nothing yet.
async fn warm(engine: &Engine, issuer: &Issuer, signer: &Signer) -> (Process, Proxy) {
    let proxy = Proxy::start(&engine.url).await;
    let mut process = start(&proxy.url, issuer).await;
    assert_eq!(process.send(&request(signer)).await.status, 200, "{}", process.output());
    proxy.take_calls();
    (process, proxy)
}

/// Keeps a set of one key in the table: fetched, and last tried to be fetched, this many milliseconds ago.
fn keep(engine: &Engine, issuer: &Issuer, signer: &Signer, fetched: i64, tried: i64) {
    let at = |ago: i64| json!({ "N": (i64::try_from(now()).unwrap() * 1_000 - ago).to_string() });
    let item = json!({
        "pk": { "S": item::KEYS_PARTITION },
        "sk": { "S": issuer.url },
        "jwks": { "S": json!({ "keys": [signer.jwk] }).to_string() },
        "fetchedAt": at(fetched),
        "triedAt": at(tried),
    });
    engine.put(engine::TABLE, &item);
}

/// The function with what the table keeps, behind a network that has counted nothing yet.
async fn primed(engine: &Engine, issuer: &Issuer) -> (Api, Proxy) {
    let options = Options { engine: Some(engine), settings: &keys_at(&issuer.url), ..Options::default() };
    let (api, proxy) = Api::with(options).await.behind_proxy().await;
    proxy.take_calls();
    (api, proxy)
}

const HOUR: Duration = Duration::from_hours(1);

#[tokio::test]
async fn the_first_process_fetches_the_keys_and_the_others_read_them_from_the_table() {
    let (engine, signer) = (Engine::start().await, Signer::new("one"));
    let issuer = Issuer::start(Published::set(&[&signer.jwk])).await;
    for _ in 0..3 {
        let mut process = start(&engine.url, &issuer).await;
        for _ in 0..2 {
            assert_eq!(process.send(&request(&signer)).await.status, 200, "{}", process.output());
        }
    }
    assert_eq!(issuer.requests(), 1);
    assert_eq!(kept(&engine)["sk"]["S"], issuer.url);
}

#[tokio::test]
async fn the_set_is_fetched_again_after_an_hour_and_is_in_force_for_a_day() {
    let (engine, signer) = (Engine::start().await, Signer::new("one"));
    let issuer = Issuer::start(Published::set(&[&signer.jwk])).await;
    assert_eq!(start(&engine.url, &issuer).await.send(&request(&signer)).await.status, 200);
    age(&engine, Duration::from_mins(59));
    assert_eq!(start(&engine.url, &issuer).await.send(&request(&signer)).await.status, 200);
    assert_eq!(issuer.requests(), 1, "not yet an hour old");
    age(&engine, Duration::from_mins(1));
    assert_eq!(start(&engine.url, &issuer).await.send(&request(&signer)).await.status, 200);
    assert_eq!(issuer.requests(), 2, "an hour old");

    issuer.publish(Published { status: 500, ..Published::text("") });
    age(&engine, 23 * HOUR);
    assert_eq!(start(&engine.url, &issuer).await.send(&request(&signer)).await.status, 200, "less than a day old");
    age(&engine, 2 * HOUR);
    let answer = start(&engine.url, &issuer).await.send(&request(&signer)).await;
    answer.expect(503, "TEMPORARILY_UNAVAILABLE");
    assert_eq!(answer.headers["retry-after"], "1");
}

#[tokio::test]
async fn a_new_key_is_accepted_without_a_restart() {
    let (engine, old, new) = (Engine::start().await, Signer::new("old"), Signer::new("new"));
    let issuer = Issuer::start(Published::set(&[&old.jwk])).await;
    let mut process = start(&engine.url, &issuer).await;
    let mut other = start(&engine.url, &issuer).await;
    assert_eq!(process.send(&request(&old)).await.status, 200);
    assert_eq!(other.send(&request(&old)).await.status, 200);

    issuer.publish(Published::set(&[&old.jwk, &new.jwk]));
    // Somebody has just asked, so nobody asks again.
    process.send(&request(&new)).await.expect(401, "INVALID_TOKEN");
    assert_eq!(issuer.requests(), 1);
    age(&engine, Duration::from_secs(10));
    expect_soon(&mut process, &request(&new), 200).await;
    // The table has it.
    expect_soon(&mut other, &request(&new), 200).await;
    assert_eq!(process.send(&request(&old)).await.status, 200);
    assert_eq!(issuer.requests(), 2);

    let stranger = Signer::new("stranger");
    age(&engine, Duration::from_secs(10));
    refuse_until_asked(&mut process, &request(&stranger), &issuer, 3).await;
    for _ in 0..3 {
        process.send(&request(&stranger)).await.expect(401, "INVALID_TOKEN");
    }
    let unnamed = dry_run().header("authorization", "Bearer e30.e30.e30");
    process.send(&unnamed).await.expect(401, "INVALID_TOKEN");
    assert_eq!(issuer.requests(), 3, "once in ten seconds, whatever tokens say");
}

#[tokio::test]
async fn a_fetch_that_fails_refuses_no_token_and_leaves_the_set_in_force() {
    let signer = Signer::new("one");
    let slow = Published { delay: Duration::from_secs(4), ..Published::set(&[&signer.jwk]) };
    let elsewhere = Issuer::start(Published::set(&[&signer.jwk])).await;
    let redirect = Published { status: 302, location: elsewhere.url.clone(), ..Published::text("") };
    let rows = [
        ("slow", slow, "expected an answer within 2 s"),
        (
            "an error of the server",
            Published { status: 500, ..Published::text("{}") },
            "expected status 200, found 500",
        ),
        ("a redirect", redirect, "expected status 200, found 302"),
        ("garbage", Published::text("<html>"), "expected a JWK Set"),
        ("10 MB", Published::text(&" ".repeat(10_000_000)), "expected at most 65536 bytes, found more"),
        ("no usable key", Published::set(&[&json!({ "kty": "foo" })]), "expected at least one key"),
        ("UTF-16", Published::text("{\0\"\0k\0e\0y\0s\0\"\0"), "expected a JWK Set"),
        ("a set in a member", Published::text(r#"{"jwks":{"keys":[]}}"#), "expected a JWK Set"),
    ];
    let tests = rows.map(|(what, published, why)| {
        tokio::spawn(async move {
            let signer = Signer::new("one");
            let engine = Engine::start().await;
            let issuer = Issuer::start(published.clone()).await;
            // Without any set, nobody can be told apart.
            let mut process = start(&engine.url, &issuer).await;
            process.send(&request(&signer)).await.expect(503, "TEMPORARILY_UNAVAILABLE");
            process.expect_output(why).await;
            assert_eq!(issuer.requests(), 1, "{what}");

            // With a set, its tokens are accepted, and tokens of unknown keys are neither accepted nor refused.
            issuer.publish(Published::set(&[&signer.jwk]));
            set_time(&engine, "triedAt", |time| time - 10_000);
            expect_soon(&mut process, &request(&signer), 200).await;
            issuer.publish(published);
            age(&engine, HOUR);
            let mut process = start(&engine.url, &issuer).await;
            assert_eq!(process.send(&request(&signer)).await.status, 200, "{what}: {}", process.output());
            process.send(&request(&Signer::new("another"))).await.expect(503, "TEMPORARILY_UNAVAILABLE");
            assert_eq!(issuer.requests(), 3, "{what}");
        })
    });
    for test in tests {
        test.await.unwrap();
    }
    assert_eq!(elsewhere.requests(), 0, "no redirect is followed");
}

#[tokio::test]
async fn a_request_waits_only_for_a_fetch_that_it_needs_and_that_may_be_under_way() {
    let (known, stranger) = (Signer::new("one"), Signer::new("stranger"));
    let hour = 3_600_000;
    let rows = [
        (&stranger, 0, 0, 401, "fetched in the millisecond of the try"),
        (&stranger, 0, 1_000, 401, "fetched after the try"),
        // For eleven seconds, a fetched set is the last word.
        (&stranger, -10_900, 5_000, 401, "fetched by a process whose clock is ahead"),
        (&stranger, 60_000, 5_000, 503, "the last fetch has failed, and the set is in force"),
        (&known, 48 * hour, 5_000, 503, "the last fetch has failed, and no set is in force"),
        (&known, 2 * hour, 0, 200, "another process fetches, and the set is in force"),
    ];
    for (signer, fetched, tried, status, why) in rows {
        let (engine, issuer) = (Engine::start().await, Issuer::start(Published::set(&[&known.jwk])).await);
        keep(&engine, &issuer, &known, fetched, tried);
        let (api, proxy) = primed(&engine, &issuer).await;
        let answer = api.send(&request(signer)).await;
        assert_eq!((answer.status, reads_of_keys(&proxy), issuer.requests()), (status, 1, 0), "{why}: {answer:?}");
    }
}

#[tokio::test]
async fn a_newer_set_in_the_table_is_taken_and_renewed_if_it_lacks_the_key() {
    let [old, newer, newest] = ["old", "newer", "newest"].map(Signer::new);
    for (signer, requests) in [(&newer, 0), (&newest, 1)] {
        let (engine, issuer) = (Engine::start().await, Issuer::start(Published::set(&[&newest.jwk])).await);
        keep(&engine, &issuer, &old, 60_000, 60_000);
        let (api, _) = primed(&engine, &issuer).await;
        keep(&engine, &issuer, &newer, 30_000, 30_000);
        let answer = api.send(&request(signer)).await;
        assert_eq!((answer.status, issuer.requests()), (200, requests), "{}: {answer:?}", signer.kid);
    }
}

#[tokio::test]
async fn a_set_has_at_most_64_kib() {
    let signer = Signer::new("one");
    for (bytes, status) in [(64 * 1_024, 200), (64 * 1_024 + 1, 503)] {
        let set = json!({ "keys": [signer.jwk] }).to_string();
        let spaces = " ".repeat(bytes - set.len());
        let issuer = Issuer::start(Published::text(&format!("{set}{spaces}"))).await;
        let api = Api::with(Options { settings: &keys_at(&issuer.url), ..Options::default() }).await;
        assert_eq!(api.send(&request(&signer)).await.status, status, "{bytes} bytes");
    }
}

/// A key with one more member.
fn with(jwk: &Value, name: &str, text: &str) -> Value {
    let mut jwk = jwk.clone();
    jwk[name] = json!(text);
    jwk
}

#[tokio::test]
async fn an_unusable_key_of_a_fetched_set_is_left_out_with_a_warning() {
    let (engine, signer) = (Engine::start().await, Signer::new("one"));
    let (_, weak) = key_pair(Algorithm::RS256);
    let weak = with(&weak, "n", "AQAB");
    let issuer = Issuer::start(Published::set(&[&weak, &json!({}), &signer.jwk])).await;
    let mut process = start(&engine.url, &issuer).await;
    assert_eq!(process.send(&request(&signer)).await.status, 200);
    process.expect_output("left out: keys[0]: n: expected 2048 to 8192 bits, found 17").await;
    process.expect_output("left out: keys[1]: expected a \\\"kty\\\", found none").await;
}

/// One set for each, so that nothing hides behind another fault.
#[tokio::test]
async fn what_is_wrong_with_one_key_takes_no_other_away() {
    let signer = Signer::new("one");
    let (_, ec) = key_pair(Algorithm::ES256);
    let (_, mut rsa) = key_pair(Algorithm::RS256);
    rsa["kid"] = json!("one");
    let secret = json!({ "kty": "oct", "alg": "HS256", "kid": "s", "k": "a".repeat(43) });
    let rows = [
        ("a key of another type with the same kid", Published::set(&[&rsa, &signer.jwk])),
        ("a secret", Published::set(&[&secret, &signer.jwk])),
        ("a private key", Published::set(&[&with(&ec, "d", "AQAB"), &signer.jwk])),
        ("no object", Published::set(&[&json!(null), &json!("key"), &json!([]), &signer.jwk])),
        ("two keys without a kid", Published::set(&[&ec, &ec, &signer.jwk])),
        ("a byte order mark", Published::text(&format!("\u{feff}{}", json!({ "keys": [signer.jwk] })))),
    ];
    for (what, published) in rows {
        let engine = Engine::start().await;
        let issuer = Issuer::start(published).await;
        for _ in 0..2 {
            let mut process = start(&engine.url, &issuer).await;
            assert_eq!(process.send(&request(&signer)).await.status, 200, "{what}: {}", process.output());
        }
        assert_eq!(issuer.requests(), 1, "{what}: the second process has the set of the table");
    }
}

#[tokio::test]
async fn an_issuer_that_serves_no_plain_json_is_understood() {
    let (engine, signer) = (Engine::start().await, Signer::new("one"));
    let published = Published { media_type: "application/jwk-set+json", ..Published::set(&[&signer.jwk]) };
    let issuer = Issuer::start(published).await;
    let mut process = start(&engine.url, &issuer).await;
    assert_eq!(process.send(&request(&signer)).await.status, 200, "{}", process.output());
}

#[tokio::test]
async fn a_new_key_under_the_old_kid_is_accepted_without_a_restart() {
    let (engine, old, new) = (Engine::start().await, Signer::new("one"), Signer::new("one"));
    let issuer = Issuer::start(Published::set(&[&old.jwk])).await;
    let mut process = start(&engine.url, &issuer).await;
    let mut other = start(&engine.url, &issuer).await;
    assert_eq!(process.send(&request(&old)).await.status, 200);
    assert_eq!(other.send(&request(&old)).await.status, 200);

    issuer.publish(Published::set(&[&new.jwk]));
    process.send(&request(&new)).await.expect(401, "INVALID_TOKEN");
    assert_eq!(issuer.requests(), 1, "somebody has just asked");
    age(&engine, Duration::from_secs(10));
    expect_soon(&mut process, &request(&new), 200).await;
    // The table has it.
    expect_soon(&mut other, &request(&new), 200).await;
    assert_eq!(issuer.requests(), 2);
    process.send(&request(&old)).await.expect(401, "INVALID_TOKEN");
}

#[tokio::test]
async fn a_bad_signature_is_refused_and_never_an_outage() {
    let (engine, signer, stranger) = (Engine::start().await, Signer::new("one"), Signer::new("one"));
    let issuer = Issuer::start(Published::set(&[&signer.jwk])).await;
    let mut process = start(&engine.url, &issuer).await;
    assert_eq!(process.send(&request(&signer)).await.status, 200);
    issuer.publish(Published { status: 500, ..Published::text("") });
    age(&engine, Duration::from_secs(10));
    refuse_until_asked(&mut process, &request(&stranger), &issuer, 2).await;
    assert_eq!(process.send(&request(&signer)).await.status, 200);
    process.send(&request(&stranger)).await.expect(401, "INVALID_TOKEN");
}

#[tokio::test]
async fn fifty_bad_tokens_cost_a_read_a_second() {
    let (engine, signer) = (Engine::start().await, Signer::new("one"));
    let issuer = Issuer::start(Published::set(&[&signer.jwk])).await;
    for stranger in [Signer::new("stranger"), Signer::new("one")] {
        let (mut process, proxy) = warm(&engine, &issuer, &signer).await;
        let start = Instant::now();
        for _ in 0..50 {
            process.send(&request(&stranger)).await.expect(401, "INVALID_TOKEN");
        }
        let (reads, seconds) = (reads_of_keys(&proxy), start.elapsed().as_secs());
        println!("{}: {reads} reads in {seconds} s", stranger.kid);
        assert!(reads as u64 <= seconds + 1, "{reads} reads in {seconds} s");
    }
}

#[tokio::test]
async fn a_process_reads_the_keys_before_its_first_request() {
    let (engine, signer) = (Engine::start().await, Signer::new("one"));
    let issuer = Issuer::start(Published::set(&[&signer.jwk])).await;
    warm(&engine, &issuer, &signer).await;

    let proxy = Proxy::start(&engine.url).await;
    let mut process = start(&proxy.url, &issuer).await;
    for _ in 0..1_000 {
        if proxy.calls("GetItem") > 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(reads_of_keys(&proxy), 1, "nobody has asked yet");
    assert_eq!(process.send(&request(&signer)).await.status, 200);
    assert_eq!(reads_of_keys(&proxy), 0, "it has the key");
}

#[tokio::test]
async fn a_key_that_is_held_is_not_looked_for_again() {
    let (engine, signer) = (Engine::start().await, Signer::new("one"));
    let issuer = Issuer::start(Published::set(&[&signer.jwk])).await;
    let (mut process, proxy) = warm(&engine, &issuer, &signer).await;
    for _ in 0..3 {
        assert_eq!(process.send(&request(&signer)).await.status, 200);
    }
    assert!(proxy.take_calls().is_empty());
}

#[tokio::test]
async fn a_preflight_and_an_unknown_path_cost_no_key() {
    let (engine, signer) = (Engine::start().await, Signer::new("one"));
    let issuer = Issuer::start(Published::set(&[&signer.jwk])).await;
    let (mut process, proxy) = warm(&engine, &issuer, &signer).await;
    let tokens = [signer.bearer(), Signer::new("stranger").bearer(), Signer::new("one").bearer()];
    for token in tokens {
        for (method, path, status) in [
            ("OPTIONS", "/v2/project-flows", 204),
            ("OPTIONS", "/nowhere", 404),
            ("GET", "/nowhere", 404),
            ("TRACE", "/v2/project-flows", 405),
        ] {
            let answer = process.send(&Request::of(method, path).header("authorization", &token)).await;
            assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
        }
    }
    assert!(proxy.take_calls().is_empty());
    assert_eq!(issuer.requests(), 1);
}

/// A fetch takes up to two seconds. What the deadline cuts off counts as failed.
#[tokio::test]
async fn an_answer_comes_before_the_deadline_even_if_the_issuer_is_silent() {
    static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());
    let signer = Signer::new("one");
    let slow = Published { delay: Duration::from_secs(4), ..Published::set(&[&signer.jwk]) };
    let issuer = Issuer::start(slow).await;
    let log: fn(&str) = |line| LINES.lock().unwrap().push(line.to_owned());
    let options = Options { settings: &keys_at(&issuer.url), log: Some(log), ..Options::default() };
    let api = Api::with(options).await;

    let (deadline, start) = (Duration::from_millis(1_200), Instant::now());
    let answer = api.send_before(&request(&signer), deadline).await;

    assert!(start.elapsed() < deadline, "{:?}", start.elapsed());
    answer.expect(503, "TEMPORARILY_UNAVAILABLE");
    let line: Value = serde_json::from_str(&LINES.lock().unwrap()[0]).unwrap();
    assert_eq!(line["cause"], "no outcome before the deadline");
    assert_eq!(line["key_fetch_failures"], 1);
}

#[tokio::test]
async fn an_item_of_keys_that_cannot_be_read_is_replaced() {
    for damage in [
        json!({ "jwks": { "S": "{}" } }),
        json!({ "jwks": { "N": "5" }, "fetchedAt": { "S": "today" } }),
        json!({ "jwks": { "S": "{}" }, "fetchedAt": { "N": "99999999999999" }, "triedAt": { "N": "99999999999999" } }),
    ] {
        let (engine, signer) = (Engine::start().await, Signer::new("one"));
        let issuer = Issuer::start(Published::set(&[&signer.jwk])).await;
        let mut item = damage.clone();
        item["pk"] = json!({ "S": item::KEYS_PARTITION });
        item["sk"] = json!({ "S": issuer.url });
        engine.put(engine::TABLE, &item);
        let mut process = start(&engine.url, &issuer).await;
        assert_eq!(process.send(&request(&signer)).await.status, 200, "{damage}: {}", process.output());
        assert!(kept(&engine)["jwks"]["S"].as_str().unwrap().contains("\"one\""), "{damage}");
    }
}

/// An answer without what differs from flow to flow.
fn without_identity(answer: &Answer) -> String {
    let json = answer.json();
    let data = if json["data"].is_array() { &json["data"][0] } else { &json["data"] };
    let members = ["_id", "createdAt", "updatedAt"].iter().filter_map(|name| Some((*name, data.get(*name)?.as_str()?)));
    members.fold(answer.text.clone(), |text, (name, value)| text.replace(value, name))
}

#[tokio::test]
async fn no_setting_changes_a_byte_of_the_answers_of_the_page() {
    let signer = Signer::new("one");
    let issuer = Issuer::start(Published::set(&[&signer.jwk])).await;
    let claims = [
        ("AUTHOR_CLAIM", Some("email")),
        ("SCOPE_CLAIM", Some("scp")),
        ("READ_SCOPE", Some("flows:read")),
        ("WRITE_SCOPE", Some("flows:write")),
    ];
    let settings = [&keys_at(&issuer.url)[..], &claims].concat();
    let (with, without) = (Engine::start().await, Engine::start().await);
    let mut with = Process::start_with(&with.url, &settings).await;
    let mut without = Process::start(&without.url).await;
    let claims = json!({ "clientId": CLIENT, "iss": ISSUER, "exp": now() + 600, "email": "ann@example.com",
        "scp": ["flows:read", "flows:write"] });
    let token = format!("Bearer {}", signer.sign(&claims));
    for (request, status) in [
        (Request::create(page_request()).query("note=Why"), 201),
        (Request::create(page_request_with("type", json!("signup"))), 400),
        (Request::create(page_request_with("project", json!("a b"))), 400),
        (Request::get("/v2/project-flows"), 200),
    ] {
        let plain = without.send(&request.clone().query(&request.query.replace("note=Why", ""))).await;
        let answer = with.send(&request.header("authorization", &token)).await;
        assert_eq!((answer.status, plain.status), (status, status), "{answer:?}");
        assert_eq!(without_identity(&answer), without_identity(&plain));
    }
}

#[tokio::test]
async fn two_processes_at_once_ask_the_issuer_once() {
    let (engine, signer) = (Engine::start().await, Signer::new("one"));
    let slow = Published { delay: Duration::from_millis(500), ..Published::set(&[&signer.jwk]) };
    let issuer = Issuer::start(slow).await;
    let (mut one, mut other) = tokio::join!(start(&engine.url, &issuer), start(&engine.url, &issuer));
    let request = request(&signer);
    let (first, second) = tokio::join!(one.send(&request), other.send(&request));
    assert_eq!((first.status, second.status), (200, 200), "{} {}", one.output(), other.output());
    assert_eq!(issuer.requests(), 1);
}

#[tokio::test]
async fn requests_of_one_process_that_need_the_keys_wait_for_one_fetch() {
    let (engine, signer) = (Engine::start().await, Signer::new("one"));
    let slow = Published { delay: Duration::from_millis(500), ..Published::set(&[&signer.jwk]) };
    let issuer = Issuer::start(slow).await;
    let settings = [&keys_at(&issuer.url)[..], &[("AWS_LAMBDA_MAX_CONCURRENCY", Some("8"))]].concat();
    let mut process = Process::start_with(&engine.url, &settings).await;
    for _ in 0..8 {
        process.hand_out(&request(&signer));
    }
    for _ in 0..8 {
        assert_eq!(process.answer().await.status, 200, "{}", process.output());
    }
    assert_eq!(issuer.requests(), 1);
}

#[tokio::test]
async fn a_lost_answer_to_the_claim_costs_nothing() {
    let (engine, signer) = (Engine::start().await, Signer::new("one"));
    let issuer = Issuer::start(Published::set(&[&signer.jwk])).await;
    let proxy = Proxy::start(&engine.url).await;
    let mut process = start(&proxy.url, &issuer).await;
    proxy.fail("PutItem", &[Fault::Lost(When::AfterCommit, Loss::Close)]);
    assert_eq!(process.send(&request(&signer)).await.status, 200, "{}", process.output());
    assert_eq!(issuer.requests(), 1);
}

#[tokio::test]
async fn sixty_four_processes_that_start_at_once_ask_the_issuer_once_or_twice() {
    let (engine, signer) = (Engine::start().await, Signer::new("one"));
    let slow = Published { delay: Duration::from_millis(200), ..Published::set(&[&signer.jwk]) };
    let issuer = Issuer::start(slow).await;
    let mut processes = Vec::new();
    for _ in 0..64 {
        processes.push(start(&engine.url, &issuer).await);
    }
    for process in &processes {
        process.hand_out(&request(&signer));
    }
    for mut process in processes {
        assert_eq!(process.answer().await.status, 200, "{}", process.output());
    }
    println!("64 processes: the issuer was asked {} times", issuer.requests());
    assert!((1..=2).contains(&issuer.requests()));
}

#[tokio::test]
async fn an_issuer_that_cannot_be_reached_is_an_outage_and_no_crash() {
    let signer = Signer::new("one");
    for (url, why) in [
        ("http://127.0.0.1:1/keys", "Connection refused"),
        ("https://127.0.0.1:1/keys", "Connection refused"),
        ("https://issuer.invalid/keys", "dns error"),
    ] {
        let engine = Engine::start().await;
        let mut process = Process::start_with(&engine.url, &keys_at(url)).await;
        for _ in 0..2 {
            process.send(&request(&signer)).await.expect(503, "TEMPORARILY_UNAVAILABLE");
        }
        process.expect_output("JWKS_URL: ").await;
        process.expect_output(why).await;
        assert!(!process.output().contains("panicked"), "{}", process.output());
    }
}
