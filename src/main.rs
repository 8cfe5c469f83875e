//! Start-up only: settings, client, connection primed, run.

use std::process::ExitCode;
use std::time::Duration;

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::SharedCredentialsProvider;
use aws_smithy_http_client::Builder as HttpClient;
use lambda_http::lambda_runtime::Runtime;
use lambda_http::{Error, service_fn};
use project_flows::caller::{Authenticator, Source};
use project_flows::handler::Handler;
use project_flows::issuer::Issuer;
use project_flows::log::Log;
use project_flows::settings::{KeySource, Settings};
use project_flows::store::Store;
use project_flows::tls::{self, Authorities};
use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Libraries speak only when something is wrong. `lambda_runtime` warns of every start under `cargo lambda watch`.
    let levels = Targets::new().with_default(Level::WARN).with_target("lambda_runtime", Level::ERROR);
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
    // One request at a time needs one thread, and starts sooner on it.
    let mut runtime = if settings.concurrent {
        tokio::runtime::Builder::new_multi_thread()
    } else {
        tokio::runtime::Builder::new_current_thread()
    };
    let outcome = runtime.enable_all().build().map_err(Error::from).and_then(|runtime| runtime.block_on(run(settings)));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(settings: Settings) -> Result<(), Error> {
    let sdk = sdk(&settings)?;
    let store = Store::new(&sdk, settings.table_name, settings.projects_table);
    let keys = match settings.keys {
        KeySource::Given(keys) => {
            store.prime().await;
            Source::Given(keys)
        }
        KeySource::Url(url) => {
            let issuer = Issuer::new(url, settings.issuer, settings.audience, settings.authorities, store.clone());
            // Opens the connection as well.
            issuer.prime().await;
            Source::Issuer(Box::new(issuer))
        }
    };
    let authenticator = Authenticator::new(keys, settings.claims);
    // For as long as the process lives, so that requests on all threads share it.
    let log = Log { function: settings.function, write: |line| println!("{line}") };
    let handler: &Handler = Box::leak(Box::new(Handler::new(authenticator, store, log)));
    // The runtime's own tracing layer would open a span for each request, which no line shows.
    Runtime::new(service_fn(|event| handler.handle(event))).run_concurrent().await
}

/// What the SDK needs to know.
fn sdk(settings: &Settings) -> Result<SdkConfig, Error> {
    /// How long a connection may rest while the function is frozen. A NAT gateway and a VPC endpoint silently forget a
    /// connection after 350 s ("NAT gateways" in the Amazon VPC User Guide), and a request on it would get no answer. A
    /// connection that the other end has closed is noticed, and costs no more than a new one.
    const IDLE: Duration = Duration::from_mins(5);

    // A custom endpoint is checked against the machine's root certificates.
    let otherwise = if settings.endpoint.is_some() { Authorities::Machine } else { Authorities::Amazon };
    let client = HttpClient::new()
        .tls_provider(tls::PROVIDER)
        .tls_context(tls::context(settings.authorities.as_deref(), otherwise)?)
        .pool_idle_timeout(IDLE)
        .build_https();
    let mut sdk = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(client)
        .credentials_provider(SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new()))
        .region(Region::new(settings.region.clone()))
        .use_fips(settings.fips)
        .use_dual_stack(settings.dual_stack);
    sdk.set_endpoint_url(settings.endpoint.clone());
    Ok(sdk.build())
}
