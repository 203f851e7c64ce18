//! The two models of the site, and the reader's own, as their pages present them.

use crate::app::own::is_own;
use crate::app::permalink::Route;
use crate::app::site::{Site, route_of};

/// What a model's page says of it.
#[derive(Debug)]
pub struct ModelPage {
    /// The catalog's id.
    pub id: &'static str,
    /// Its name; empty where the reader gives it one.
    pub name: &'static str,
    /// What it does, in a sentence.
    pub lede: &'static str,
    /// Prompts to start from: what the button says, and what it writes.
    pub examples: &'static [(&'static str, &'static str)],
    /// Whether it writes plays, which are set as such.
    pub is_play: bool,
    /// Whether its weights take long to come.
    pub is_large: bool,
}

/// Characters, Shakespeare.
pub static PEARGPT: ModelPage = ModelPage {
    id: "peargpt",
    name: "pearGPT",
    lede: "Writes Shakespeare, one character at a time.",
    examples: &[
        ("Romeo speaks", "ROMEO:"),
        ("Citizens meet", "First Citizen:\nBefore we proceed any further, hear me speak.\n\nAll:"),
        ("A king's night", "KING RICHARD III:\nNow is the night, and "),
    ],
    is_play: true,
    is_large: false,
};

/// Byte pairs, the web of 2019.
pub static GPT2: ModelPage = ModelPage {
    id: "gpt2",
    name: "GPT-2",
    lede: "OpenAI’s GPT-2 (124M). It continues a text; it does not answer questions.",
    examples: &[
        ("A discovery", "In a shocking finding, scientists discovered a herd of unicorns living in a remote valley"),
        ("A recipe", "Pear tart\n\nIngredients:\n\n"),
        ("A fairy tale", "Once upon a time, in a village at the foot of a mountain, there lived"),
    ],
    is_play: false,
    is_large: true,
};

/// Whatever the reader brings.
pub static OWN: ModelPage = ModelPage {
    id: "",
    name: "",
    lede: "Your own model, run in this tab.",
    examples: &[],
    is_play: false,
    is_large: false,
};

impl ModelPage {
    /// The page; of the reader's own, before it is known which.
    pub fn route(&self) -> Route {
        route_of(self.id).unwrap_or(Route::Own { sha256: String::new() })
    }

    /// As the site presents it, where it is its home. It stands as long as the document.
    pub fn on(&'static self, site: &Site) -> &'static ModelPage {
        let Some(id) = site.home.as_ref().filter(|home| self.id == **home || (self.id.is_empty() && is_own(home)))
        else {
            return self;
        };
        let leak = |text: &str| -> &'static str { String::leak(text.to_string()) };
        let example = |prompt: &String| (leak(&label(prompt)), leak(prompt));
        let examples: Vec<(&str, &str)> = match site.prompts.is_empty() {
            true => self.examples.to_vec(),
            false => site.prompts.iter().map(example).collect(),
        };
        let (id, name, lede, examples) = (leak(id), leak(&site.title), leak(&site.sentence), Vec::leak(examples));
        Box::leak(Box::new(ModelPage { id, name, lede, examples, ..*self }))
    }
}

/// What the button of a prompt says: its beginning.
fn label(prompt: &str) -> String {
    const MOST: usize = 28;
    let line = prompt.trim().lines().next().unwrap_or_default();
    match line.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", line[..end].trim_end()),
        None if line.is_empty() => "(white space)".to_string(),
        None => line.to_string(),
    }
}
