//! Chooses the model where the files hold several, and leaves out what goes with the others.

use std::collections::BTreeSet;
use std::io::{Read, Seek};

use super::shards::{self, FoundModel};
use super::{Content, ImportError, Named, Need, Pause, folder_and_name, set_of, unzip};

/// The same weights in torch's format, beside `model.safetensors` in Hugging Face's folders.
const COPIES: [&str; 2] = ["pytorch_model", "rust_model"];
/// The state of a training, which Hugging Face's programs leave beside the weights.
const STATES: [&str; 5] = ["training_args", "optimizer", "scheduler", "scaler", "rng_state"];

/// The kinds of files of which a model has one each; those of one purpose together.
const TOGETHER: [&[Content]; 3] =
    [&[Content::Config], &[Content::Pickle], &[Content::Tokenizer, Content::Vocabulary, Content::Merges]];

/// The model that is chosen.
#[derive(Debug)]
pub(super) struct ChosenModel {
    /// Its weights.
    pub weights: FoundModel,
    /// The names of the other models.
    others: Vec<String>,
}

/// Chooses the model: the only one, or the one of this name. Asks where there are several.
pub(super) async fn choose<R: Read + Seek>(
    files: &mut [Named<R>],
    contents: &[Content],
    name: Option<&str>,
    pause: Pause<'_>,
) -> Result<Result<ChosenModel, Need>, ImportError> {
    let mut models = shards::find(files, contents, pause).await?;
    let names: Vec<String> = models.iter().map(|model| model.name.clone()).collect();
    let has_safetensors = models.iter().any(|model| model.content == Content::Safetensors);
    models.retain(|model| !is_needless(&model.name, &names, has_safetensors));
    let names = || models.iter().map(|model| model.name.clone()).collect::<Vec<_>>();
    let chosen = match models.len() {
        0 => return Err(no_weights(files, contents)),
        1 => Some(0),
        _ => models.iter().position(|model| Some(model.name.as_str()) == name),
    };
    let Some(chosen) = chosen else { return Ok(Err(Need::Choice { models: names() })) };
    let weights = models.swap_remove(chosen);
    Ok(Ok(ChosenModel { weights, others: models.into_iter().map(|model| model.name).collect() }))
}

/// Whether this is a copy of weights beside it, or the state of their training.
fn is_needless(name: &str, all: &[String], has_safetensors: bool) -> bool {
    let (folder, own) = (folder_and_name(name).0, stem(name));
    let has_beside =
        |is: &dyn Fn(&str) -> bool| all.iter().any(|other| folder_and_name(other).0 == folder && is(stem(other)));
    let is_copy = has_safetensors && COPIES.contains(&own) && has_beside(&|other| other == "model");
    is_copy || STATES.contains(&own) && has_beside(&|other| !STATES.contains(&other))
}

/// The name of a file without its extension and number.
fn stem(name: &str) -> &str {
    let name = folder_and_name(name).1;
    let stem = name.split(['-', '.']).next().unwrap_or(name);
    stem.trim_end_matches(|end: char| end == '_' || end.is_ascii_digit())
}

fn no_weights<R: Read + Seek>(files: &mut [Named<R>], contents: &[Content]) -> ImportError {
    if let Some(zip) = contents.iter().position(|&content| content == Content::Zip) {
        return unzip::refusal(files, zip);
    }
    let told = |(file, content): (&Named<R>, &Content)| format!("{}: {}", file.name, content.title());
    ImportError::NoWeights { found: files.iter().zip(contents).map(told).collect() }
}

impl ChosenModel {
    /// Names of files that are not used.
    pub fn ignored<R>(&self, files: &[Named<R>], contents: &[Content]) -> Vec<String> {
        let unknown = |content: Content| {
            matches!(content, Content::Text | Content::Empty | Content::Image | Content::Zip | Content::Other)
        };
        let is_ignored = |file: &usize| {
            let content = contents[*file];
            unknown(content) || content.has_weights() && !self.weights.files.contains(file)
        };
        (0..files.len()).filter(is_ignored).map(|file| files[file].name.clone()).collect()
    }

    /// The kinds of the files, where what does not go with this model counts as unknown. Where there are other models,
    /// more views follow, each without some kinds of files, since these may be the others' too.
    pub fn views<R>(&self, files: &[Named<R>], mut contents: Vec<Content>) -> Vec<Vec<Content>> {
        self.leave_out_others(files, &mut contents);
        let mut views = vec![contents];
        if !self.others.is_empty() {
            for kinds in TOGETHER {
                let without = |content: &Content| if kinds.contains(content) { Content::Other } else { *content };
                let fewer: Vec<Vec<Content>> = views.iter().map(|view| view.iter().map(without).collect()).collect();
                views.extend(fewer);
            }
        }
        views
    }

    /// Leaves out the files in another model's folder; and of each kind the files that are not in this model's folder,
    /// or whose names fit another model, where others fit better.
    fn leave_out_others<R>(&self, files: &[Named<R>], contents: &mut [Content]) {
        let home = folder_and_name(&self.weights.name).0;
        let foreign = set_of(self.others.iter().map(|name| folder_and_name(name).0));
        for (file, content) in files.iter().zip(contents.iter_mut()) {
            if file.folder() != home && foreign.contains(&file.folder()) && !content.has_weights() {
                *content = Content::Other;
            }
        }
        for &kind in TOGETHER.iter().copied().flatten() {
            let all: Vec<usize> = (0..files.len()).filter(|&file| contents[file] == kind).collect();
            let of_home = fitting(&all, |&file| files[file].folder() == home);
            let own = fitting(&of_home, |&file| self.fits(&files[file].name));
            all.iter().filter(|file| !own.contains(file)).for_each(|&file| contents[file] = Content::Other);
        }
    }

    /// Whether the name of a file has a word that only this model's name has; if there is none, whether it has no word
    /// that only the others' names have.
    fn fits(&self, name: &str) -> bool {
        let (words, own) = (words(name), words(&self.weights.name));
        let others = set_of(self.others.iter().flat_map(|other| self::words(other)));
        let mut telling = own.difference(&others).peekable();
        match telling.peek() {
            Some(_) => telling.any(|word| words.contains(word)),
            None => others.difference(&own).all(|word| !words.contains(word)),
        }
    }
}

/// Those that fit; all, where none does.
fn fitting(all: &[usize], fits: impl Fn(&usize) -> bool) -> Vec<usize> {
    let some: Vec<usize> = all.iter().copied().filter(|file| fits(file)).collect();
    if some.is_empty() { all.to_vec() } else { some }
}

/// The words of a file's name.
fn words(name: &str) -> BTreeSet<&str> {
    let words = folder_and_name(name).1.split(|character: char| !character.is_alphanumeric());
    set_of(words.filter(|word| !word.is_empty()))
}
