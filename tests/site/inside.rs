//! Every token explains itself, and can be changed.

use anyhow::Result;
use serde_json::Value;
use thirtyfour::prelude::*;

use crate::looks::expect_good_looks;
use crate::reader::Reader;
use crate::replay::in_the_terminal;

/// A text of pearGPT's, as an address and as flags.
pub const TEXT: &str = "#/peargpt?prompt=ROMEO%3A%0A&words=20&seed=3";
pub const FLAGS: [&str; 5] = ["--words=20", "--seed=3", "--threads=1", "--explain", "ROMEO:\n"];

impl Reader {
    /// A reader whose page has written this text.
    async fn of_text(route: &str) -> Result<Self> {
        let reader = Reader::at(&format!("{route}&run=1")).await?;
        reader.wait_for("done").await?;
        Ok(reader)
    }

    /// An attribute of the token's panel, once it stands for this position.
    pub async fn token(&self, position: u64, name: &str) -> Result<String> {
        let panel = "document.querySelector('[data-testid=token-panel]')";
        self.browser
            .wait_until(&format!("{panel}?.dataset.position === '{position}' && {panel}.dataset.probability"))
            .await?;
        Ok(self
            .browser
            .script(&format!("return {panel}.dataset.{name}"))
            .await?
            .as_str()
            .unwrap_or_default()
            .to_string())
    }

    /// The views that the panel has, as JSON.
    async fn views(&self) -> Result<Vec<Value>> {
        let json = self.text("explain-json").await?;
        Ok(json.lines().map(serde_json::from_str).collect::<Result<_, _>>()?)
    }

    /// Takes the likeliest token that does not stand there, waits for the text that comes of it, and returns its id.
    pub async fn take_an_alternative(&self, drawn: &str) -> Result<String> {
        let rows = "[...document.querySelectorAll('[data-testid=alternative]')]";
        let row = format!("{rows}.find((row) => row.querySelector('[data-testid=take]'))");
        let id = self.browser.script(&format!("return {row}.dataset.id")).await?;
        self.browser.script(&format!("{row}.querySelector('[data-testid=take]').click()")).await?;
        let output = "document.querySelector('[data-testid=output]').textContent";
        self.browser.wait_until(&format!("{output} !== {drawn:?}")).await?;
        self.wait_for("done").await?;
        Ok(id.as_str().unwrap_or_default().to_string())
    }

    /// Clicks in the middle of a character of the text, the prompt included.
    pub async fn click_character(&self, index: usize) -> Result<()> {
        let script = format!(
            "const sheet = document.querySelector('[data-testid=output]');
             const walker = document.createTreeWalker(sheet, NodeFilter.SHOW_TEXT);
             let left = {index};
             while (walker.nextNode() && walker.currentNode.length <= left) left -= walker.currentNode.length;
             const range = document.createRange();
             range.setStart(walker.currentNode, left);
             range.setEnd(walker.currentNode, left + 1);
             const {{ left: x, top, width, height }} = range.getBoundingClientRect();
             sheet.dispatchEvent(new MouseEvent('click', {{
                 bubbles: true, clientX: x + width / 3, clientY: top + height / 2 }}));"
        );
        self.browser.script(&script).await.map(drop)
    }
}

