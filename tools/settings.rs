//! Says whether the function would start with the settings of the environment, and if not, why: `make deploy` asks before it
//! uploads anything.

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
