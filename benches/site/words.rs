//! 5,000 words on pearGPT's page, from the click to the last letter, and what the page's thread does meanwhile.

use anyhow::{Context, Result};

use crate::page::{wait_for, wait_until};
use crate::reader::Reader;
use crate::samples::Figures;
use crate::targets::{CHARACTERS, LONGEST_GAP, LONGEST_TASK, SECONDS, WORDS, WORDS_TWO};

/// The text, the same each time; the threads come behind it.
const ROUTE: &str = "#/peargpt?words=5000&seed=7&window=rolling&threads=";

/// Notes down long tasks and frames from the click on, and when the text last changed.
const WATCH: &str = "
    window.watched = { clicked: 0, changed: 0, longest_task: 0, longest_gap: 0 };
    const since_click = (start, duration, name) => {
        if (watched.clicked && start + duration > watched.clicked && !watched.over)
            watched[name] = Math.max(watched[name], duration);
    };
    new PerformanceObserver((list) => {
        for (const { startTime, duration } of list.getEntries()) since_click(startTime, duration, 'longest_task');
    }).observe({ type: 'longtask', buffered: true });
    addEventListener('click', ({ target, timeStamp }) => {
        if (!target.closest('[data-testid=generate]')) return;
        watched.clicked = timeStamp;
        const output = document.querySelector('[data-testid=output]');
        new MutationObserver(() => { watched.changed = performance.now(); })
            .observe(output, { subtree: true, childList: true, characterData: true });
        let last = performance.now();
        const frame = (now) => {
            since_click(last, now - last, 'longest_gap');
            last = now;
            requestAnimationFrame(frame);
        };
        requestAnimationFrame(frame);
    }, { capture: true });";

/// When the text has not changed for a second, though the run is over.
const OVER: &str = "performance.now() > watched.changed + 1000 && (watched.over = true) && {
    ...watched, characters: document.querySelector('[data-testid=output]').textContent.length
}";

/// A run with one thread and one with two, each in a browser of its own.
pub async fn round(figures: &mut Figures) -> Result<()> {
    run(WORDS, 1, figures).await?;
    run(WORDS_TWO, 2, figures).await
}

async fn run(name: &str, threads: u32, figures: &mut Figures) -> Result<()> {
    eprintln!("  {name}");
    let reader = Reader::new().await?;
    reader.browser.before_every_page(WATCH).await?;
    reader.open(&format!("{ROUTE}{threads}")).await?;
    wait_for(&reader.browser, "ready").await?;
    reader.press("generate").await?;
    wait_for(&reader.browser, "done").await?;
    let watched = wait_until(&reader.browser, OVER).await?;
    let number = |name: &str| watched[name].as_f64().with_context(|| format!("the page noted no {name}: {watched}"));
    figures.add(name, SECONDS, (number("changed")? - number("clicked")?) / 1000.0);
    figures.add(name, CHARACTERS, number("characters")?);
    figures.add(name, LONGEST_TASK, number("longest_task")?);
    figures.add(name, LONGEST_GAP, number("longest_gap")?);
    Ok(())
}
