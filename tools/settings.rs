//! Checks whether the function would start with the environment's settings, and prints the problems. `make deploy` runs it
//! before the upload.

use std::env;
use std::process::ExitCode;

use project_flows::settings::Settings;

fn main() -> ExitCode {
    match Settings::read(|name| env::var(name)) {
        Ok(_) => ExitCode::SUCCESS,
        Err(problems) => {
            for problem in problems {
                eprintln!("{problem}");
            }
            ExitCode::FAILURE
        }
    }
}
