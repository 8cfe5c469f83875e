//! template.yaml agrees with the code and with itself. `cfn-lint` checks what `CloudFormation` demands.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use project_flows::log;
use serde_json::{Value, json};

use crate::support::{Api, OWN_PROJECT, Operation, Options, PROJECTS, resources, template};

/// The types of resources that hold data.
const WITH_DATA: [&str; 3] = ["AWS::DynamoDB::Table", "AWS::Logs::LogGroup", "AWS::SQS::Queue"];

/// The types of resources that hold none, so they can be created again from the template.
const WITHOUT_DATA: [&str; 13] = [
    "AWS::ApiGatewayV2::Api",
    "AWS::ApiGatewayV2::ApiMapping",
    "AWS::ApiGatewayV2::DomainName",
    "AWS::ApiGatewayV2::Integration",
    "AWS::ApiGatewayV2::Route",
    "AWS::ApiGatewayV2::Stage",
    "AWS::CloudWatch::Alarm",
    "AWS::CloudWatch::Dashboard",
    "AWS::IAM::Role",
    "AWS::Lambda::Permission",
    "AWS::Pipes::Pipe",
    "AWS::Route53::RecordSet",
    "AWS::StepFunctions::StateMachine",
];

fn alarms(template: &Value) -> BTreeMap<String, Value> {
    let alarms = resources(template, &["AWS::CloudWatch::Alarm"]);
    assert!(!alarms.is_empty());
    alarms
}

/// The actions that allow the calls of all operations, by the table or index that they are made on.
async fn calls() -> BTreeMap<&'static str, BTreeSet<String>> {
    let (api, proxy) = Api::with(Options { projects: OWN_PROJECT, ..Options::default() }).await.behind_proxy().await;
    for operation in Operation::all() {
        let answer = api.send(&operation.request()).await;
        assert!((200..300).contains(&answer.status), "{}: {answer:?}", operation.event);
    }
    let mut actions: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let mut add = |call: &Value, action: &str| {
        let on = match (call["TableName"].as_str().unwrap(), call.get("IndexName")) {
            (PROJECTS, _) => "projects",
            (_, Some(_)) => "index",
            (_, None) => "table",
        };
        actions.entry(on).or_default().insert(format!("dynamodb:{action}"));
    };
    for call in proxy.take_calls() {
        // Each part of a transaction needs a permission, but the transaction needs none.
        for (kind, part) in
            call.body["TransactItems"].as_array().into_iter().flatten().flat_map(|part| part.as_object().unwrap())
        {
            add(part, &if kind == "ConditionCheck" { "ConditionCheckItem".to_owned() } else { format!("{kind}Item") });
        }
        if call.operation != "TransactWriteItems" {
            add(&call.body, &call.operation);
        }
    }
    actions
}

/// The condition of a choice, and its two values.
fn choice(value: &Value) -> (&str, &Value, &Value) {
    let choice = value["!If"].as_array().unwrap_or_else(|| panic!("expected a choice, found {value}"));
    (choice[0].as_str().unwrap(), &choice[1], &choice[2])
}

/// `tests/deployment/template.py` checks which tables the resources are.
#[tokio::test]
async fn the_function_may_make_only_the_calls_that_its_operations_make() {
    let none = json!({ "!Ref": "AWS::NoValue" });
    let template = template();
    let mut allowed: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for statement in template["Resources"]["Function"]["Properties"]["Policies"][0]["Statement"].as_array().unwrap() {
        let statement = if statement.get("!If").is_none() {
            statement
        } else {
            let (condition, statement, otherwise) = choice(statement);
            assert_eq!((condition, otherwise), ("HasAnyProjects", &none));
            statement
        };
        assert_eq!(statement["Effect"], "Allow");
        let [now, before] = statement["Resource"].as_array().unwrap().as_slice() else { panic!("{statement}") };
        let (now, before) = (choice(now), choice(before));
        assert_eq!(before.2, &none);
        let on = match (now.0, before.0, now.1["!Sub"].as_str().unwrap()) {
            ("HasRestoredTable", "HasPreviousTable", table) if table.ends_with("/index/*") => "index",
            ("HasRestoredTable", "HasPreviousTable", _) => "table",
            ("HasProjects", "HasPreviousProjects", _) => "projects",
            other => panic!("expected the table, its index or the projects, found {other:?}"),
        };
        let actions = match &statement["Action"] {
            Value::String(action) => vec![action.clone()],
            actions => serde_json::from_value(actions.clone()).unwrap(),
        };
        allowed.entry(on).or_default().extend(actions);
    }
    assert_eq!(allowed, calls().await);
}

