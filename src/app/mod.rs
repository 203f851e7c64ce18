//! What crosses between page and worker, and what can be asked for. It knows the modules below; none of them knows it.

pub mod catalog;
pub mod checksum;
pub mod estimate;
pub mod own;
pub mod permalink;
pub mod protocol;
pub mod publish;
pub mod release;
pub mod settings;
pub mod speakers;
pub mod transfer_rate;
