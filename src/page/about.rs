//! About: what this is, whether it computes here what it computes elsewhere, and under which terms it comes.

use leptos::prelude::*;
use leptos::task::spawn_local;

use super::address_bar::AddressBar;
use super::copy_button::CopyButton;
use super::download;
use super::engine::Engine;
use super::model::ModelState;
use super::models::{GPT2, PEARGPT};
use super::options::Mounted;
use super::release;
use super::writing::Writing;
use crate::app::permalink::{Address, MODEL_DIGITS, Route};
use crate::app::protocol::{BenchReport, Event, Request, StoredModel};
use crate::app::self_check::{
    BENCH_PROMPT, BENCH_TOKENS, FAILED, NOT_COMPARED, NOT_STORED, PASSED, REPLAY_SHA256, REPLAY_TOKENS, SelfCheck,
    replay_settings,
};
use crate::app::site::Site;
use crate::generation::StopReason;

const LEDE: &str = "What runs here, and whether it computes what it computes elsewhere: pearGPT writes a text that is \
    known, a bench takes a second, and GPT-2 is compared with what is published, if it is stored here.";
/// On a site without pearGPT.
const LEDE_ALONE: &str = "What runs here, and how fast: a bench takes a second.";

/// The checks, in the order in which they run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Check {
    Replay,
    Bench,
    Gpt2,
}

/// What goes on.
#[derive(Clone, Debug, PartialEq)]
enum Doing {
    Nothing,
    /// The model of a check is on its way.
    Waiting(Check),
    /// Steps done, and steps there are.
    Running(Check, u32, u32),
    Stopped,
    Done,
    Failed(String),
}

/// A handle to the checks.
#[derive(Clone, Copy)]
struct Checks {
    writing: Writing,
    engine: Engine,
    doing: RwSignal<Doing>,
    result: RwSignal<SelfCheck>,
    /// What pearGPT has written.
    text: StoredValue<String>,
    /// The id of the model that is measured: pearGPT, or the home of a site without it.
    measured: StoredValue<String>,
    has_gpt2: bool,
}

impl Checks {
    fn new(writing: Writing, site: &Site, result: SelfCheck) -> Self {
        let (doing, result) = (RwSignal::new(Doing::Nothing), RwSignal::new(result));
        let home = site.home.as_deref().filter(|_| !site.has(PEARGPT.id));
        let measured = StoredValue::new(home.unwrap_or(PEARGPT.id).to_string());
        let (text, has_gpt2) = (StoredValue::default(), site.has(GPT2.id));
        Checks { writing, engine: writing.engine, doing, result, text, measured, has_gpt2 }
    }

    /// Whether there is a text that is known.
    fn has_replay(self) -> bool {
        self.measured.with_value(|id| id == PEARGPT.id)
    }

    /// Shows what is known before anything is checked, and goes on with a check whenever its model is there.
    fn follow(self) {
        self.result.set(facts());
        self.engine.start();
        Effect::new(move |_| {
            let backend = self.engine.backend.get().unwrap_or_default();
            // What was measured was measured with the one before.
            if self.result.with_untracked(|result| result.get("load_ms").is_empty()) {
                self.result.update(|result| result.set("backend", &backend));
            }
        });
        Effect::new(move |_| self.go_on());
        on_cleanup(move || {
            self.stop();
            self.engine.give_up_turn(&self.measured.try_get_value().unwrap_or_default());
        });
    }

    fn begin(self) {
        if untrack(|| self.is_busy()) {
            return;
        }
        self.result.set(facts());
        self.result.update(|result| result.set("backend", &self.engine.backend.get_untracked().unwrap_or_default()));
        self.engine.send(Request::ListStored);
        let id = self.measured.get_value();
        self.engine.want(&id);
        self.result.update(|result| result.set("model", &id));
        let first = if self.has_replay() { Check::Replay } else { Check::Bench };
        self.doing.set(Doing::Waiting(first));
    }

    fn stop(self) {
        match self.doing.try_get_untracked() {
            Some(Doing::Waiting(_)) => drop(self.doing.try_set(Doing::Stopped)),
            Some(Doing::Running(..)) => self.engine.send(Request::Stop),
            _ => {}
        }
    }

    fn is_busy(self) -> bool {
        matches!(self.doing.get(), Doing::Waiting(_) | Doing::Running(..))
    }

    fn model(self, check: Check) -> ModelState {
        match check {
            Check::Gpt2 => self.engine.model_of(GPT2.id),
            Check::Replay | Check::Bench => self.engine.model_of(&self.measured.get_value()),
        }
    }

    fn go_on(self) {
        let Doing::Waiting(check) = self.doing.get() else { return };
        match self.model(check) {
            ModelState::Loaded(_) if self.engine.is_writing() => {}
            ModelState::Loaded(_) => self.run(check),
            ModelState::Failed(sentence) => self.doing.set(Doing::Failed(sentence)),
            ModelState::Asking { .. } => self.end(NOT_STORED),
            _ => {}
        }
    }