#[test]
fn only_the_store_calls_the_database() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut directories = vec![source];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("src/store.rs") {
                let text = fs::read_to_string(&path).unwrap();
                assert!(!text.contains("aws_sdk_dynamodb::Client"), "{}", path.display());
            }
        }
    }
}

#[test]
fn every_alarm_notifies_the_topic_if_there_is_one() {
    let template = template();
    let told = json!({ "!If": ["HasAlarmTopic", [{ "!Ref": "AlarmTopicArn" }], { "!Ref": "AWS::NoValue" }] });
    for (name, alarm) in alarms(&template) {
        let properties = &alarm["Properties"];
        assert_eq!((&properties["AlarmActions"], &properties["OKActions"]), (&told, &told), "{name}");
        // No traffic is no alarm.
        assert_eq!(properties["TreatMissingData"], "notBreaching", "{name}");
        assert!(properties["AlarmDescription"].is_string(), "{name}");
    }
    let given = json!({ "!Not": [{ "!Equals": [{ "!Ref": "AlarmTopicArn" }, ""] }] });
    assert_eq!(template["Conditions"]["HasAlarmTopic"], given);
}

/// Otherwise `CloudWatch` looks further back than the alarm says, and an old bad data point keeps the alarm on.
#[test]
fn an_alarm_fills_the_gaps_of_its_metrics_with_zeros() {
    for (name, alarm) in alarms(&template()) {
        let Some(queries) = alarm["Properties"]["Metrics"].as_array() else {
            // SQS writes this one every minute while there is a message.
            assert_eq!(alarm["Properties"]["MetricName"], "ApproximateNumberOfMessagesVisible", "{name}");
            continue;
        };
        let [expression] = queries.iter().filter_map(|query| query["Expression"].as_str()).collect::<Vec<_>>()[..]
        else {
            panic!("{name}: expected one expression")
        };
        for query in queries.iter().filter(|query| query.get("MetricStat").is_some()) {
            let id = query["Id"].as_str().unwrap();
            let words = expression.split(|sign: char| !sign.is_alphanumeric());
            let filled = expression.matches(&format!("FILL({id}, ")).count();
            assert_eq!((filled > 0, filled), (true, words.filter(|word| *word == id).count()), "{name}: {expression}");
        }
    }
}

#[test]
fn every_alarm_is_on_the_dashboard() {
    let template = template();
    let body = template["Resources"]["Dashboard"]["Properties"]["DashboardBody"].to_string();
    for name in alarms(&template).keys() {
        assert!(body.contains(&format!("${{{name}.Arn}}")), "{name}");
    }
}

