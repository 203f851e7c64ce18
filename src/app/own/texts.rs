//! Describes files of the reader's own, for the page.

use crate::app::numbers::grouped;
use crate::app::protocol::{Asked, Description, Export, Question};
use crate::checkpoint::import::{Need, Summary, folder_and_name};

/// Describes the model of the weights in these files.
pub fn description<'a>(summary: &Summary, names: impl IntoIterator<Item = &'a str>, as_they_are: bool) -> Description {
    Description { name: name(names), facts: facts(summary), as_they_are }
}

/// A name for the model: that of the first file of weights whose name is not a usual one, without the extension; or
/// that of its folder or zip file.
pub fn name<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    const USUAL: [&str; 6] = ["model", "pytorch_model", "config", "vocab", "tokenizer", "merges"];
    let stem = |name: &'a str| name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let weights = |name: &&str| [".safetensors", ".bin", ".pt", ".pth", ".gguf"].iter().any(|end| name.ends_with(end));
    let is_telling = |stem: &&str| !USUAL.contains(stem) && !stem.contains("-of-");
    let (mut telling, mut folder) = (None, None);
    for (place, name) in names.into_iter().filter(weights).map(folder_and_name) {
        telling = telling.or(Some(stem(name)).filter(is_telling));
        folder = folder.or(place.and_then(|place| place.split('/').next_back()));
    }
    let name = telling.or(folder.map(|folder| folder.trim_end_matches(".zip"))).unwrap_or("My GPT");
    name.chars().filter(|character| !character.is_control()).collect()
}

/// The name of an exported file.
pub fn file_name(title: &str, format: Export) -> String {
    let is_plain = |character: char| character.is_alphanumeric() || "-_.".contains(character);
    let plain: String = title.chars().map(|character| if is_plain(character) { character } else { '-' }).collect();
    let end = match format {
        Export::Gguf8 => "-q8_0.gguf",
        Export::Gguf16 => "-f16.gguf",
        Export::HuggingFace => ".zip",
    };
    format!("{}{end}", plain.trim_matches(['-', '.']))
}

fn facts(summary: &Summary) -> Vec<(String, String)> {
    let Summary { parameters, layers, n_embd, heads, context, vocabulary, tokens, padding_rows, .. } = summary;
    let padding = match padding_rows {
        0 => String::new(),
        rows => format!(", {} rows of padding left out", grouped(*rows as u64)),
    };
    let mut facts = vec![
        ("Architecture", format!("GPT-2 with {}, head {}", activation(summary.activation), summary.head)),
        ("Source", summary.source.to_string()),
        ("Weights", grouped(*parameters as u64)),
        ("Shape", format!("{layers} layers, {n_embd} wide, {heads} heads")),
        ("Context", format!("{} tokens", grouped(*context as u64))),
        ("Vocabulary", format!("{} {tokens}{padding}", grouped(*vocabulary as u64))),
        ("Precision", format!("{} in the files, {} here", summary.stored.join(", "), matrices(&summary.kept))),
    ];
    if !summary.ignored.is_empty() {
        facts.push(("Not used", summary.ignored.join(", ")));
    }
    facts.into_iter().map(|(label, value)| (label.to_string(), value)).collect()
}

/// The dtypes of the matrices. Norms, biases and positions, which stay F32, are left out.
fn matrices(kept: &[String]) -> String {
    let coarse: Vec<&str> = kept.iter().map(String::as_str).filter(|kind| *kind != "F32").collect();
    if coarse.is_empty() { "F32".to_string() } else { coarse.join(", ") }
}

fn activation(name: &str) -> &str {
    match name {
        "relu" => "ReLU",
        "gelu" => "GELU",
        _ => "GELU (approximated by tanh)",
    }
}

/// Says what is missing, and how to give it.
pub fn question(need: &Need) -> Question {
    let (sentence, asks) = match need {
        Need::Weights => {
            ("The weights are missing. Add the checkpoint: .safetensors, .pt, .bin or .gguf.".to_string(), Asked::File)
        }
        Need::Choice { models } => (
            "These files hold several models. Which one do you want to run?".to_string(),
            Asked::Model { models: models.clone() },
        ),
        Need::File { name } => (format!("{name} is missing. Add it."), Asked::File),
        Need::Tokenizer { tokens } => (tokenizer(*tokens), Asked::File),
        Need::Heads { n_embd, proposed } => (
            format!("Number of heads (n_head) is missing; it must divide {n_embd}."),
            Asked::Heads { proposed: proposed.map(|heads| heads as u32) },
        ),
        Need::Alphabet { tokens, proposed } => {
            (alphabet(*tokens, proposed.is_some()), Asked::Alphabet { proposed: proposed.map(str::to_string) })
        }
    };
    Question { sentence, asks }
}

