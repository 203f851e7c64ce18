//! 5,000 words on pearGPT's page, from the click to the last letter, and what the page's thread does meanwhile.

use anyhow::{Context, Result};

use crate::page::{wait_for, wait_until};
use crate::reader::Reader;
use crate::samples::Figures;
use crate::targets::{CHARACTERS, LONGEST_GAP, LONGEST_TASK, SECONDS, WORDS};

/// The text, the same each time.
const ROUTE: &str = "#/peargpt?words=5000&seed=7&window=rolling";

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

/// One run, in a browser of its own.
pub async fn run(figures: &mut Figures) -> Result<()> {
    eprintln!("  {WORDS}");
    let reader = Reader::new().await?;
    reader.browser.before_every_page(WATCH).await?;
    reader.open(ROUTE).await?;
    wait_for(&reader.browser, "ready").await?;
    reader.press("generate").await?;
    wait_for(&reader.browser, "done").await?;
    let watched = wait_until(&reader.browser, OVER).await?;
    let number = |name: &str| watched[name].as_f64().with_context(|| format!("the page noted no {name}: {watched}"));
    figures.add(WORDS, SECONDS, (number("changed")? - number("clicked")?) / 1000.0);
    figures.add(WORDS, CHARACTERS, number("characters")?);
    figures.add(WORDS, LONGEST_TASK, number("longest_task")?);
    figures.add(WORDS, LONGEST_GAP, number("longest_gap")?);
    Ok(())
}
