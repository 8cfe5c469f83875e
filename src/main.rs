//! Start-up only: settings, client, connection primed, run.

use std::process::ExitCode;

use aws_config::BehaviorVersion;
use lambda_http::lambda_runtime::Runtime;
use lambda_http::{Error, service_fn};
use project_flows::handler::Handler;
use project_flows::settings::Settings;
use project_flows::store::Store;
use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    // One line a request is ours; libraries speak only when something is wrong.
    let levels = Targets::new()
        .with_default(Level::WARN)
        // It warns of every start under `cargo lambda watch`.
        .with_target("lambda_runtime", Level::ERROR)
        .with_target(env!("CARGO_CRATE_NAME"), Level::INFO);
    let lines =
        tracing_subscriber::fmt::layer().json().flatten_event(true).with_current_span(false).with_span_list(false);
    tracing_subscriber::registry().with(levels).with(lines).init();

    let settings = match Settings::from_env() {
        Ok(settings) => settings,
        Err(problems) => {
            for problem in problems {
                tracing::error!("{problem}");
            }
            return ExitCode::FAILURE;
        }
    };
    match run(settings).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(settings: Settings) -> Result<(), Error> {
    let sdk = aws_config::load_defaults(BehaviorVersion::latest()).await;
    let store = Store::new(&sdk, settings.endpoint, settings.table_name, settings.projects_table);
    store.prime().await;
    let handler = Handler::new(settings.authenticator, store);
    // The runtime's own tracing layer would open a span for each request, which no line shows.
    Runtime::new(service_fn(|event| handler.handle(event))).run().await
}
