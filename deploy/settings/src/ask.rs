//! The verbs that every program has about its settings.

use clap::Subcommand;

use crate::{Problems, Read, Settings, sample};

/// What can be asked about settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub enum Ask {
    /// Say what is wrong with the configuration, all at once.
    CheckConfig,
    /// Print what is in force and where it comes from, secrets hidden.
    PrintConfig,
    /// Print a sample file with every key, its names in the environment and its default.
    SampleConfig,
}

/// Answers it; `resolved` is what the service made of the settings, as remarks for the operator.
///
/// # Errors
/// When the settings are of no use.
pub fn answer<S: Settings>(
    ask: Ask,
    read: &Read<S>,
    resolved: Result<Vec<String>, Problems>,
) -> Result<String, Problems> {
    match ask {
        Ask::SampleConfig => Ok(sample::<S>()),
        Ask::PrintConfig => resolved.map(|_| read.print()),
        Ask::CheckConfig => resolved.map(|advice| {
            let remarks = read.warnings.iter().chain(&advice);
            let remarks: String = remarks.map(|text| format!("{text}\n")).collect();
            format!("{remarks}configuration can be used\n")
        }),
    }
}
