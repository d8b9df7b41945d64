//! Start-up: configuration, log, clients, and the loop that asks Lambda for
//! the next event.

use std::process::ExitCode;

use iam_password_remediator::aws::Aws;
use iam_password_remediator::config::Config;
use iam_password_remediator::handler::App;
use iam_password_remediator::telemetry::{self, Metrics};
use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::Value;
use tracing_subscriber::util::SubscriberInitExt;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let config = match Config::from_lookup(|variable| std::env::var(variable).ok()) {
        Ok(config) => config,
        Err(error) => return refuse(&error),
    };
    if let Err(error) = telemetry::subscriber(config.log.clone(), std::io::stdout).try_init() {
        return refuse(&error);
    }
    let sdk = Aws::sdk_config().load().await;
    let aws = Aws::new(sdk, &config);
    let app = App::new(config, aws, Metrics::to(std::io::stdout()));
    match lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| app.handle(event))).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => refuse(&*error),
    }
}

/// Says why the function cannot start, also when there is no log yet.
fn refuse(error: &dyn std::error::Error) -> ExitCode {
    let line = serde_json::json!({"level": "ERROR", "service": env!("CARGO_PKG_NAME"), "message": error.to_string()});
    println!("{line}");
    ExitCode::FAILURE
}
