//! Light and dark: by the system, or by the reader's switch, which is remembered where the browser lets it be.

use leptos::prelude::*;

use super::options::{Mounted, Options};

/// Name in the browser's storage; `start.js` reads it too, before the first paint.
const KEY: &str = "peargpt:theme";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Theme {
    System,
    Light,
    Dark,
}

impl Theme {
    fn remembered(options: &Options) -> Self {
        let value = options.storage.as_ref().and_then(|storage| storage.get_item(KEY).ok()?);
        match value.as_deref() {
            Some("light") => Theme::Light,
            Some("dark") => Theme::Dark,
            _ => Theme::System,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Theme::System => "system",
            Theme::Light => "light",
            Theme::Dark => "dark",
        }
    }

    fn next(self) -> Self {
        match self {
            Theme::System => Theme::Light,
            Theme::Light => Theme::Dark,
            Theme::Dark => Theme::System,
        }
    }

    /// When the dark colours count, which are a style sheet of their own.
    fn media(self) -> &'static str {
        match self {
            Theme::System => "(prefers-color-scheme: dark)",
            Theme::Light => "not all",
            Theme::Dark => "all",
        }
    }

    fn apply(self, options: &Options) {
        if let Some(link) = &options.dark {
            link.set_media(self.media());
        }
        if let Some(storage) = &options.storage {
            // A full or forbidden storage forgets the choice, no more.
            storage.set_item(KEY, self.name()).ok();
        }
    }
}

/// The switch.
#[component]
pub fn ThemeSwitch() -> impl IntoView {
    let mounted = Mounted::here();
    let theme = RwSignal::new(Theme::remembered(&mounted.options()));
    let switch = move |_| {
        theme.update(|theme| *theme = theme.next());
        theme.get_untracked().apply(&mounted.options());
    };
    view! {
        <button
            type="button"
            class="quiet theme"
            data-testid="theme"
            data-theme=move || theme.get().name()
            on:click=switch
        >
            <span class="theme-mark" aria-hidden="true"></span>
            <span class="visually-hidden">"Colours: "</span>
            <span class="theme-name">{move || theme.get().name()}</span>
        </button>
    }
}
