//! Publishing a model: what its website says of itself.

use leptos::prelude::*;

use super::exported::{ExportState, write};
use super::options::Mounted;
use super::release;
use super::writing::Writing;
use crate::app::protocol::{Publication, Request};
use crate::app::settings::{escaped, unescaped};
use crate::app::site::defaults;
use crate::app::typed::{name, unknown};

/// The form.
#[component]
pub fn PublishForm(
    /// The writing with the model.
    writing: Writing,
    /// What has become of a file.
    written: RwSignal<ExportState>,
    /// Whether no file can be written now.
    #[prop(into)]
    disabled: Signal<bool>,
) -> impl IntoView {
    let mounted = Mounted::here();
    // What the reader has typed; the model's name until then.
    let title = RwSignal::new(None::<String>);
    // A site that is published once more begins with what it says.
    let site = mounted.options().site.clone();
    let (sentence, prompts) = match site.is_home(&untrack(|| writing.id())) {
        true => (site.sentence, site.prompts),
        false => Default::default(),
    };
    let prompts = prompts.iter().map(|prompt| escaped(prompt)).collect::<Vec<_>>().join("\n");
    let (sentence, prompts) = (RwSignal::new(sentence), RwSignal::new(prompts));
    let others = RwSignal::new(false);
    let shown_title = move || title.get().unwrap_or_else(|| writing.name());
    let publish = move |_| {
        let settings = untrack(|| writing.form.settings());
        let route = untrack(|| writing.address().route);
        let prompts = prompts.get_untracked();
        let prompts: Vec<String> = prompts.lines().filter(|line| !line.trim().is_empty()).map(unescaped).collect();
        if let Some(obstacle) = untrack(|| obstacle(writing, &prompts)) {
            return written.set(ExportState::Failed(obstacle));
        }
        let publication = Publication {
            title: untrack(shown_title),
            sentence: sentence.get_untracked(),
            prompts,
            defaults: defaults(route, &settings),
            others: others.get_untracked(),
        };
        let (base, release) = (mounted.options().base.clone(), release::release());
        write(writing, written, |run| Request::Publish { run, publication, base, release, model: None });
    };
    let has_others = !mounted.options().site.offers.is_empty();
    let id = move |name: &str| mounted.id(&format!("publish-{name}"));
    view! {
        <fieldset class="publish">
            <legend>"As a website"</legend>
            <p class="help">
                "A zip file: this page with the model as its home, beginning with the settings as they are now. Any static \
                 server can serve it; nothing has to be installed."
            </p>
            <label for=id("title")>"Title"</label>
            <input
                id=id("title")
                data-testid="publish-title"
                prop:value=shown_title
                on:input:target=move |event| title.set(Some(event.target().value()))
            />
            <label for=id("sentence")>"In a sentence"</label>
            <input id=id("sentence") data-testid="publish-sentence" bind:value=sentence />
            <label for=id("prompts")>"Example prompts, one a line; “\\n” is a line end"</label>
            <textarea id=id("prompts") data-testid="publish-prompts" rows="2" spellcheck="false" bind:value=prompts></textarea>
            <label class="publish-others" hidden=!has_others>
                <input type="checkbox" data-testid="publish-others" bind:checked=others />
                "Offer this site’s other models, too"
            </label>
            <button type="button" data-testid="publish" disabled=disabled on:click=publish>"Website (zip)"</button>
        </fieldset>
    }
}

/// What its visitors would be told at once, as a sentence.
fn obstacle(writing: Writing, prompts: &[String]) -> Option<String> {
    if let Some(field) = writing.form.wrong() {
        return Some(format!("The site begins with these settings, and “{}” is wrong.", field.parameter.label));
    }
    let alphabet = writing.alphabet()?;
    let (prompt, unknown) = prompts.iter().find_map(|prompt| {
        let unknown = unknown(prompt, &alphabet);
        (!unknown.is_empty()).then(|| (escaped(prompt), unknown))
    })?;
    let unknown = unknown.into_iter().map(name).collect::<Vec<_>>().join(", ");
    Some(format!("The model does not know {unknown}, which the example prompt “{prompt}” has."))
}
