//! The loss curve, as numbers and as a picture.

use std::fmt::Write;

use super::Point;

/// The names of the columns.
const HEAD: &str = "step,train,held_out";

/// Comma-separated: step, train, held_out.
pub fn csv(curve: &[Point]) -> String {
    let mut text = format!("{HEAD}\n");
    for Point { step, train, held_out } in curve {
        let held_out = held_out.map_or(String::new(), |loss| format!("{loss:.5}"));
        // A string takes everything.
        let _ = writeln!(text, "{step},{train:.5},{held_out}");
    }
    text
}

/// The points of a curve that [`csv`] has written; lines that are none are left out.
pub fn read(csv: &str) -> Vec<Point> {
    let point = |line: &str| {
        let mut columns = line.split(',');
        let mut next = || columns.next().unwrap_or_default();
        let (step, train) = (next().parse().ok()?, next().parse().ok()?);
        Some(Point { step, train, held_out: next().parse().ok() })
    };
    csv.lines().filter_map(point).collect()
}

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 360.0;
/// Room around the lines, for the numbers.
const MARGIN: f64 = 48.0;

/// Where both losses are drawn, in a picture of 640 × 360.
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    /// The points of the losses on what is learned, as SVG's polylines have them.
    pub train: String,
    /// The same of what is held out.
    pub held_out: String,
    /// The least and the greatest loss.
    pub losses: (f64, f64),
    /// The last step that has room.
    pub last: u64,
}

impl Chart {
    /// The chart of a curve that has room for so many steps.
    pub fn new(curve: &[Point], steps: u64) -> Self {
        let losses = || curve.iter().flat_map(|point| [Some(point.train), point.held_out]).flatten();
        let (least, most) = (losses().fold(f64::INFINITY, f64::min), losses().fold(0.0, f64::max));
        let last = steps.max(1);
        let x = |step: u64| MARGIN + (WIDTH - 2.0 * MARGIN) * step as f64 / last as f64;
        let y = |loss: f64| MARGIN + (HEIGHT - 2.0 * MARGIN) * (most - loss) / (most - least).max(f64::EPSILON);
        let line = |of: fn(&Point) -> Option<f64>| {
            let points = curve.iter().filter_map(|point| Some(format!("{:.1},{:.1}", x(point.step), y(of(point)?))));
            points.collect::<Vec<_>>().join(" ")
        };
        let (train, held_out) = (line(|point| Some(point.train)), line(|point| point.held_out));
        Chart { train, held_out, losses: (least, most), last }
    }
}

/// Both losses over the steps.
pub fn svg(curve: &[Point]) -> String {
    let Chart { train, held_out, losses: (least, most), last } =
        Chart::new(curve, curve.last().map_or(1, |point| point.step));
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
        y_most = MARGIN + 4.0,
        y_least = bottom + 4.0,
        y_steps = bottom + 20.0,
        x_key = right - 120.0,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_is_read_back() {
        let points =
            [Point { step: 1, train: 4.25, held_out: None }, Point { step: 50, train: 2.5, held_out: Some(2.75) }];
        assert_eq!(csv(&points), "step,train,held_out\n1,4.25000,\n50,2.50000,2.75000\n");
        assert_eq!(read(&csv(&points)), points);
        let chart = Chart::new(&points, 100);
        assert_eq!(chart.train, "53.4,48.0 320.0,312.0");
        assert_eq!((chart.losses, chart.last), ((2.5, 4.25), 100));
        assert_eq!(chart.held_out.matches(',').count(), 1);
    }
}