    fn run(self, check: Check) {
        self.doing.set(Doing::Running(check, 0, 1));
        let request = move |run| match check {
            Check::Replay => Request::Generate { run, settings: replay_settings() },
            Check::Bench => Request::Bench { run, prompt_tokens: BENCH_PROMPT, tokens: BENCH_TOKENS },
            Check::Gpt2 => Request::Verify { run },
        };
        if check == Check::Replay {
            self.writing.is_held_no_longer();
            self.text.set_value(String::new());
        }
        self.engine.begin(request, move |_, event| self.hear(check, event));
    }

    /// The reader may have gone to another page meanwhile, and with it the signals.
    fn hear(self, check: Check, event: Event) {
        let doing = match event {
            Event::Text { delta, stats, .. } => {
                self.text.try_update_value(|text| text.push_str(&delta));
                Doing::Running(check, stats.tokens, REPLAY_TOKENS)
            }
            Event::Verifying { done, all, .. } => Doing::Running(check, done, all),
            Event::Done { reason: StopReason::Stopped, .. } | Event::Interrupted { .. } => Doing::Stopped,
            Event::Done { .. } => return self.compare(),
            Event::Benched { report, .. } => return self.measured(&report),
            Event::Verified { verification, .. } => return self.end(if verification.passed { PASSED } else { FAILED }),
            Event::Failed { message, .. } => Doing::Failed(message),
            _ => return,
        };
        self.doing.try_set(doing);
    }

    /// Holds pearGPT's text against what is written natively.
    fn compare(self) {
        let Some(written) = self.text.try_get_value() else { return };
        let text = replay_settings().prompt + &written;
        spawn_local(async move {
            let sha256 = release::sha256(&text).await.as_string().unwrap_or_default();
            let outcome = match sha256.as_str() {
                "" => NOT_COMPARED,
                REPLAY_SHA256 => PASSED,
                _ => FAILED,
            };
            self.result.try_update(|result| {
                result.set("replay", outcome);
                result.set("replay_sha256", &sha256);
            });
            self.doing.try_set(Doing::Waiting(Check::Bench));
        });
    }

    /// Takes what was measured. GPT-2 is next, where it is stored.
    fn measured(self, report: &BenchReport) {
        self.result.try_update(|result| {
            if result.get("replay").is_empty() {
                result.set("replay", NOT_COMPARED);
            }
            result.set("backend", &report.backend);
            result.set_number("load_ms", report.load_ms);
            result.set_number("prefill_ms", report.prefill_ms);
            result.set_number("decode_tokens_per_second", report.decode_tokens_per_second);
            result.set_number("decode_ms_p50", report.decode_ms_p50);
            result.set_number("read_gb_per_second", report.read_gb_per_second);
            result.set_number("wasm_memory_bytes", report.wasm_memory_bytes as f64);
        });
        let stored = self.engine.library.stored.get_untracked();
        let is_gpt2 =
            |stored: &[_]| stored.iter().any(|model: &StoredModel| model.id == GPT2.id && model.title.is_some());
        let may_be_stored = self.has_gpt2 && stored.is_none_or(|stored| is_gpt2(&stored.models));
        if self.doing.is_disposed() || !may_be_stored {
            return self.end(NOT_STORED);
        }
        self.engine.want_stored(GPT2.id);
        self.doing.set(Doing::Waiting(Check::Gpt2));
    }

    /// With what is known of GPT-2.
    fn end(self, gpt2: &str) {
        self.result.try_update(|result| result.set("gpt2", gpt2));
        self.doing.try_set(Doing::Done);
    }

    fn state(self) -> &'static str {
        match self.doing.get() {
            Doing::Nothing => "idle",
            Doing::Waiting(_) => "loading",
            Doing::Running(..) => "generating",
            Doing::Stopped => "stopped",
            Doing::Done => "done",
            Doing::Failed(_) => "failed",
        }
    }

    fn sentence(self) -> String {
        match self.doing.get() {
            Doing::Nothing | Doing::Failed(_) => String::new(),
            Doing::Waiting(_) if self.engine.is_writing() => "This begins when the text is done.".to_string(),
            Doing::Waiting(check) => download::sentence(&self.model(check)),
            Doing::Running(Check::Replay, ..) => "pearGPT writes a text that is known…".to_string(),
            Doing::Running(Check::Bench, ..) => "Measuring…".to_string(),
            Doing::Running(Check::Gpt2, ..) => "Comparing GPT-2 with what is published…".to_string(),
            Doing::Stopped => "Stopped before all was checked.".to_string(),
            Doing::Done if self.has_replay() && self.result.with(|result| result.get("replay") == NOT_COMPARED) => {
                "Done. Browsers compute a sha256 on https pages only, so pearGPT’s text was not compared.".to_string()
            }
            Doing::Done => "Done.".to_string(),
        }
    }
}

/// As far as nothing has to be computed.
fn facts() -> SelfCheck {
    let mut facts = SelfCheck::default();
    let navigator = window().navigator();
    facts.set("version", env!("CARGO_PKG_VERSION"));
    facts.set("release", release::release().get(..MODEL_DIGITS).unwrap_or_default());
    facts.set_number("processor_threads", navigator.hardware_concurrency());
    facts.set("user_agent", &navigator.user_agent().unwrap_or_default());
    facts
}