fn tokenizer(tokens: usize) -> String {
    let here = match tokens {
        50_257.. => " If it is GPT-2’s, downloading GPT-2 on its page does as well.",
        _ => "",
    };
    format!(
        "The tokenizer is missing: add vocab.json and merges.txt, or tokenizer.json, of at most {} tokens.{here}",
        grouped(tokens as u64)
    )
}

fn alphabet(tokens: usize, is_proposed: bool) -> String {
    let proposed = match is_proposed {
        true => " Below are those of tiny Shakespeare.",
        false => "",
    };
    format!(
        "The files do not say which {tokens} characters the model knows. Add meta.pkl or the text that it was trained \
         on, or type the characters in the order of their ids.{proposed}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::import::TINY_SHAKESPEARE;

    fn summary() -> Summary {
        Summary {
            architecture: "gpt2",
            source: "nanoGPT",
            parameters: 9_967_040,
            layers: 8,
            n_embd: 320,
            heads: 5,
            context: 1024,
            vocabulary: 50_257,
            tokens: "byte pairs",
            padding_rows: 47,
            activation: "relu",
            head: "untied, with a bias",
            stored: vec!["BF16".into(), "F32".into()],
            kept: vec!["F32".into(), "Q8_0".into()],
            ignored: vec!["notes.txt".into()],
        }
    }

    #[test]
    fn a_model_is_described_by_what_its_readers_know_of_it() {
        let facts = description(&summary(), ["ckpt.pt"], false).facts;
        let expected = [
            ("Architecture", "GPT-2 with ReLU, head untied, with a bias"),
            ("Source", "nanoGPT"),
            ("Weights", "9,967,040"),
            ("Shape", "8 layers, 320 wide, 5 heads"),
            ("Context", "1,024 tokens"),
            ("Vocabulary", "50,257 byte pairs, 47 rows of padding left out"),
            ("Precision", "BF16, F32 in the files, Q8_0 here"),
            ("Not used", "notes.txt"),
        ];
        let expected = expected.map(|(label, value)| (label.to_string(), value.to_string()));
        assert_eq!(facts, expected);
    }

    #[test]
    fn a_model_is_called_after_the_file_of_its_weights() {
        let name = |names: &[&str]| name(names.iter().copied());
        assert_eq!(name(&["config.json", "shakespeare-char.safetensors"]), "shakespeare-char");
        assert_eq!(name(&["meta.pkl", "ckpt.pt"]), "ckpt");
        assert_eq!(name(&["config.json", "model-00001-of-00003.safetensors"]), "My GPT");
        assert_eq!(name(&["weights"]), "My GPT");
        assert_eq!(name(&["romeo/model.safetensors"]), "romeo");
        assert_eq!(name(&["juliet.zip/pytorch_model.bin"]), "juliet");
        assert_eq!(name(&["juliet.zip/romeo/model-00001-of-00003.safetensors"]), "romeo");
        assert_eq!(name(&["out/ckpt.pt"]), "ckpt");
        assert_eq!(name(&["two\nlines.gguf"]), "twolines");
    }

    #[test]
    fn a_file_to_take_along_has_a_name_that_every_system_takes() {
        assert_eq!(file_name("pearGPT", Export::Gguf8), "pearGPT-q8_0.gguf");
        assert_eq!(file_name("../my: model?", Export::Gguf16), "my--model-f16.gguf");
        assert_eq!(file_name("Übung 1", Export::HuggingFace), "Übung-1.zip");
    }

    #[test]
    fn each_thing_that_is_missing_has_a_sentence() {
        let said = |need| question(&need).sentence;
        assert_eq!(said(Need::File { name: "merges.txt".into() }), "merges.txt is missing. Add it.");
        let asked = question(&Need::Choice { models: vec!["a.gguf".into(), "b.pt".into()] });
        assert_eq!(asked.sentence, "These files hold several models. Which one do you want to run?");
        assert_eq!(asked.asks, Asked::Model { models: vec!["a.gguf".to_string(), "b.pt".to_string()] });
        assert!(said(Need::Weights).starts_with("The weights are missing."));
        assert!(said(Need::Tokenizer { tokens: 50_304 }).contains("downloading GPT-2"));
        assert!(!said(Need::Tokenizer { tokens: 300 }).contains("downloading GPT-2"));
        assert!(said(Need::Heads { n_embd: 96, proposed: None }).contains("must divide 96"));
        let asked = question(&Need::Alphabet { tokens: 65, proposed: Some(TINY_SHAKESPEARE) });
        assert!(asked.sentence.contains("which 65 characters") && asked.sentence.contains("Below are"));
        assert_eq!(asked.asks, Asked::Alphabet { proposed: Some(TINY_SHAKESPEARE.to_string()) });
    }
}