/// The lines that `generate --explain` prints.
pub fn explained(flags: &[&str]) -> Vec<Value> {
    in_the_terminal(flags).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn every_token_says_what_the_terminal_says_of_it() {
    let reader = Reader::of_text(TEXT).await.unwrap();
    let lines = explained(&FLAGS);
    let text = reader.output().await.unwrap();
    assert_eq!(text.chars().count(), lines.len());
    reader.press("look").await.unwrap();
    let last = lines.len() as u64 - 1;
    assert_eq!(reader.token(last, "id").await.unwrap(), lines[last as usize]["id"].to_string());
    for index in [40, 9, 3] {
        reader.click_character(index).await.unwrap();
        for (attribute, name) in [("probability", "probability"), ("rank", "rank"), ("entropyBits", "entropy_bits")] {
            let found: f64 = reader.token(index as u64, attribute).await.unwrap().parse().unwrap();
            // serde_json's reader may miss the last bit.
            assert!((found - lines[index][name].as_f64().unwrap()).abs() < 1e-14, "{index}, {name}: {found}");
        }
    }
    assert!(reader.text("token-said").await.unwrap().contains("of the prompt"));
    let alternatives = "document.querySelectorAll('[data-testid=alternative]').length";
    assert_eq!(reader.browser.script(&format!("return {alternatives}")).await.unwrap(), 10);

    // The deeper views are those of the terminal, number by number.
    reader.click_character(30).await.unwrap();
    reader.token(30, "id").await.unwrap();
    reader.press("view-lens").await.unwrap();
    reader.browser.wait_until("document.querySelectorAll('[data-testid=layer]').length === 9").await.unwrap();
    reader.press("view-attention").await.unwrap();
    reader.browser.wait_until("document.querySelectorAll('[data-testid=head]').length === 40").await.unwrap();
    let weights = "JSON.parse(document.querySelector('[data-testid=head]').dataset.weights)";
    let sum = reader.browser.script(&format!("return {weights}.reduce((sum, weight) => sum + weight)")).await.unwrap();
    assert!((sum.as_f64().unwrap() - 1.0).abs() < 1e-4, "{sum}");
    assert_eq!(reader.browser.script(&format!("return {weights}.length")).await.unwrap(), 31);
    reader.press("view-looked-at").await.unwrap();
    reader.browser.wait_until("document.querySelectorAll('[data-testid=head]').length === 40").await.unwrap();
    reader.press("numbers").await.unwrap();
    let expected = explained(&[&FLAGS[..], &["--look=30"]].concat());
    let views = reader.views().await.unwrap();
    assert_eq!(views.len(), 4);
    assert_eq!(views, expected[expected.len() - 4..]);
    expect_good_looks(&reader, "inside").await;
    assert_eq!(reader.browser.console().await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn another_token_is_taken_and_the_versions_stay() {
    let reader = Reader::of_text(TEXT).await.unwrap();
    let drawn = reader.output().await.unwrap();
    reader.press("look").await.unwrap();
    reader.click_character(25).await.unwrap();
    reader.token(25, "id").await.unwrap();
    let id = reader.take_an_alternative(&drawn).await.unwrap();
    let taken = reader.output().await.unwrap();
    assert_eq!(taken[..25], drawn[..25]);
    assert_ne!(taken[25..26], drawn[25..26]);
    let take = format!("--take=25:{id}");
    let terminal = in_the_terminal(&["--words=20", "--seed=3", &take, "ROMEO:\n"]);
    assert_eq!(taken.trim_end(), terminal.trim_end());

    // The address repeats it, in another tab too.
    reader.press("share").await.unwrap();
    let link = reader.browser.promise("navigator.clipboard.readText()").await.unwrap();
    let link = link.as_str().unwrap().to_string();
    assert!(link.contains(&format!("take=25:{id}")), "{link}");
    let versions = "document.querySelectorAll('[data-testid=version]').length";
    assert_eq!(reader.browser.script(&format!("return {versions}")).await.unwrap(), 2);
    reader.browser.script("document.querySelector('[data-testid=version][aria-pressed=false]').click()").await.unwrap();
    assert_eq!(reader.output().await.unwrap(), drawn);
    // It is this one that is looked into then.
    reader.click_character(25).await.unwrap();
    let own = "document.querySelector('[data-testid=alternative].own th')?.textContent";
    reader.browser.wait_until(&format!("{own} === {:?}", &drawn[25..26])).await.unwrap();
    reader.browser.open_tab(&link).await.unwrap();
    reader.wait_for("done").await.unwrap();
    assert_eq!(reader.output().await.unwrap(), taken);

    // Letters that are typed are several tokens.
    reader.press("look").await.unwrap();
    reader.click_character(30).await.unwrap();
    reader.token(30, "id").await.unwrap();
    reader.fill("take-text", "my lord").await.unwrap();
    reader.press("take-typed").await.unwrap();
    reader
        .browser
        .wait_until("document.querySelector('[data-testid=output]').textContent.slice(30).startsWith('my lord')")
        .await
        .unwrap();
    reader.wait_for("done").await.unwrap();
    reader.fill("take-text", "é").await.ok();
    assert_eq!(reader.browser.console().await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn heads_and_mlps_are_switched_off() {
    let reader = Reader::of_text(TEXT).await.unwrap();
    let whole = reader.output().await.unwrap();
    reader.press("look").await.unwrap();
    reader.press("view-attention").await.unwrap();
    reader.browser.wait_until("document.querySelectorAll('[data-testid=head]').length === 40").await.unwrap();
    reader.press("switch-mlp").await.unwrap();
    reader
        .browser
        .wait_until(&format!("document.querySelector('[data-testid=output]').textContent !== {whole:?}"))
        .await
        .unwrap();
    reader.wait_for("done").await.unwrap();
    let without = reader.output().await.unwrap();
    assert_eq!(without.trim_end(), in_the_terminal(&["--words=20", "--seed=3", "--off=mlp.0", "ROMEO:\n"]).trim_end());
    assert!(reader.text("off-said").await.unwrap().contains("missing"));
}

#[tokio::test]
async fn the_text_is_coloured_by_surprise() {
    let reader = Reader::of_text(TEXT).await.unwrap();
    let ranges = "[1, 2, 3, 4].map((level) => CSS.highlights.get(`surprise-${level}`)?.size ?? 0)";
    let coloured = format!("{ranges}.reduce((sum, size) => sum + size)");
    assert_eq!(reader.browser.script(&format!("return {coloured}")).await.unwrap(), 0);
    reader.press("surprise").await.unwrap();
    reader.browser.wait_until(&format!("{coloured} > 5")).await.unwrap();
    assert!(reader.text("surprise-said").await.unwrap().contains("bits per character"));
    // As it is written.
    reader.fill("words", "300").await.unwrap();
    reader.press("generate").await.unwrap();
    reader
        .browser
        .wait_until(&format!(
            "document.querySelector('[data-testid=status]').dataset.state === 'generating' && {coloured} > 5"
        ))
        .await
        .unwrap();
    reader.finish().await.unwrap();
    expect_good_looks(&reader, "surprise").await;
    reader.press("surprise").await.unwrap();
    reader.browser.wait_until(&format!("{coloured} === 0")).await.unwrap();
}

#[tokio::test]
async fn the_keyboard_looks_at_tokens() {
    let reader = Reader::of_text(TEXT).await.unwrap();
    let length = reader.output().await.unwrap().chars().count() as u64;
    let sheet = reader.browser.find("output").await.unwrap();
    sheet.send_keys(Key::Enter + "").await.unwrap();
    reader.token(length - 1, "id").await.unwrap();
    sheet.send_keys(Key::Left + "").await.unwrap();
    reader.token(length - 2, "id").await.unwrap();
    sheet.send_keys(Key::Right + "").await.unwrap();
    reader.token(length - 1, "id").await.unwrap();
    // The first one was not predicted, and is left again.
    reader.click_character(0).await.unwrap();
    let first = "document.querySelector('[data-testid=token-said]').textContent.startsWith('Nothing stands before it')";
    reader.browser.wait_until(first).await.unwrap();
    sheet.send_keys(Key::Right + "").await.unwrap();
    reader.token(1, "id").await.unwrap();
}

#[tokio::test]
async fn a_reloaded_text_can_be_looked_into() {
    let reader = Reader::of_text(TEXT).await.unwrap();
    let text = reader.output().await.unwrap();
    reader.browser.driver().refresh().await.unwrap();
    reader.wait_for_model().await.unwrap();
    assert_eq!(reader.output().await.unwrap(), text);
    reader.press("look").await.unwrap();
    reader.token(text.chars().count() as u64 - 1, "id").await.unwrap();
}

#[tokio::test]
async fn an_address_opens_a_token_and_says_what_is_not_there() {
    let reader = Reader::of_text(&format!("{TEXT}&look=30")).await.unwrap();
    reader.token(30, "id").await.unwrap();
    reader.press("share").await.unwrap();
    let link = reader.browser.promise("navigator.clipboard.readText()").await.unwrap();
    assert!(link.as_str().unwrap().contains("look=30"), "{link}");

    reader.open("#/").await.unwrap();
    reader.open(&format!("{TEXT}&look=9999&run=1")).await.unwrap();
    let said = "document.querySelector('[data-testid=inside-problem]').textContent";
    let said = reader.browser.wait_until(said).await.unwrap();
    assert!(said.as_str().unwrap().ends_with("found 9999."), "{said}");
    for (wrong, expected) in [("take=3:1", "position 3"), ("take=20:999", "token 999"), ("off=8.0", "8.0")] {
        reader.open("#/").await.unwrap();
        reader.open(&format!("{TEXT}&{wrong}&run=1")).await.unwrap();
        reader.wait_for("failed").await.unwrap();
        let said = reader.text("error").await.unwrap();
        assert!(said.contains(expected), "{wrong}: {said}");
    }
}

#[tokio::test]
async fn a_prompt_is_read_without_writing_and_a_tour_leads_through() {
    let reader = Reader::ready().await.unwrap();
    reader.fill("prompt", "To be, or not to be").await.unwrap();
    reader.press("read-prompt").await.unwrap();
    reader.wait_for("stopped").await.unwrap();
    assert_eq!(reader.output().await.unwrap(), "To be, or not to be");
    reader.press("surprise").await.unwrap();
    reader
        .browser
        .wait_until("document.querySelector('[data-testid=surprise-said]').textContent.includes('bits')")
        .await
        .unwrap();
    reader.click_character(4).await.unwrap();
    reader.token(4, "rank").await.unwrap();

    reader.open("#/").await.unwrap();
    let first = reader.browser.driver().query(By::Css("main a[href*='tour=1']")).first().await.unwrap();
    first.click().await.unwrap();
    for step in 1..=8 {
        reader
            .browser
            .wait_until(&format!("document.querySelector('[data-testid=tour]')?.textContent.startsWith('{step}. ')"))
            .await
            .unwrap();
        reader
            .browser
            .wait_until("document.querySelector('[data-testid=token-panel]').dataset.position")
            .await
            .unwrap();
        if step < 8 {
            reader.press("tour-on").await.unwrap();
        }
    }
    expect_good_looks(&reader, "tour").await;
    assert_eq!(reader.browser.console().await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn the_way_through_has_this_models_sizes_and_the_tokens_norms() {
    let reader = Reader::of_text(TEXT).await.unwrap();
    reader.press("look").await.unwrap();
    reader.press("view-way").await.unwrap();
    let drawn = |script: &str| format!("[...document.querySelectorAll('[data-testid=way] {script}");
    let bars = drawn(".arch-bar title')].map((title) => title.textContent)");
    reader.browser.wait_until(&format!("{bars}.length === 16")).await.unwrap();
    let sizes = drawn(".arch-size text')].map((text) => text.textContent)");
    let sizes = reader.browser.script(&format!("return {sizes}")).await.unwrap();
    for expected in ["pearGPT", "65 characters", "256 × 320", "8 blocks", "5 heads", "320 → 1,280", "9,967,040"] {
        assert!(sizes.as_array().unwrap().iter().any(|size| size == expected), "{expected}: {sizes}");
    }
    let bars = reader.browser.script(&format!("return {bars}")).await.unwrap();
    reader.browser.script("document.querySelector('[data-testid=numbers]').open = true").await.unwrap();
    reader.browser.wait_until("document.querySelector('[data-testid=explain-json]').textContent").await.unwrap();
    let views = reader.views().await.unwrap();
    let norms = views.iter().find_map(|view| view.pointer("/lens/norms/mlp/7")).and_then(Value::as_f64).unwrap();
    assert_eq!(bars[15], format!("behind MLP of layer 8: {norms:.1}"));
    // Each part leads to what there is to see of it.
    let attention = drawn(".parts button')].find((part) => part.textContent === 'Attention').click()");
    reader.browser.script(&attention).await.unwrap();
    reader.browser.wait_until("document.querySelectorAll('[data-testid=head]').length === 40").await.unwrap();
    reader.press("view-way").await.unwrap();
    expect_good_looks(&reader, "way").await;
}
