//! The loss curve, as numbers and as a picture.

use std::fmt::Write;

use super::Point;

/// Comma-separated: step, train, held_out.
pub fn csv(curve: &[Point]) -> String {
    let mut text = "step,train,held_out\n".to_string();
    for Point { step, train, held_out } in curve {
        let held_out = held_out.map_or(String::new(), |loss| format!("{loss:.5}"));
        // A string takes everything.
        let _ = writeln!(text, "{step},{train:.5},{held_out}");
    }
    text
}

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 360.0;
/// Room around the lines, for the numbers.
const MARGIN: f64 = 48.0;

/// Both losses over the steps.
pub fn svg(curve: &[Point]) -> String {
    let losses = || curve.iter().flat_map(|point| [Some(point.train), point.held_out]).flatten();
    let (least, most) = (losses().fold(f64::INFINITY, f64::min), losses().fold(0.0, f64::max));
    let last = curve.last().map_or(1, |point| point.step).max(1);
    let x = |step: u64| MARGIN + (WIDTH - 2.0 * MARGIN) * step as f64 / last as f64;
    let y = |loss: f64| MARGIN + (HEIGHT - 2.0 * MARGIN) * (most - loss) / (most - least).max(f64::EPSILON);
    let line = |of: fn(&Point) -> Option<f64>| {
        let points = curve.iter().filter_map(|point| Some(format!("{:.1},{:.1}", x(point.step), y(of(point)?))));
        points.collect::<Vec<_>>().join(" ")
    };
    let (train, held_out) = (line(|point| Some(point.train)), line(|point| point.held_out));
    let (bottom, right) = (HEIGHT - MARGIN, WIDTH - MARGIN);
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">
<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>
<path d="M{MARGIN} {MARGIN}V{bottom}H{right}" fill="none" stroke="#888"/>
<text x="{MARGIN}" y="{y_title}" fill="#444">nats per token</text>
<text x="4" y="{y_most:.0}" fill="#444">{most:.2}</text>
<text x="4" y="{y_least:.0}" fill="#444">{least:.2}</text>
<text x="{right}" y="{y_steps}" fill="#444" text-anchor="end">step {last}</text>
<polyline points="{train}" fill="none" stroke="#2a6fb0" stroke-width="2"/>
<polyline points="{held_out}" fill="none" stroke="#b04a2a" stroke-width="2" stroke-dasharray="6 3"/>
<text x="{x_key}" y="{y_title}" fill="#2a6fb0" text-anchor="end">train</text>
<text x="{right}" y="{y_title}" fill="#b04a2a" text-anchor="end">held out (dashed)</text>
</svg>
"##,
        y_title = MARGIN - 16.0,
        y_most = y(most) + 4.0,
        y_least = y(least) + 4.0,
        y_steps = bottom + 20.0,
        x_key = right - 120.0,
    )
}
