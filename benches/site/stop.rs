//! How soon a click on Stop is followed: while a long prompt is read, and while tokens are written.

use anyhow::{Context, Result};

use crate::sites::Site;

/// Tokens of the prompt in whose midst the reader stops; there are seconds of it.
const PROMPT: usize = 900;
/// Milliseconds between click and Stop, or between the first token and Stop: one more each time, so that all places
/// within a step are met alike. A block of a tile takes about 18 of them and a token 12 (Intel Xeon, 2026-11-24).
const PROMPTS_OFFSETS: [u32; 2] = [40, 76];
const TOKENS_OFFSETS: [u32; 2] = [0, 36];

/// The mean of milliseconds from a click on Stop to the state `stopped`, in the midst of a prompt.
pub async fn in_prompt(site: &Site) -> Result<f64> {
    site.ready(&format!("#/gpt2?words=5000&seed=7&prompt={}", "%20pear".repeat(PROMPT))).await?;
    mean(site, "status.dataset.state === 'generating'", PROMPTS_OFFSETS).await
}

/// The same while tokens are written.
pub async fn in_decoding(site: &Site) -> Result<f64> {
    site.ready("#/gpt2?words=5000&seed=7&prompt=pear").await?;
    mean(site, "stats.dataset.tokens > 0", TOKENS_OFFSETS).await
}

/// Starts and stops a run for each of the milliseconds between `begun` and Stop.
async fn mean(site: &Site, begun: &str, [from, to]: [u32; 2]) -> Result<f64> {
    let delays = format!(
        "(async () => {{
            const [status, stats, generate, stop, clear] = ['status', 'stats', 'generate', 'stop', 'clear']
                .map((name) => document.querySelector(`[data-testid=${{name}}]`));
            const when = (holds) => new Promise((resolve) => {{
                const look = () => holds() && (observer.disconnect(), resolve(performance.now()));
                const observer = new MutationObserver(look);
                observer.observe(document, {{ subtree: true, childList: true, attributes: true }});
                look();
            }});
            const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
            let sum = 0;
            for (let ms = {from}; ms < {to}; ms++) {{
                clear.click();
                await when(() => !(stats.dataset.tokens > 0));
                generate.click();
                await when(() => {begun});
                await sleep(ms);
                const clicked = performance.now();
                stop.click();
                sum += (await when(() => status.dataset.state === 'stopped')) - clicked;
            }}
            return sum / ({to} - {from});
        }})()"
    );
    site.run(&delays).await?.as_f64().context("the page measured no delay of Stop")
}