/// The whole page: this machine's result, or one that came with the address.
#[component]
pub fn About(
    /// pearGPT, which writes for the check.
    writing: Writing,
    /// What is wrong with the address; and the links that are shared.
    bar: AddressBar,
    /// Somebody else's result.
    shared: Option<SelfCheck>,
) -> impl IntoView {
    let (is_shared, mounted) = (shared.is_some(), Mounted::here());
    let options = mounted.options();
    let checks = Checks::new(writing, &options.site, shared.unwrap_or_default());
    if !is_shared {
        checks.follow();
    }
    let (heading, lede) = match is_shared {
        true => ("Somebody else’s result", "It came with the address. Nothing of it was checked here."),
        false => ("About", if checks.has_replay() { LEDE } else { LEDE_ALONE }),
    };
    let problems = move || {
        let failure = match checks.doing.get() {
            Doing::Failed(sentence) => Some(sentence),
            _ => None,
        };
        let problems = bar.arrived.with(|(_, problems)| problems.iter().map(ToString::to_string).collect::<Vec<_>>());
        problems.into_iter().chain(failure).collect::<Vec<_>>().join(" ")
    };
    let rows = move || {
        let row = |(label, value): (&'static str, &str)| {
            view! { <tr><th scope="row">{label}</th><td>{value.to_string()}</td></tr> }
        };
        // What a site without these models cannot check is no row.
        let is_told = |value: &str| checks.has_replay() || ![NOT_COMPARED, NOT_STORED].contains(&value);
        let is_shown = |(_, value): &(&str, &str)| !value.is_empty() && is_told(value);
        checks.result.with(|result| result.rows().filter(is_shown).map(row).collect_view())
    };
    view! {
        <article class="plain bench about">
            <h1 tabindex="-1">{heading}</h1>
            <p class="lede">{lede}</p>
            {match is_shared {
                true => view! { <p><a class="button" href="#/about">"Check this machine"</a></p> }.into_any(),
                false => view! { <Buttons checks /> }.into_any(),
            }}
            <p class="problem" data-testid="error" role="alert">{problems}</p>
            <table>
                <caption class="visually-hidden">"What is known"</caption>
                <tbody>{rows}</tbody>
            </table>
            <Json checks bar />
            <p><a href=mounted.absolute(&release::path_of("licences.txt"))>"Licences of all that is shipped"</a></p>
            // A published site does without it.
            <p hidden=options.site.home.is_some()>
                <a href=mounted.absolute("embed.html")>"Put a GPT into a page of yours"</a>
            </p>
        </article>
    }
}

#[component]
fn Buttons(checks: Checks) -> impl IntoView {
    let progress = move || match checks.doing.get() {
        Doing::Running(_, done, all) => Some((done, all)),
        _ => None,
    };
    // Those that cannot be pressed stay where they are, so that the focus stays too.
    view! {
        <div class="verify-buttons">
            <button
                type="button"
                class="primary"
                data-testid="about-check"
                aria-disabled=move || checks.is_busy().then_some("true")
                on:click=move |_| checks.begin()
            >
                "Check this machine"
            </button>
            <button
                type="button"
                class="quiet"
                data-testid="about-stop"
                aria-label="Stop checking"
                aria-disabled=move || (!checks.is_busy()).then_some("true")
                on:click=move |_| checks.stop()
            >
                "Stop"
            </button>
        </div>
        <p class="status" role="status" data-testid="status" data-state=move || checks.state()>
            {move || checks.sentence()}
        </p>
        <progress
            data-testid="about-progress"
            aria-label="Steps of this check"
            max=move || progress().map(|(_, all)| all)
            value=move || progress().map(|(done, _)| done)
            hidden=move || progress().is_none()
        ></progress>
    }
}

/// For other programs, and for others: once something was checked.
#[component]
fn Json(checks: Checks, bar: AddressBar) -> impl IntoView {
    let is_there =
        Memo::new(move |_| !checks.is_busy() && checks.result.with(|result| !result.get("replay").is_empty()));
    let json = Callback::new(move |()| checks.result.with(SelfCheck::json));
    let link = Callback::new(move |()| {
        let result = Some(checks.result.get_untracked());
        bar.link(&Address::of(Route::About { result }))
    });
    move || {
        is_there.get().then(|| {
            view! {
                <h2>"JSON"</h2>
                <pre class="json" data-testid="about-json" tabindex="0">{move || json.run(())}</pre>
                <div class="toolbar" role="group" aria-label="What to do with the result">
                    <CopyButton
                        testid="about-copy"
                        labels=["Copy", "Copied"]
                        what="The result"
                        field=["about-copied", "The result as JSON"]
                        text=json
                    />
                    <CopyButton
                        testid="about-share"
                        labels=["Share", "Link copied"]
                        what="The link"
                        field=["permalink", "Link to this result"]
                        text=link
                    />
                </div>
            }
            .into_any()
        })
    }
}
