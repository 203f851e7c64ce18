//! The core of the site in Firefox and WebKit: what each can do is done, and where one lacks something its reader is told.
//! WebKitGTK has no private file system, so nothing is kept there beyond the visit; Safari has one.

mod about;
mod downloads;
mod embed;
mod inside;
mod looks;
mod offline;
mod own;
mod publish;
mod team;
mod train;
mod visit;
mod writing;

/// Makes a test of each function, for each of the two engines.
macro_rules! for_both_engines {
    ($($name:ident),* $(,)?) => {
        mod firefox {
            $(#[tokio::test]
            async fn $name() {
                super::$name($crate::browser::Engine::Firefox).await;
            })*
        }
        mod webkit {
            $(#[tokio::test]
            async fn $name() {
                super::$name($crate::browser::Engine::WebKit).await;
            })*
        }
    };
}
use for_both_engines;
