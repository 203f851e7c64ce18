//! The controls: one per parameter, made from [`crate::app::settings::PARAMETERS`].

use leptos::prelude::*;
use leptos::wasm_bindgen::JsCast;
use web_sys::{HtmlDocument, HtmlTextAreaElement};

use super::form::Field;
use super::options::Mounted;
use crate::app::settings::Kind;

/// Puts the focus on the control of this name, and opens what it is folded into.
pub fn focus(mounted: Mounted, name: &str) {
    let Some(control) = mounted.find(&format!("[id='{}']", mounted.id(name))) else { return };
    if let Ok(Some(details)) = control.closest("details") {
        details.set_attribute("open", "").ok();
    }
    control.focus().ok();
}

/// Replaces what stands in a text area as typing would, which can be undone. `false` where the browser cannot.
pub fn type_over(mounted: Mounted, name: &str, text: &str) -> bool {
    let control = mounted.find(&format!("[id='{}']", mounted.id(name)));
    let Some(area) = control.and_then(|control| control.dyn_into::<HtmlTextAreaElement>().ok()) else { return false };
    area.select();
    let Ok(document) = document().dyn_into::<HtmlDocument>() else { return false };
    let inserted = document.exec_command_with_show_ui_and_value("insertText", false, text);
    inserted.unwrap_or(false) && area.value() == text
}

/// A label, a control, a line of help and what is wrong.
#[component]
pub fn Control(
    /// The parameter that it sets.
    field: Field,
    /// What else is wrong with it.
    #[prop(optional, into)]
    problem: Option<Signal<Option<String>>>,
    /// The `data-testid` of that.
    #[prop(optional)]
    problem_testid: Option<&'static str>,
    /// What stands beside the control.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    let name = field.parameter.name;
    let mounted = Mounted::here();
    let help_id = mounted.id(&format!("{name}-help"));
    let control = match field.parameter.kind {
        Kind::Text => view! { <TextArea field rows=4 problem /> }.into_any(),
        Kind::Lines | Kind::List(_) => view! { <TextArea field rows=2 problem /> }.into_any(),
        Kind::Whole { .. } | Kind::Real { .. } => view! { <NumberInput field /> }.into_any(),
        Kind::Choice(names) => view! { <Choice field names /> }.into_any(),
    };
    view! {
        <div class="control" class:wrong=move || is_wrong(field, problem)>
            <label for=mounted.id(name)>{field.parameter.label}</label>
            <div class="control-row">{control} {children.map(|children| children())}</div>
            <p class="help" id=help_id>{field.parameter.help}</p>
            <Problem field />
            {problem.map(|problem| view! {
                <p
                    class="problem"
                    id=mounted.id(&format!("{name}-problem-too"))
                    data-testid=problem_testid
                    aria-live="polite"
                    hidden=move || problem.get().is_none()
                >
                    {problem}
                </p>
            })}
        </div>
    }
}

fn is_wrong(field: Field, problem: Option<Signal<Option<String>>>) -> bool {
    field.problem.get().is_some() || problem.is_some_and(|problem| problem.get().is_some())
}

/// What is wrong with a field, said when it changes.
#[component]
fn Problem(field: Field) -> impl IntoView {
    view! {
        <p class="problem" id=problem_id(field) aria-live="polite">
            {move || field.problem.get()}
        </p>
    }
}

fn problem_id(field: Field) -> String {
    Mounted::here().id(&format!("{}-problem", field.parameter.name))
}

fn described_by(field: Field) -> String {
    let help_id = Mounted::here().id(&format!("{}-help", field.parameter.name));
    format!("{help_id} {}", problem_id(field))
}

#[component]
fn TextArea(field: Field, rows: u32, problem: Option<Signal<Option<String>>>) -> impl IntoView {
    let name = field.parameter.name;
    let testid = if name == "stop" { "stop-sequences" } else { name }; // the button that stops is `stop`
    let too = Mounted::here().id(&format!("{name}-problem-too"));
    let described_by = if problem.is_some() { format!("{} {too}", described_by(field)) } else { described_by(field) };
    view! {
        <textarea
            id=Mounted::here().id(name)
            data-testid=testid
            rows=rows
            spellcheck="false"
            autocapitalize="off"
            autocomplete="off"
            aria-describedby=described_by
            aria-invalid=move || is_wrong(field, problem).then_some("true")
            prop:value=move || field.text.get()
            on:input:target=move |event| field.edit(event.target().value())
        ></textarea>
    }
}

/// Numbers are typed as text: a number control hides from the page what it does not take, and then it is lost.
#[component]
fn NumberInput(field: Field) -> impl IntoView {
    let name = field.parameter.name;
    let keyboard = if matches!(field.parameter.kind, Kind::Whole { .. }) { "numeric" } else { "decimal" };
    view! {
        <input
            type="text"
            id=Mounted::here().id(name)
            data-testid=name
            inputmode=keyboard
            autocomplete="off"
            aria-describedby=described_by(field)
            aria-invalid=move || field.problem.get().map(|_| "true")
            prop:value=move || field.text.get()
            on:input:target=move |event| field.edit(event.target().value())
        />
    }
}

#[component]
fn Choice(field: Field, names: &'static [&'static str]) -> impl IntoView {
    let name = field.parameter.name;
    let option = move |choice: &'static str| {
        view! { <option value=choice selected=move || field.text.get() == choice>{choice}</option> }
    };
    view! {
        <select
            id=Mounted::here().id(name)
            data-testid=name
            aria-describedby=described_by(field)
            prop:value=move || field.text.get()
            on:change:target=move |event| field.edit(event.target().value())
        >
            {names.iter().map(|choice| option(choice)).collect_view()}
        </select>
    }
}