#[test]
fn a_resource_that_holds_data_outlives_the_stack() {
    let template = template();
    for (name, resource) in template["Resources"].as_object().unwrap() {
        match resource["Type"].as_str().unwrap() {
            kind if WITH_DATA.contains(&kind) => {
                // A failed first deployment leaves only the table behind, which is protected from deletion.
                let policy = if kind == "AWS::DynamoDB::Table" { "Retain" } else { "RetainExceptOnCreate" };
                assert_eq!(resource["DeletionPolicy"], policy, "{name}");
                assert_eq!(resource["UpdateReplacePolicy"], "Retain", "{name}");
            }
            "AWS::Serverless::Function" => {}
            kind => assert!(WITHOUT_DATA.contains(&kind), "{name}: does a {kind} hold data?"),
        }
    }
    let table = &template["Resources"]["Table"]["Properties"];
    assert_eq!(table["DeletionProtectionEnabled"], true);
    assert_eq!(table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"], true);
}

/// A metric and its dimensions.
type Metric = (String, BTreeSet<String>);

/// The metrics of the function that have an alarm.
fn metrics_of_alarms(template: &Value) -> Vec<Metric> {
    let mut metrics = Vec::new();
    for alarm in alarms(template).values() {
        let properties = &alarm["Properties"];
        let queries = properties["Metrics"].as_array().cloned().unwrap_or_default();
        let of_queries = queries.iter().map(|query| &query["MetricStat"]["Metric"]);
        for metric in of_queries.chain([properties]).filter(|metric| metric["Namespace"] == "ProjectFlows") {
            let dimensions = metric["Dimensions"].as_array().unwrap().iter();
            let dimensions = dimensions.map(|dimension| dimension["Name"].as_str().unwrap().to_owned()).collect();
            metrics.push((metric["MetricName"].as_str().unwrap().to_owned(), dimensions));
        }
    }
    metrics
}

/// The dashboard, with its references unresolved.
fn dashboard(template: &Value) -> Value {
    let body = &template["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["!Sub"];
    let text = body[0].as_str().unwrap().replace("${UndeliveredChangesAlarmArn}", "");
    serde_json::from_str(&text).expect("a dashboard in JSON")
}

/// A row of a widget without abbreviations: `.` repeats a text of the row before, and `...` the whole row.
fn spelled_out(row: &Value, before: &[String]) -> Vec<String> {
    let texts: Vec<_> = row.as_array().unwrap().iter().filter_map(Value::as_str).collect();
    if texts == ["..."] {
        return before.to_vec();
    }
    let same = |place: usize, text: &str| if text == "." { before[place].clone() } else { text.to_owned() };
    texts.iter().enumerate().map(|(place, text)| same(place, text)).collect()
}

/// The metrics of the function that the dashboard shows.
fn metrics_of_dashboard(template: &Value) -> Vec<Metric> {
    let mut metrics = Vec::new();
    for widget in dashboard(template)["widgets"].as_array().unwrap() {
        let mut row = Vec::new();
        for next in widget["properties"]["metrics"].as_array().into_iter().flatten() {
            if let Some(query) = next[0]["expression"].as_str() {
                let (function, rest) = query.split_once('(').unwrap();
                assert_eq!(function, "SELECT COUNT", "{query}");
                let (metric, rest) = rest.split_once(") FROM SCHEMA(ProjectFlows, ").unwrap();
                let dimensions = rest.split_once(')').unwrap().0.split(", ");
                let dimensions = dimensions.map(|name| name.trim_matches('"').to_owned()).collect();
                metrics.push((metric.to_owned(), dimensions));
            } else {
                row = spelled_out(next, &row);
                let [namespace, metric, dimensions @ ..] = row.as_slice() else { panic!("{next}") };
                if namespace == "ProjectFlows" {
                    metrics.push((metric.clone(), dimensions.iter().step_by(2).cloned().collect()));
                }
            }
        }
    }
    metrics
}

#[test]
fn the_dashboard_shows_every_metric_of_the_function_and_alarms_use_no_others() {
    let template = template();
    let durations = log::DURATION_DIMENSIONS.map(|dimensions| (log::DURATION, dimensions));
    let counts = log::Counts::default().named().map(|(name, _)| (name, log::COUNT_DIMENSIONS[0]));
    let emitted: BTreeSet<Metric> = durations
        .iter()
        .chain(&counts)
        .map(|(name, dimensions)| ((*name).to_owned(), dimensions.iter().map(|name| (*name).to_owned()).collect()))
        .collect();
    for metric in metrics_of_alarms(&template) {
        assert!(emitted.contains(&metric), "an alarm uses {metric:?}");
    }
    let shown = metrics_of_dashboard(&template).into_iter().collect();
    assert_eq!(emitted, shown);
}

#[test]
fn the_access_log_is_json_without_headers_or_queries() {
    let template = template();
    let format =
        template["Resources"]["Stage"]["Properties"]["AccessLogSettings"]["Format"].as_str().unwrap().to_owned();
    let line: BTreeMap<String, String> = serde_json::from_str(&format).unwrap();
    assert!(!format.contains('\n'), "a line is one line");
    for variable in line.values() {
        let name = variable.strip_prefix("$context.").unwrap_or_else(|| panic!("{variable}"));
        assert!(!name.starts_with("authorizer") && !name.contains("header") && !name.contains("query"), "{name}");
    }
    assert_eq!(line["request.id"], "$context.requestId");
}

/// SAM publishes no version if only a parameter changes, and Lambda publishes none that equals the one before. So the name of
/// the release must be in the function and in its version.
#[test]
fn each_release_is_a_new_version() {
    let function = &template()["Resources"]["Function"]["Properties"];
    for property in ["Description", "VersionDescription"] {
        assert!(function[property]["!Sub"].as_str().unwrap().contains("${Release}"), "{property}");
    }
    assert_eq!(function["AutoPublishAliasAllProperties"], true);
}

/// A preflight has no token. Its answer names the requests that may follow.
#[test]
fn a_preflight_needs_no_token_and_allows_every_request_of_the_api() {
    let template = template();
    let routes = resources(&template, &["AWS::ApiGatewayV2::Route"]);
    let [route] = routes.values().map(|route| &route["Properties"]).collect::<Vec<_>>()[..] else {
        panic!("{routes:?}")
    };
    assert_eq!(
        (&route["RouteKey"], &route["Target"]),
        (&json!("$default"), &json!({ "!Sub": "integrations/${Integration}" }))
    );
    assert_eq!((route.get("AuthorizationType"), route.get("AuthorizerId")), (None, None));

    let (condition, cors, _) = choice(&template["Resources"]["Api"]["Properties"]["CorsConfiguration"]);
    assert_eq!(condition, "HasOrigins");
    let listed = |value: &Value| serde_json::from_value::<BTreeSet<String>>(value.clone()).unwrap();
    let document: Value = serde_norway::from_str(include_str!("../../openapi.yaml")).unwrap();
    let mut methods = BTreeSet::new();
    for item in document["paths"].as_object().unwrap().values() {
        methods.extend(
            item.as_object().unwrap().keys().filter(|name| *name != "parameters").map(|name| name.to_uppercase()),
        );
    }
    assert_eq!(listed(&cors["AllowMethods"]), methods);

    // A browser sends or shows these only if they are named ("CORS-safelisted" in the Fetch standard).
    let parameters = document["components"]["parameters"].as_object().unwrap().values();
    let in_headers = parameters.filter(|parameter| parameter["in"] == "header");
    let in_headers = in_headers.map(|parameter| parameter["name"].as_str().unwrap().to_lowercase());
    let sent: BTreeSet<_> = in_headers.chain(["authorization", "content-type"].map(str::to_owned)).collect();
    assert_eq!(listed(&cors["AllowHeaders"]), sent);
    let answered = document["components"]["headers"].as_object().unwrap().keys().map(|name| name.to_lowercase());
    // A browser reads these itself or shows them anyway, or they are other names for ETag.
    let unexposed = ["cache-control", "x-content-type-options", "etagofnewest", "etagoflive", "etagofrelease"];
    let exposed: BTreeSet<_> = answered.filter(|name| !unexposed.contains(&name.as_str())).collect();
    assert_eq!(listed(&cors["ExposeHeaders"]), exposed);
}

#[test]
fn the_throttle_and_the_version_of_the_truststore_are_parameters() {
    let template = template();
    let throttle = json!({
        "ThrottlingBurstLimit": { "!Ref": "ThrottlingBurst" },
        "ThrottlingRateLimit": { "!Ref": "ThrottlingRate" },
    });
    assert_eq!(template["Resources"]["Stage"]["Properties"]["DefaultRouteSettings"], throttle);
    // A new file under the same URI is read only if the version changes.
    let (_, truststore, _) = choice(&template["Resources"]["Domain"]["Properties"]["MutualTlsAuthentication"]);
    assert_eq!(truststore["TruststoreVersion"], json!({ "!Ref": "TruststoreVersion" }));
    let rule = &template["Rules"]["TruststoreWithVersion"];
    let given = |name: &str| json!({ "!Not": [{ "!Equals": [{ "!Ref": name }, ""] }] });
    let needed = &rule["Assertions"][0]["Assert"];
    assert_eq!((&rule["RuleCondition"], needed), (&given("TruststoreUri"), &given("TruststoreVersion")));
}

/// A person who may read the log need not be allowed to read flows.
#[test]
fn pipes_and_state_machine_log_their_failures_without_the_data_of_flows() {
    let template = template();
    let group = json!({ "!GetAtt": "ChangesLogGroup.Arn" });
    for (name, pipe) in resources(&template, &["AWS::Pipes::Pipe"]) {
        let log = json!({ "Level": "ERROR", "CloudwatchLogsLogDestination": { "LogGroupArn": group } });
        assert_eq!(pipe["Properties"]["LogConfiguration"], log, "{name}");
    }
    let to = json!([{ "CloudWatchLogsLogGroup": { "LogGroupArn": group } }]);
    let log = json!({ "Level": "ERROR", "IncludeExecutionData": false, "Destinations": to });
    assert_eq!(template["Resources"]["ChangesShape"]["Properties"]["LoggingConfiguration"], log);
    let ages = resources(&template, &["AWS::Logs::LogGroup"]).into_values();
    assert_eq!(
        ages.map(|group| group["Properties"].clone()).collect::<Vec<_>>(),
        vec![json!({ "RetentionInDays": 90 }); 3]
    );
}

#[test]
fn the_api_calls_the_alias_that_deployments_move() {
    let template = template();
    let alias = template["Resources"]["Function"]["Properties"]["AutoPublishAlias"].as_str().unwrap();
    let target = &template["Resources"]["Integration"]["Properties"]["IntegrationUri"]["!Sub"];
    assert_eq!(target.as_str().unwrap(), format!("${{Function.Arn}}:{alias}"));
    assert_eq!(template["Resources"]["Permission"]["Properties"]["FunctionName"], json!({ "!Ref": "Function.Alias" }));
}

/// The alias depends on these alarms, so their metrics must not depend on the alias.
#[test]
fn the_alarms_that_roll_a_deployment_back_do_not_depend_on_the_alias() {
    let template = template();
    let preference = &template["Resources"]["Function"]["Properties"]["DeploymentPreference"];
    let (condition, rolls_back, otherwise) = choice(&preference["Alarms"]);
    assert_eq!((condition, otherwise), ("RollsBackOnAlarm", &json!([])));
    let alarms = alarms(&template);
    for alarm in rolls_back.as_array().unwrap() {
        let alarm = alarms.get(alarm["!Ref"].as_str().unwrap()).unwrap_or_else(|| panic!("{alarm}")).to_string();
        let looked_at = alarm.split(r#"{"!Ref":""#).skip(1).map(|rest| rest.split('"').next().unwrap());
        for name in looked_at.filter(|name| *name != "Function") {
            let needs = template["Resources"][name].to_string();
            assert!(!needs.contains("Function"), "an alarm looks at {name}, which needs the function");
        }
    }
}
