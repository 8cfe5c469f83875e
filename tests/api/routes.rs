//! Paths and methods: which belong to an operation, and what the others are answered.

use crate::support::{Api, Request, page_request};

#[tokio::test]
async fn a_path_of_no_operation_is_not_found() {
    let api = Api::start().await;
    let paths = [
        "",
        "/",
        "/v2",
        "/v2/",
        "/v2/project-flows/",
        "/v2/project-flows/../project-flows",
        "/v1/project-flows",
        "/v2/project-flowsx",
        "/../v2/project-flows",
        "/a//v2/project-flows",
        "//v2/project-flows",
        "v2/project-flows",
        "/%zz/v2/project-flows",
        "/v2/project%2Dflows",
        "/v2/project-flows?x",
        "/a b/v2/project-flows",
        "/v2/Project-Flows",
        "/\"/v2/project-flows",
        "/v2/project-flows-service",
        "/v2/project-flows/v2/project-flows-service",
        "/v2/project-flows/v2/project-flows/x/y",
        "/v2/project-flows//v2/project-flows",
        "/v2/project%2Dflows/v2/project-flows",
        "v2/project-flows/v2/project-flows",
    ];
    for path in paths {
        let mut request = Request::create(page_request());
        request.path = path.to_owned();
        let answer = api.send(&request).await;
        assert_eq!((answer.status, answer.code().as_str()), (404, "ROUTE_NOT_FOUND"), "{path}");
    }
    let long = format!("/v2/project-flows/{}", "x".repeat(64 * 1024));
    api.get(&long).await.expect(404, "PROJECT_FLOW_NOT_FOUND");
}

#[tokio::test]
async fn a_stage_or_a_base_path_may_precede_the_path() {
    let api = Api::start().await;
    let bases = [
        "/prod",
        "/base",
        "/base.path/v1",
        // These look like the path of the collection.
        "/v2",
        "/v2/project-flows",
        "/v2/project-flows-service",
        "/v2/project-flows/v2/project-flows",
        "/prod/v2/project-flows/x",
    ];
    for base in bases {
        let path = format!("{base}/v2/project-flows");
        let created = api.send(&Request::with_body("POST", &path, page_request())).await;
        assert_eq!(created.status, 201, "{path}: {}", created.text);
        let location = &created.headers["location"];
        assert!(location.starts_with("/v2/project-flows/"));
        for rest in ["", "/versions", "/versions/1", "/versions/1/diff?from=1"] {
            let answer = api.get(&format!("{base}{location}{rest}")).await;
            assert_eq!(answer.status, 200, "{base}{location}{rest}: {}", answer.text);
        }
    }
}

#[tokio::test]
async fn an_answer_to_another_method_names_the_allowed_ones() {
    let api = Api::start().await;
    for method in ["PUT", "DELETE", "PATCH", "HEAD", "options", "post", "", "\u{1F600}"] {
        let mut request = Request::create(page_request());
        request.method = method.to_owned();
        // The gateway's own type has no names for some of these.
        let reply = api.reply(&request.event()).await;
        assert_eq!(reply["statusCode"], 405, "{method}");
        assert_eq!(reply["headers"]["Allow"], "POST, GET, OPTIONS", "{method}");
    }
}
