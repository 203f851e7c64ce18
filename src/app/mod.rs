//! The messages between page and worker, and the settings of a run. It uses the modules below; none of them uses it.

pub mod catalog;
pub mod checksum;
pub mod estimate;
pub mod numbers;
pub mod own;
pub mod permalink;
pub mod presets;
pub mod protocol;
pub mod publish;
pub mod release;
pub mod self_check;
pub mod settings;
pub mod site;
pub mod speakers;
pub mod threads;
pub mod training;
pub mod transfer_rate;
pub mod typed;
